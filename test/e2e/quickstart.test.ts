import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const root = resolve(__dirname, '../..');

/** Somebody else's services: who talks to them is counted. */
interface Foreign {
  env: NodeJS.ProcessEnv;
  servers: Server[];
  contacts: () => number;
}

/** One run of the script. */
interface Run {
  process: ChildProcess;
  /** In the environment of everything that the run started, and of nothing else. */
  marker: string;
  output: () => string;
  ended: Promise<number | null>;
}

let folder: string;
let foreign: Foreign;
const batches = new Set<string>();
const runs: Run[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plangrep-quickstart-'));
  await cp(join(root, 'examples/harbour-annex/00 Bidding'), join(folder, 'documents'), { recursive: true });
  foreign = await startForeign();
});

afterEach(() => {
  for (const run of runs.splice(0)) run.process.kill('SIGKILL');
});

afterAll(async () => {
  for (const server of foreign.servers) server.close();
  await rm(folder, { recursive: true, force: true });
  for (const batch of batches) await rm(join(root, 'plangrep-archive/batches', batch), { recursive: true, force: true });
});

async function startForeign(): Promise<Foreign> {
  let contacts = 0;
  const listen = async (port = 0): Promise<Server> => {
    const server = createServer((socket) => {
      if (port === 0) contacts += 1;
      socket.destroy();
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const [api, temporal, profile, proxy] = await Promise.all([listen(), listen(), listen(), listen()]);
  const at = (server: Server): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  // The usual ports are taken, by us unless a real Temporal is there already.
  const usual = (await Promise.all([7233, 8233].map((port) => listen(port).catch(() => [])))).flat();
  const config = join(folder, 'temporal.toml');
  await writeFile(config, `[profile.foreign]\naddress = "${at(profile)}"\nnamespace = "production"\n`);
  const env = {
    PLANGREP_BASE_URL: `http://${at(api)}`,
    PLANGREP_API_KEY: 'pgk_foreign',
    PLANGREP_PROJECT: 'Production',
    PLANGREP_ARCHIVE: join(folder, 'foreign-archive'),
    TEMPORAL_ADDRESS: at(temporal),
    TEMPORAL_PROFILE: 'foreign',
    TEMPORAL_CONFIG_FILE: config,
    TEMPORAL_NAMESPACE: 'production',
    grpc_proxy: `http://${at(proxy)}`,
    HTTP_PROXY: `http://${at(proxy)}`,
    http_proxy: `http://${at(proxy)}`,
  };
  return { env, servers: [api, temporal, profile, proxy, ...usual], contacts: () => contacts };
}

const quickstart = (...args: string[]): Run => start('bash', [join(root, 'scripts/quickstart'), ...args]);

/** The same on a terminal: what is written to the process's standard input is typed. */
const onTerminal = (...args: string[]): Run =>
  start('python3', ['-c', 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))', 'bash', join(root, 'scripts/quickstart'), ...args]);

function start(command: string, args: string[]): Run {
  const marker = randomUUID();
  const env = { ...process.env, ...foreign.env, QUICKSTART_MARKER: marker };
  const child = spawn(command, args, { cwd: folder, env, stdio: 'pipe' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const run = { process: child, marker, output: () => output, ended };
  runs.push(run);
  return run;
}

/** The batch that a run started, if it came to that. */
const batchOf = (output: string): string => {
  const batch = /Started batch (\S+)\./.exec(output)?.[1] ?? '';
  if (batch) batches.add(batch);
  return batch;
};

/** Waits for a text in a run's output; the test's time limit bounds it. */
async function says(run: Run, text: string): Promise<void> {
  let over = false;
  void run.ended.then(() => (over = true));
  while (!run.output().includes(text)) {
    if (over) throw new Error(`ended without "${text}":\n${run.output()}`);
    await pause(50);
  }
}

/** Processes that carry the run's marker; where the system does not show environments, none are seen. */
async function processesOf({ marker }: Run): Promise<string[]> {
  const ids = process.platform === 'linux' ? (await readdir('/proc')).filter((name) => /^\d+$/.test(name)) : [];
  const found = await Promise.all(ids.map(async (id) => ((await readFile(`/proc/${id}/environ`, 'utf8').catch(() => '')).includes(marker) ? [id] : [])));
  return found.flat();
}

async function nothingLeft(run: Run): Promise<void> {
  while ((await processesOf(run)).length > 0) await pause(50);
}

function isTaken(address: string): Promise<boolean> {
  const [host, port] = address.split(':');
  const server = createServer();
  return new Promise((done) => {
    server.once('error', () => done(true));
    server.listen(Number(port), host, () => server.close(() => done(false)));
  });
}

const addressesIn = (output: string): string[] => [...new Set(output.match(/127\.0\.0\.1:\d+/g))];

it('runs a batch to a verified archive, twice in a row, and talks to nobody else', async () => {
  const first = quickstart('documents');
  expect(await first.ended).toBe(0);
  const output = first.output();
  expect(output).toMatch(/Temporal CLI: from .*\nTemporal {4}127\.0\.0\.1:\d+, web UI http:\/\/127\.0\.0\.1:\d+\nSimulator {3}http:\/\/127\.0\.0\.1:\d+ /);
  expect(output).toMatch(/\nWebhooks {4}http:\/\/127\.0\.0\.1:\d+\nWorker {6}ready\n/);
  expect(output).toMatch(/3 of 3 done: 3 processed/);
  expect(output).toContain(join(root, 'plangrep-archive'));
  expect(output).toMatch(/http:\/\/127\.0\.0\.1:\d+\/namespaces\/default\/workflows\//);
  expect(output.trim().split('\n').at(-1)).toBe('stopped; run again with --keep to open it');
  expect(output).not.toContain('pgk_');
  await nothingLeft(first);

  // With --keep everything runs on until Ctrl-C, and the exit code is the batch's.
  const second = quickstart('documents', '--keep');
  await says(second, 'Running until Ctrl-C');
  const addresses = addressesIn(second.output());
  expect(addresses.length).toBeGreaterThanOrEqual(4);
  for (const address of addresses) expect({ address, taken: await isTaken(address) }).toEqual({ address, taken: true });
  second.process.kill('SIGINT');
  expect(await second.ended).toBe(0);
  await nothingLeft(second);
  for (const address of addresses) expect({ address, taken: await isTaken(address) }).toEqual({ address, taken: false });

  const ids = [batchOf(output), batchOf(second.output())];
  expect(new Set(ids).size).toBe(2);
  for (const id of ids) {
    const verify = spawn(process.execPath, [join(root, 'lib/cli.js'), 'verify', id, '--archive', join(root, 'plangrep-archive')], { stdio: 'ignore' });
    expect(await once(verify, 'exit')).toEqual([0, null]);
  }
  expect(foreign.contacts()).toBe(0);
});

it('Ctrl-C before all is started stops every process', async () => {
  const run = quickstart('documents');
  await says(run, 'Temporal    ');
  run.process.kill('SIGINT');
  expect(await run.ended).toBe(130);
  await nothingLeft(run);
  expect(run.output().trim().split('\n').at(-1)).toBe('stopping');
  expect(foreign.contacts()).toBe(0);
});

describe('on a terminal', () => {
  it('shows a bar, and stops when Enter is pressed', async () => {
    const run = onTerminal('documents');
    await says(run, 'Press Enter to stop');
    batchOf(run.output());
    expect(run.output()).toContain('█');
    for (const address of addressesIn(run.output())) expect({ address, taken: await isTaken(address) }).toEqual({ address, taken: true });
    run.process.stdin!.write('\n');
    expect(await run.ended).toBe(0);
    await nothingLeft(run);
  });

  it('Ctrl-C typed while the batch runs stops every process', async () => {
    const run = onTerminal('documents');
    await says(run, 'Started batch');
    run.process.stdin!.write('\x03');
    expect(await run.ended).toBe(130);
    await nothingLeft(run);
    batchOf(run.output());
  });

  it('Ctrl-C typed instead of Enter does as well, and the exit code is that of a run that was refused', async () => {
    await mkdir(join(folder, 'empty'));
    const run = onTerminal('empty');
    await says(run, 'Press Enter to stop');
    expect(run.output()).toMatch(/error: .*empty/);
    run.process.stdin!.write('\x03');
    expect(await run.ended).toBe(1);
    await nothingLeft(run);
  });
});

it('leaves nothing running when it is killed', async () => {
  const run = quickstart('documents');
  await says(run, 'Worker      ready');
  run.process.kill('SIGKILL');
  await nothingLeft(run);
  batchOf(run.output());
});

it.each([
  ['a folder that does not exist', ['nowhere'], /error: .*nowhere does not exist\nSee scripts\/quickstart --help/],
  ['two folders', ['documents', 'documents'], /error: one folder at a time/],
  ['an unknown flag', ['--fast'], /error: Unknown option '--fast'/],
])('starts nothing for %s', async (_, args, message) => {
  const run = quickstart(...args);
  expect(await run.ended).toBe(1);
  expect(run.output()).toMatch(message);
  expect(run.output()).not.toContain('Temporal  ');
});
