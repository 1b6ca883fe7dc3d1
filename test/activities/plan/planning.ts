import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { planDocuments } from '../../../src/activities/plan';
import type { PlanOptions } from '../../../src/activities/plan';
import type { Plan, PlanLine } from '../../../src/contract/archive';
import { batchInputSchema } from '../../../src/contract/batch';
import type { BatchInputOptions } from '../../../src/contract/batch';

/** A new folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'plan-test-')));
  folders.push(folder);
  return folder;
}

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** An activity's surroundings, without a log line for each failure that a test wants. */
export const quietActivity = () => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });

/** Writes files below a folder: content by path. */
export function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

/** Plans a source without a batch. */
export async function planOf(
  source: BatchInputOptions['source'],
  rest: Partial<BatchInputOptions> = {},
  options: PlanOptions = {},
): Promise<{ plan: Plan; lines: PlanLine[] }> {
  const lines: PlanLine[] = [];
  const plan = await planDocuments(batchInputSchema.parse({ project: 'p', source, ...rest }), { ...options, sink: (line) => void lines.push(line) });
  return { plan, lines };
}

/** What became of each line, by source: its job, its reason's code, or `duplicate of` a source. */
export function fates(lines: PlanLine[]): Record<string, number | string> {
  const fate = ({ job, reason, duplicateOf }: PlanLine) => job ?? (duplicateOf === null ? reason!.code : `duplicate of ${lines[duplicateOf - 1]!.source}`);
  return Object.fromEntries(lines.map((line) => [line.source, fate(line)]));
}
