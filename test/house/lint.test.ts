import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** What lint says: rule names by file. */
type Findings = Map<string, string[]>;

const root = resolve(__dirname, '../..');
let copy: string;

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'plangrep-lint-'));
  await cp(join(root, '.oxlintrc.json'), join(copy, '.oxlintrc.json'));
  await cp(join(root, 'tsconfig.json'), join(copy, 'tsconfig.json'));
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
});

afterAll(() => rm(copy, { recursive: true, force: true }));

async function lint(files: Record<string, string>): Promise<{ code: number; findings: Findings }> {
  await rm(join(copy, 'src'), { recursive: true, force: true });
  await rm(join(copy, 'test'), { recursive: true, force: true });
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(copy, file)), { recursive: true });
    await writeFile(join(copy, file), text);
  }
  const { code, stdout } = await new Promise<{ code: number; stdout: string }>((done, fail) => {
    const lintFile = join(root, 'node_modules/oxlint/bin/oxlint');
    execFile(process.execPath, [lintFile, '-f', 'json', '.'], { cwd: copy }, (error, out) => {
      if (error && typeof error.code !== 'number') fail(error);
      else done({ code: error ? Number(error.code) : 0, stdout: out });
    });
  });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
  const findings: Findings = new Map();
  for (const { filename, code: rule } of diagnostics) {
    findings.set(filename, [...(findings.get(filename) ?? []), /\((.*)\)/.exec(rule)?.[1] ?? rule]);
  }
  return { code, findings };
}

const using = (specifier: string): string => `import { thing } from '${specifier}';\nexport const kept = thing;\n`;

const forbidden: [file: string, specifier: string][] = [
  ['src/contract/a.ts', '../domain/plan'],
  ['src/contract/b.ts', 'undici'],
  ['src/contract/c.ts', '@temporalio/workflow'],
  ['src/domain/a.ts', '../plangrep/client'],
  ['src/domain/b.ts', 'node:fs'],
  ['src/domain/c.ts', '../activities/plan/index'],
  ['src/plangrep/a.ts', '../contract/batch'],
  ['src/plangrep/deep/a.ts', '../../contract/batch'],
  ['src/store/a.ts', '../plangrep/client'],
  ['src/pdf/a.ts', '../domain/plan'],
  ['src/codec/a.ts', '../config/secret'],
  ['src/activities/a.ts', '../workflows/job'],
  ['src/activities/b.ts', '../simulator/state'],
  ['src/activities/c.ts', '../config'],
  ['src/activities/plan/a.ts', '../../client'],
  ['src/simulator/a.ts', '../plangrep/client'],
  ['src/simulator/b.ts', '../contract/batch'],
  ['src/simulator/routes/a.ts', '../../store/folder'],
  ['src/workflows/a.ts', '../plangrep/errors'],
  ['src/workflows/b.ts', '../contract/batch'],
  ['src/workflows/c.ts', 'node:crypto'],
  ['src/workflows/d.ts', 'zod'],
  ['src/client.ts', './config'],
  ['src/config.ts', './simulator/server'],
  ['src/cli.ts', './simulator/main'],
  ['src/worker.ts', './simulator/server'],
  ['src/cli/a.ts', '../simulator/server'],
  ['src/cli/simulator.ts', '../simulator/server.js'],
  ['src/client/a.ts', '../domain/plan'],
  ['src/verify/a.ts', '../plangrep/client'],
];

const allowed: [file: string, text: string][] = [
  ['src/contract/a.ts', using('zod')],
  ['src/contract/b.ts', `import { defineSignal } from '@temporalio/workflow';\nexport const kept = defineSignal('kept');\n`],
  ['src/domain/a.ts', using('../contract/batch')],
  ['src/plangrep/a.ts', using('undici')],
  ['src/plangrep/deep/a.ts', using('../errors')],
  ['src/store/folder.ts', using('./index')],
  ['src/activities/a.ts', using('../plangrep/client')],
  ['src/activities/plan/a.ts', using('../../store')],
  ['src/simulator/a.ts', using('../plangrep/signature')],
  ['src/simulator/routes/a.ts', using('../state')],
  ['src/workflows/a.ts', using('../contract/messages')],
  ['src/workflows/b.ts', `import type { Thing } from '../activities/dependencies';\nexport type Kept = Thing;\n`],
  ['src/client.ts', using('./contract/messages')],
  ['src/client/a.ts', using('../contract/messages')],
  ['src/cli.ts', using('./client')],
  ['src/cli/simulator.ts', `export const main = (): Promise<unknown> => import('../simulator/main.js');\n`],
  ['src/worker.ts', using('./activities')],
];

const lines = (count: number): string => Array.from({ length: count }, (_, i) => (i % 2 ? '' : `// line ${i}`)).join('\n');

const mistakes: Record<string, [file: string, text: string, rule: string]> = {
  'a file of 301 lines': ['src/domain/long.ts', `${lines(300)}\nexport {};`, 'max-lines'],
  'a test of 501 lines': ['test/domain/long.test.ts', `${lines(500)}\nexport {};`, 'max-lines'],
  'a function of 61 lines': ['src/domain/function.ts', `export function long() {\n${lines(59)}\n}\n`, 'max-lines-per-function'],
  'a promise nobody waits for': ['src/cli/floating.ts', `async function work(): Promise<void> {}\nwork();\n`, 'no-floating-promises'],
  'a read of process.env': ['src/cli/env.ts', 'export const home = process.env.HOME;\n', 'no-process-env'],
  'a wildcard re-export': ['src/domain/barrel.ts', `export * from './plan';\n`, 'no-barrel-file'],
  'a dynamic import of what must not be imported': ['src/cli/dynamic.ts', `export const server = (): Promise<unknown> => import('../simulator/server.js');\n`, 'no-restricted-imports'],
  'a require': ['src/cli/require.ts', `export const fs: unknown = require('node:fs');\n`, 'no-require-imports'],
  'a clock in domain': ['src/domain/clock.ts', 'export const now = (): number => Date.now();\n', 'no-restricted-properties'],
  'chance in domain': ['src/domain/chance.ts', 'export const roll = (): number => Math.random();\n', 'no-restricted-properties'],
  'a process in domain': ['src/domain/process.ts', 'export const pid = (): number => process.pid;\n', 'no-restricted-globals'],
  'an any': ['src/domain/any.ts', 'export const free = (x: any): unknown => x;\n', 'no-explicit-any'],
  'work put off': ['src/domain/later.ts', `// ${'TO'}DO: later\nexport {};\n`, 'no-warning-comments'],
  // The comment is the file that lint has to refuse: nothing is disabled here.
  'a disable without a rule': ['src/domain/disable.ts', `/* oxlint-${'disable'} */\nexport const x = 1;\n`, 'no-abusive-eslint-disable'],
  'a skipped test': ['test/domain/skipped.test.ts', `it.${'skip'}('does', () => {});\n`, 'no-disabled-tests'],
};

it('names the rule for each forbidden import', async () => {
  const { code, findings } = await lint(Object.fromEntries(forbidden.map(([file, specifier]) => [file, using(specifier)])));
  expect(code).not.toBe(0);
  expect(Object.fromEntries(findings)).toEqual(Object.fromEntries(forbidden.map(([file]) => [file, ['no-restricted-imports']])));
});

it('lets through what the import rules allow', async () => {
  const { code, findings } = await lint(Object.fromEntries(allowed));
  expect(Object.fromEntries(findings)).toEqual({});
  expect(code).toBe(0);
});

it('names the rule for each mistake', async () => {
  const cases = Object.values(mistakes);
  const { code, findings } = await lint(Object.fromEntries(cases.map(([file, text]) => [file, text])));
  expect(code).not.toBe(0);
  for (const [name, [file, , rule]] of Object.entries(mistakes)) {
    expect({ name, rules: findings.get(file) ?? [] }).toEqual({ name, rules: expect.arrayContaining([rule]) });
  }
});

it('lets through 300 lines, and a function of 60', async () => {
  const { code, findings } = await lint({
    'src/domain/long.ts': `${lines(299)}\nexport {};`,
    'src/domain/function.ts': `export function long() {\n${lines(58)}\n}\n`,
    'src/config.ts': 'export const home = process.env.HOME;\n',
  });
  expect(Object.fromEntries(findings)).toEqual({});
  expect(code).toBe(0);
});
