import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(__dirname, '../..');
/** What a build writes last. */
export const builtBundle = join(root, 'lib/workflow-bundle.js');

/**
 * Whether lib/ is what a build would make of the sources as they are; see `build_when_changed` in scripts/prepare.bash. Tests then take
 * it, which starts in half the time and is what users run, and the sources otherwise.
 */
export function isBuilt(): boolean {
  const built = modifiedMs(builtBundle);
  const below = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).map((path) => join('src', path));
  return ['src', ...below, 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/bundle-workflows.ts'].every((path) => modifiedMs(join(root, path)) <= built);
}

/** 0 for what is not there. */
const modifiedMs = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
