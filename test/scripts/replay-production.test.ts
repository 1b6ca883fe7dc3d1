import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const script = resolve(__dirname, '../../scripts/replay-production.ts');
const run = (...args: string[]) => spawnSync(process.execPath, ['--import', 'tsx', script, ...args], { encoding: 'utf8', env: { PATH: process.env.PATH } });

/** What it says about batches that run is in test/e2e/deploy.test.ts. */
it('explains itself, and takes nothing that it does not know for an answer about what runs', () => {
  expect(run('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage: node --import tsx scripts/replay-production.ts') as string });
  expect(run('--limit', 'none')).toMatchObject({ status: 2, stderr: '--limit takes a number from 1 on\n' });
});
