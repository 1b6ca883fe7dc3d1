import { mkdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { interruption, Processes } from './processes';
import { ensurePdfinfo } from './system-tools';
import { findTemporalCli, findTestServer } from './temporal-binaries';

/** One npm script, and what has to be there for it. */
interface Stage {
  name: string;
  script: string;
  /** Jest's processes; absent for what is not jest. */
  jestWorkers?: number;
  /** Uses lib/. */
  built?: boolean;
  /** Programs to be found before. */
  tools?: readonly ('temporal' | 'pdfinfo')[];
}

/** In this order: what is quick and says much comes first. */
const stages: Stage[] = [
  { name: 'lint', script: 'lint' },
  { name: 'typecheck', script: 'typecheck' },
  { name: 'build', script: 'build' },
  { name: 'unit', script: 'test:unit', jestWorkers: 2, built: true, tools: ['temporal', 'pdfinfo'] },
  { name: 'workflow', script: 'test:workflow', jestWorkers: 2, tools: ['temporal'] },
  { name: 'replay', script: 'test:replay', jestWorkers: 1, built: true, tools: ['temporal'] },
  { name: 'e2e', script: 'test:e2e', jestWorkers: 2, built: true, tools: ['temporal'] },
  { name: 'contract', script: 'test:contract', built: true },
];

/** How a stage went. */
interface Result {
  name: string;
  outcome: 'ok' | 'failed' | 'not run';
  passed: number;
  failed: number;
  ms: number;
}

/** What runs the stages. */
interface Session {
  processes: Processes;
  env: NodeJS.ProcessEnv;
  reports: string;
  stopped: AbortSignal;
}

const root = resolve(__dirname, '..');
/** A test runner with something left open would wait for ever. */
const stageLimitMs = 15 * 60_000;

async function main(names: string[]): Promise<number> {
  const unknown = names.filter((name) => !stages.some((stage) => stage.name === name));
  if (unknown.length > 0) throw new Error(`no stage ${unknown.join(', ')}; there are: ${stages.map(({ name }) => name).join(', ')}`);
  const processes = new Processes();
  const stopped = interruption(processes);
  stopped.addEventListener('abort', () => void processes.stop());
  const reports = join(root, '.cache/test');
  await rm(reports, { recursive: true, force: true });
  await mkdir(reports, { recursive: true });
  const chosen = names.length > 0 ? stages.filter(({ name }) => names.includes(name)) : stages;
  try {
    const started = performance.now();
    const { env, remarks } = await prepare(processes, new Set(chosen.flatMap(({ tools }) => tools ?? [])));
    const tools: Result = { name: 'tools', outcome: 'ok', passed: 0, failed: 0, ms: performance.now() - started };
    const results = await runStages(chosen, { processes, env, reports, stopped });
    if (stopped.aborted) return stopped.reason as number;
    return report([tools, ...results], remarks);
  } finally {
    await processes.stop();
  }
}

/** Finds what the stages need besides npm's packages. The variables that configure the product are left out: tests set their own. */
async function prepare(processes: Processes, tools: Set<string>): Promise<{ env: NodeJS.ProcessEnv; remarks: string[] }> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PLANGREP|TEMPORAL)_/.test(name)));
  if (tools.has('temporal')) {
    env.TEMPORAL_CLI_PATH = (await findTemporalCli({ processes })).path;
    env.TEMPORAL_TEST_SERVER_PATH = (await findTestServer({ processes })).path;
  }
  const lacksPdfinfo = tools.has('pdfinfo') && (await ensurePdfinfo()) === null;
  const remarks = lacksPdfinfo ? ['Page counts were compared with recorded ones only: there is no pdfinfo (package poppler-utils), and it can be installed only as root.'] : [];
  return { env, remarks };
}

async function runStages(chosen: Stage[], session: Session): Promise<Result[]> {
  const results: Result[] = [];
  for (const stage of chosen) {
    if (session.stopped.aborted) break;
    const buildFailed = results.some(({ name, outcome }) => name === 'build' && outcome === 'failed');
    if (stage.built && buildFailed) results.push({ name: stage.name, outcome: 'not run', passed: 0, failed: 0, ms: 0 });
    else results.push(await runStage(stage, session));
  }
  return results;
}

async function runStage({ name, script, jestWorkers }: Stage, { processes, env, reports }: Session): Promise<Result> {
  console.log(`\n── ${name} (npm run ${script})`);
  const started = performance.now();
  const file = join(reports, `${name}.json`);
  const flags = jestWorkers ? ['--', '--ci', '--json', `--outputFile=${file}`, `--maxWorkers=${jestWorkers}`] : [];
  const child = processes.start(name, 'npm', ['run', '--silent', script, ...flags], { env, cwd: root });
  const limit = setTimeout(() => {
    console.log(`${name} did not end within ${stageLimitMs / 60_000} min and is stopped`);
    void processes.end(child);
  }, stageLimitMs);
  const { code } = await child.ended;
  clearTimeout(limit);
  const { passed, failed } = jestWorkers ? await counts(file) : { passed: 0, failed: 0 };
  const outcome = code === 0 ? 'ok' : 'failed';
  // A stage that failed without a failed test counts as one: it must not pass for none.
  return { name, outcome, passed, failed: code === 0 ? failed : Math.max(failed, 1), ms: performance.now() - started };
}

async function counts(file: string): Promise<{ passed: number; failed: number }> {
  try {
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(await readFile(file, 'utf8')) as Record<string, number>;
    return { passed: numPassedTests ?? 0, failed: (numFailedTests ?? 0) + (numRuntimeErrorTestSuites ?? 0) };
  } catch {
    return { passed: 0, failed: 0 };
  }
}

function report(results: Result[], remarks: string[]): number {
  const sum = (of: (result: Result) => number): number => results.reduce((total, result) => total + of(result), 0);
  const row = (name: string, outcome: string, tests: string, ms: number): string => `${name.padEnd(11)}${outcome.padEnd(9)}${tests.padStart(7)}${(ms / 1000).toFixed(1).padStart(9)} s`;
  console.log(`\n${'stage'.padEnd(11)}${'result'.padEnd(9)}${'tests'.padStart(7)}${'time'.padStart(11)}`);
  for (const { name, outcome, passed, failed, ms } of results) console.log(row(name, outcome, passed + failed > 0 ? String(passed + failed) : '', ms));
  console.log(row('all', '', String(sum((result) => result.passed + result.failed)), sum((result) => result.ms)));
  for (const { name } of results.filter(({ outcome }) => outcome === 'not run')) remarks.push(`${name} was not run: the build failed.`);
  if (remarks.length > 0) console.log(`\n${remarks.join('\n')}`);
  console.log(`\n${sum(({ passed }) => passed)} passed, ${sum(({ failed }) => failed)} failed`);
  return results.every(({ outcome }) => outcome === 'ok') ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(`error: ${error.message}`);
    process.exit(1);
  },
);
