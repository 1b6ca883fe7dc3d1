import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { interruption, Processes } from './processes';
import { ensureChromium, ensurePdfinfo } from './system-tools';
import { findTemporalCli, findTestServer } from './temporal-binaries';

/** One npm script, and what has to be there for it. */
interface Stage {
  name: string;
  script: string;
  /** Jest's processes; absent for what is not jest. */
  jestWorkers?: number;
  /** Uses lib/. */
  built?: boolean;
  /** Stages of one company that follow one another run at the same time: alone, none of them keeps two cores busy. */
  company?: string;
  /** Programs to be found before. */
  tools?: readonly ('temporal' | 'pdfinfo' | 'chromium')[];
}

/** In this order: what is quick and says much comes first. */
const stages: Stage[] = [
  { name: 'lint', script: 'lint', company: 'code' },
  { name: 'typecheck', script: 'typecheck', company: 'code' },
  { name: 'build', script: 'build', company: 'code' },
  { name: 'audit', script: 'test:audit', company: 'code' },
  // More processes than cores: what waits for time limits and for programs to start leaves room.
  { name: 'unit', script: 'test:unit', jestWorkers: 3, built: true, tools: ['temporal', 'pdfinfo'] },
  // Alone: the server that skips time skips it ahead of workers that lack a processor.
  { name: 'workflow', script: 'test:workflow', jestWorkers: 2, tools: ['temporal'] },
  { name: 'replay', script: 'test:replay', jestWorkers: 1, built: true, tools: ['temporal'], company: 'recorded' },
  { name: 'contract', script: 'test:contract', built: true, company: 'recorded' },
  // They wait most of their time.
  { name: 'e2e', script: 'test:e2e', jestWorkers: 4, built: true, tools: ['temporal', 'chromium'] },
];

/** How a stage went. */
interface Result {
  name: string;
  outcome: 'ok' | 'failed' | 'not run';
  passed: number;
  failed: number;
  ms: number;
}

/** Programs of the system: installed beside the stages that do without them, null where that cannot be. */
interface SystemTools {
  pdfinfo?: Promise<string | null>;
  chromium?: Promise<string | null>;
}

/** What runs the stages. */
interface Session {
  processes: Processes;
  env: NodeJS.ProcessEnv;
  system: SystemTools;
  reports: string;
  stopped: AbortSignal;
  /** What was left out and why, for the last lines. */
  remarks: string[];
}

const root = resolve(__dirname, '..');
/** A test runner with something left open would wait for ever. */
const stageLimitMs = 30 * 60_000;

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
    const needed = new Set(chosen.flatMap(({ tools }) => tools ?? []));
    const system = startInstalling(needed);
    const started = performance.now();
    const env = await prepare(processes, needed);
    const tools: Result = { name: 'tools', outcome: 'ok', passed: 0, failed: 0, ms: performance.now() - started };
    const session: Session = { processes, env, system, reports, stopped, remarks: [] };
    const results = await runStages(chosen, tools, session);
    if (stopped.aborted) return stopped.reason as number;
    return report([tools, ...results], session.remarks, performance.now() - started);
  } finally {
    await processes.stop();
  }
}

/** One after the other: apt-get works for one at a time. */
function startInstalling(needed: Set<string>): SystemTools {
  const pdfinfo = needed.has('pdfinfo') ? ensurePdfinfo() : undefined;
  const chromium = needed.has('chromium') ? Promise.resolve(pdfinfo).then(ensureChromium) : undefined;
  return { ...(pdfinfo && { pdfinfo }), ...(chromium && { chromium }) };
}

/** Finds what the stages need besides npm's packages. The variables that configure the product are left out: tests set their own. */
async function prepare(processes: Processes, needed: Set<string>): Promise<NodeJS.ProcessEnv> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PLANGREP|TEMPORAL)_/.test(name)));
  if (needed.has('temporal')) {
    env.TEMPORAL_CLI_PATH = (await findTemporalCli({ processes })).path;
    env.TEMPORAL_TEST_SERVER_PATH = (await findTestServer({ processes })).path;
  }
  return env;
}

async function runStages(chosen: Stage[], tools: Result, session: Session): Promise<Result[]> {
  const results: Result[] = [];
  for (const together of companies(chosen)) {
    if (session.stopped.aborted) break;
    const buildFailed = results.some(({ name, outcome }) => name === 'build' && outcome === 'failed');
    const [ready, idle] = [together.filter(({ built }) => !(built && buildFailed)), together.filter(({ built }) => built && buildFailed)];
    results.push(...idle.map(({ name }): Result => ({ name, outcome: 'not run', passed: 0, failed: 0, ms: 0 })));
    const started = performance.now();
    const without = ready.length > 0 && (await withoutBrowser(ready[0]!, session));
    tools.ms += performance.now() - started;
    if (session.stopped.aborted) break;
    if (without && process.env.CI === 'true') results.push({ name: 'browser', outcome: 'failed', passed: 0, failed: 1, ms: 0 });
    results.push(...(await runTogether(ready, without ? ['--testPathIgnorePatterns=/e2e/web-ui'] : [], session)));
  }
  return results;
}

/** The stages, each with those that it runs beside. */
function companies(chosen: Stage[]): Stage[][] {
  const found: Stage[][] = [];
  for (const stage of chosen) {
    const last = found.at(-1);
    if (last && stage.company !== undefined && last[0]!.company === stage.company) last.push(stage);
    else found.push([stage]);
  }
  return found;
}

/** Runs stages at the same time; what each says is shown as if it ran after the one before it. */
function runTogether(together: Stage[], more: string[], session: Session): Promise<Result[]> {
  let shown: Promise<unknown> | null = null;
  const runs: Promise<Result>[] = [];
  for (const stage of together) runs.push((shown = runStage(stage, more, session, shown)));
  return Promise.all(runs);
}

/** Waits for what the stage needs of the system, and remarks on what is not to be had; true when the stage must do without a browser. */
async function withoutBrowser({ tools = [] }: Stage, { system, env, remarks, stopped }: Session): Promise<boolean> {
  // What apt-get has begun it may end by itself.
  const interrupted = once(stopped, 'abort').then(() => null);
  if (tools.includes('pdfinfo') && (await Promise.race([system.pdfinfo, interrupted])) === null) {
    remarks.push('Page counts were compared with recorded ones only: there is no pdfinfo (package poppler-utils), and it can be installed only as root.');
  }
  if (!tools.includes('chromium')) return false;
  const chromium = await Promise.race([system.chromium, interrupted]);
  if (chromium) {
    env.CHROMIUM_PATH = chromium;
    return false;
  }
  const reason = env.CHROMIUM_PATH ? `CHROMIUM_PATH names ${env.CHROMIUM_PATH}, which is none that runs` : 'none is on PATH, and the package chromium can be installed only as root on Debian, with network';
  remarks.push(`The web UI was not tested (test/e2e/web-ui.test.ts): that takes Chromium or Chrome; ${reason}.`);
  return true;
}

/** Shows what the stage says at once, or from the time on when what it runs beside is over. */
async function runStage({ name, script, jestWorkers }: Stage, more: string[], { processes, env, reports }: Session, shown: Promise<unknown> | null): Promise<Result> {
  const heading = `\n── ${name} (npm run ${script})\n`;
  if (!shown) process.stdout.write(heading);
  const started = performance.now();
  const file = join(reports, `${name}.json`);
  const flags = jestWorkers ? ['--', '--ci', '--json', `--outputFile=${file}`, `--maxWorkers=${jestWorkers}`, ...more] : [];
  const child = processes.start(name, 'npm', ['run', '--silent', script, ...flags], { env, cwd: root, ...(shown && { stdio: ['ignore', 'pipe', 'pipe'] }) });
  const told = shown && showAfter(shown, heading, child.process);
  const limit = setTimeout(() => {
    console.log(`${name} did not end within ${stageLimitMs / 60_000} min and is stopped`);
    void processes.end(child);
  }, stageLimitMs);
  const { code } = await child.ended;
  clearTimeout(limit);
  const ms = performance.now() - started;
  await told;
  const { passed, failed } = jestWorkers ? await counts(file) : { passed: 0, failed: 0 };
  const outcome = code === 0 ? 'ok' : 'failed';
  // A stage that failed without a failed test counts as one: it must not pass for none.
  return { name, outcome, passed, failed: code === 0 ? failed : Math.max(failed, 1), ms };
}

/** Keeps what a child says until `turn`, and shows it from then on. */
async function showAfter(turn: Promise<unknown>, heading: string, { stdout, stderr }: ChildProcess): Promise<void> {
  const kept = [heading];
  let show = (text: string): unknown => kept.push(text);
  for (const stream of [stdout, stderr]) stream?.setEncoding('utf8').on('data', (text: string) => show(text));
  await turn;
  show = (text) => process.stdout.write(text);
  show(kept.join(''));
}

async function counts(file: string): Promise<{ passed: number; failed: number }> {
  try {
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(await readFile(file, 'utf8')) as Record<string, number>;
    return { passed: numPassedTests ?? 0, failed: (numFailedTests ?? 0) + (numRuntimeErrorTestSuites ?? 0) };
  } catch {
    return { passed: 0, failed: 0 };
  }
}

function report(results: Result[], remarks: string[], ms: number): number {
  const sum = (of: (result: Result) => number): number => results.reduce((total, result) => total + of(result), 0);
  const row = (name: string, outcome: string, tests: string, ms: number): string => `${name.padEnd(11)}${outcome.padEnd(9)}${tests.padStart(7)}${(ms / 1000).toFixed(1).padStart(9)} s`;
  console.log(`\n${'stage'.padEnd(11)}${'result'.padEnd(9)}${'tests'.padStart(7)}${'time'.padStart(11)}`);
  for (const { name, outcome, passed, failed, ms } of results) console.log(row(name, outcome, passed + failed > 0 ? String(passed + failed) : '', ms));
  console.log(row('all', '', String(sum((result) => result.passed + result.failed)), ms));
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
