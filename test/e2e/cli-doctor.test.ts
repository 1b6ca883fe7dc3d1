import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answerOf, runCli, type CliResult } from '../support/cli';
import { startCliStack, type CliStack } from '../support/cli-stack';

let stack: CliStack;
beforeAll(async () => {
  stack = await startCliStack({ temporal: { attributes: false } });
});
afterAll(() => stack.stop());

type Checks = Record<string, { ok: boolean; message: string; fix: string | null }>;
const checksOf = (result: CliResult): Checks =>
  Object.fromEntries(answerOf<{ checks: ({ name: string } & Checks[string])[] }>(result).checks.map(({ name, ...check }) => [name, check]));

test('doctor finds what is missing or left behind, and --fix puts it right', async () => {
  for (const [file, content] of [['work/done/jobs/00001/uploads.jsonl', ''], ['batches/done/manifest.json', '{}'], ['work/open/jobs/00001/uploads.jsonl', '']] as const) {
    await mkdir(join(stack.archive, file, '..'), { recursive: true });
    await writeFile(join(stack.archive, file), content);
  }
  const before = await runCli(['doctor', '--json'], stack.env);
  expect(before.code).toBe(1);
  expect(checksOf(before)).toMatchObject({
    'search attributes': { ok: false, message: expect.stringContaining('BatchStatus (Keyword)') as string, fix: 'plangrep-batch doctor --fix' },
    'working files': { ok: false, message: expect.stringContaining('done') as string, fix: 'plangrep-batch doctor --fix' },
  });

  const fixing = checksOf(await runCli(['doctor', '--fix', '--json'], stack.env));
  expect(fixing).toMatchObject({ 'search attributes': { ok: true }, 'working files': { ok: true } });
  expect(await readdir(join(stack.archive, 'work'))).toEqual(['open']);

  const after = checksOf(await runCli(['doctor', '--json'], stack.env));
  expect(Object.entries(after).flatMap(([name, { ok }]) => (ok ? [] : [name]))).toEqual(['workers']);
});
