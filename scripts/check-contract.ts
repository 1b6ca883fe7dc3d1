import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { startSimulator } from '../src/simulator/server';
import { Caller, sha256Of } from '../test/simulator/caller';
import { makePdf } from '../test/support/documents';
import { runScript } from './entry';
import { ensurePythonTools } from './python-tools';

/*
 * Has schemathesis, which shares no code with the simulator, compare the simulator with docs/openapi.yaml. Fails when a check
 * does, and unless each operation of the file answered with 2xx many times: otherwise only its refusals would have been tested.
 */
const root = resolve(__dirname, '..');
const leastSuccesses = 10;
const prepared = 80;

async function main(): Promise<number> {
  const { python, env } = await ensurePythonTools(['schemathesis']);
  const folder = await mkdtemp(join(tmpdir(), 'plangrep-contract-'));
  const simulator = await startSimulator({ jobMs: 0, pageMs: 0, projectMs: 0, credits: 1_000_000_000, webhooks: false });
  try {
    const shelf = join(folder, 'shelf.json');
    await writeFile(shelf, JSON.stringify(await prepareShelf(new Caller(simulator))));
    const report = join(folder, 'report.har');
    const args = ['-m', 'schemathesis.cli', '--config-file', join(root, 'test/contract/schemathesis.toml'), 'run', join(root, 'docs/openapi.yaml'), '--url', simulator.apiUrl];
    args.push('--header', `Authorization: Bearer ${simulator.apiKey}`, '--report', 'har', '--report-har-path', report);
    const path = [env.PYTHONPATH, join(root, 'test/contract')].join(delimiter);
    // It leaves a cache where it runs.
    const code = await run(python, args, { ...env, CONTRACT_SHELF: shelf, PYTHONPATH: path }, folder);
    const few = printTable(await readReport(report, await servedOperations()));
    if (few.length > 0) process.stdout.write(`\nFewer than ${leastSuccesses} answers with 2xx: ${few.join(', ')}\n`);
    return code !== 0 || few.length > 0 ? 1 : 0;
  } finally {
    await simulator.close();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Operation {
  name: string;
  /** Method and path of a request that is one. */
  pattern: RegExp;
  /** Answers by status. */
  answers: Map<number, number>;
}

/** The operations of docs/openapi.yaml. Its lines are regular enough to need no parser. */
async function servedOperations(): Promise<Operation[]> {
  const [text = ''] = (await readFile(join(root, 'docs/openapi.yaml'), 'utf8')).split(/^webhooks:/m);
  const operations: Operation[] = [];
  let path = '';
  let method = '';
  for (const line of text.split('\n')) {
    path = /^ {2}(\/\S+):$/.exec(line)?.[1] ?? path;
    method = /^ {4}(get|head|post):$/.exec(line)?.[1] ?? method;
    const name = /^ {6}operationId: (\w+)$/.exec(line)?.[1];
    if (name === undefined) continue;
    const pattern = new RegExp(`^${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
    operations.push({ name, pattern, answers: new Map() });
  }
  // What has fewer parameters is meant where both patterns fit.
  return operations.toSorted((a, b) => a.pattern.source.split('[^/]+').length - b.pattern.source.split('[^/]+').length);
}

interface Har {
  log: { entries: { request: { method: string; url: string }; response: { status: number } }[] };
}

/** Counts the answers in the tool's own account of every request it sent. */
async function readReport(path: string, operations: Operation[]): Promise<Operation[]> {
  const { log } = JSON.parse(await readFile(path, 'utf8')) as Har;
  for (const { request, response } of log.entries) {
    const sent = `${request.method} ${request.url.replace(/^https?:\/\/[^/]+/, '').split('?')[0]}`;
    const answers = operations.find(({ pattern }) => pattern.test(sent))?.answers;
    // 0 stands for no answer.
    if (answers && response.status > 0) answers.set(response.status, (answers.get(response.status) ?? 0) + 1);
  }
  return operations;
}

/** Prints how often each operation answered with what; answers with those that too seldom did well. */
function printTable(operations: Operation[]): string[] {
  const few: string[] = [];
  process.stdout.write(`\n${'operation'.padEnd(22)}${'2xx'.padStart(5)}  answers\n`);
  for (const { name, answers } of operations) {
    const successes = [...answers].reduce((sum, [status, count]) => sum + (status < 300 ? count : 0), 0);
    const all = [...answers].toSorted(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
    process.stdout.write(`${name.padEnd(22)}${String(successes).padStart(5)}  ${all.join(', ')}\n`);
    if (successes < leastSuccesses) few.push(name);
  }
  return few;
}

/** What schemathesis cannot make by itself; test/contract/hooks.py hands it out. */
async function prepareShelf(caller: Caller): Promise<object> {
  const content = makePdf();
  const file = { fileName: 'sample.pdf', content };
  const many = <T>(make: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: prepared }, make));
  const projectId = 'proj_quickstart';
  const quiet = (await caller.call('POST', '/projects', { name: 'Quiet' })).body.project.id;
  const finished = await caller.submit([file]);
  await until(caller, finished.id, 'completed');
  const result = JSON.parse((await caller.call('GET', `/jobs/${finished.id}/result`)).bytes.toString()) as { documents: { artifacts: { url: string }[] }[] };
  const path = new URL(result.documents[0]!.artifacts[0]!.url).searchParams.get('path');
  const completable = await many(async () => {
    const { id: jobId } = await caller.createJob();
    return { jobId, directUploads: await caller.upload(jobId, [file]) };
  });
  return {
    projectId,
    quietProjectId: quiet,
    finished: { projectId, jobId: finished.id, path },
    registered: await many(async () => {
      const { id: jobId } = await caller.createJob();
      const { documentId, uploadToken } = (await caller.register(jobId, [file])).body.uploads[0]!;
      return { jobId, documentId, uploadToken };
    }),
    completable,
    open: await many(async () => (await caller.createJob()).id),
    cancellable: await many(async () => (await caller.createJob()).id),
    blocked: await prepareBlocked(caller, file),
    sample: { sizeBytes: content.length, sha256: sha256Of(content), base64: content.toString('base64'), text: content.toString('latin1') },
  };
}

async function prepareBlocked(caller: Caller, file: { fileName: string; content: Buffer }): Promise<string[]> {
  const { available } = JSON.parse((await caller.control('GET', '/credits')).bytes.toString()) as { available: number };
  await caller.control('POST', '/credits', { available: 0 });
  const jobs = await Promise.all(Array.from({ length: prepared }, () => caller.submit([file])));
  for (const { id } of jobs) await until(caller, id, 'blocked_insufficient_credits');
  await caller.control('POST', '/credits', { available });
  return jobs.map(({ id }) => id);
}

async function until(caller: Caller, jobId: string, status: string): Promise<void> {
  while ((await caller.job(jobId)).status !== status) await turn();
}

function run(command: string, args: string[], env: NodeJS.ProcessEnv, cwd: string): Promise<number> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { env, cwd, stdio: 'inherit' });
    child.once('error', fail);
    child.once('close', (code) => done(code ?? 1));
  });
}

runScript(main);
