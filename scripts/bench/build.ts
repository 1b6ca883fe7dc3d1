import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cli } from '../local-stack';

/** For benchmarks of the built product. @throws Error that says what to do when there is none */
export function requireBuild(): void {
  if (!existsSync(join(dirname(cli), 'workflow-bundle.js'))) throw new Error('this benchmark runs the built product: run npm run build first');
}
