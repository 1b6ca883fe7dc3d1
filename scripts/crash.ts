import { mkdtemp, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { closePageCounter } from '../src/pdf/page-count';
import { catalogueText, points, scenarios } from './crash/points';
import { record } from './crash/record';
import { transpilePreload } from './crash/run';
import { runSeeds, type Request } from './crash/session';
import { sumUp } from './crash/sum';
import { cli } from './local-stack';
import { interruption, Processes } from './processes';
import { findTemporalCli } from './temporal-binaries';

const help = `Usage: npm run crash -- [--seed N] [--runs M] [--parallel P] [--keep-going] [--point NAME] [--json FILE] [--quick]
       npm run crash -- --points | --record | --sum FILE

Runs batches over real processes, kills worker, webhook receiver and Temporal server with -9 at named points that follow
from a seed, starts them again, and checks from outside that nothing was lost, doubled, paid twice or left behind.

  --seed N       the first seed. Default 1. A seed is the same run in every session
  --runs M       so many seeds from there on. Default 1
  --parallel P   runs at the same time. Default 4
  --keep-going   goes on after a run that failed
  --point NAME   kill at this point instead of those that the seed deals
  --quick        Temporal is told of every dead worker; else one seed in five waits until it finds out
  --json FILE    appends one line a run: seed, scenario, kills, problems
  --sum FILE     adds up such a file, says which points no kill came to, and exits
  --points       lists the points and exits
  --record       runs every scenario without a kill, writes what it passes to scripts/crash/points.json, and exits

Exits with 1 when a run failed. It needs lib/, which "npm run build" makes.
`;

const print = (line: string): void => console.log(line);

interface Asked extends Request {
  mode: 'help' | 'points' | 'record' | 'sum' | 'run';
  sum: string;
}

function parse(args: string[]): Asked {
  const flag = { type: 'boolean' } as const;
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: { seed: text, runs: text, parallel: text, point: text, json: text, sum: text, 'keep-going': flag, quick: flag, points: flag, record: flag, help: { ...flag, short: 'h' } },
  });
  const number = (name: 'seed' | 'runs' | 'parallel', otherwise: number, least: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name} takes a whole number from ${least} on`);
    return value;
  };
  if (values.point !== undefined && !points.includes(values.point)) throw new Error(`there is no point "${values.point}"; --points lists them`);
  return {
    mode: values.help ? 'help' : values.points ? 'points' : values.record ? 'record' : values.sum ? 'sum' : 'run',
    sum: values.sum ?? '',
    seed: number('seed', 1, 0),
    runs: number('runs', 1, 1),
    parallel: number('parallel', 4, 1),
    keepGoing: values['keep-going'] ?? false,
    quick: values.quick ?? false,
    point: values.point ?? null,
    json: values.json ?? null,
  };
}

async function main(args: string[]): Promise<number> {
  const asked = parse(args);
  if (asked.mode === 'help') process.stdout.write(help);
  if (asked.mode === 'points') for (const point of points) print(point);
  if (asked.mode === 'sum') for (const line of await sumUp(asked.sum)) print(line);
  if (['help', 'points', 'sum'].includes(asked.mode)) return 0;
  if (!(await stat(cli).catch(() => null))) throw new Error('there is no lib/: run "npm run build" first');
  const processes = new Processes();
  const interrupted = interruption(processes);
  const stop = new AbortController();
  interrupted.addEventListener('abort', () => stop.abort(new Error('interrupted')));
  const folder = await mkdtemp(join(tmpdir(), 'plangrep-crash-'));
  try {
    const { path: temporal } = await findTemporalCli({ processes, print });
    const session = { ...asked, processes, temporal, folder, stop, preload: await transpilePreload(join(folder, 'preload')), print };
    if (asked.mode === 'record') {
      const recorded = await record(scenarios, session);
      await writeFile(join(__dirname, 'crash/points.json'), catalogueText(recorded));
      return 0;
    }
    const code = await runSeeds(session);
    return interrupted.aborted ? (interrupted.reason as number) : code;
  } finally {
    await Promise.all([processes.stop(), closePageCounter()]);
    await rm(join(folder, 'preload'), { recursive: true, force: true });
    // What a failed run left is evidence.
    if (interrupted.aborted) await rm(folder, { recursive: true, force: true });
    else await rmdir(folder).catch(() => undefined);
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(`error: ${error.message}`);
    process.exit(1);
  },
);
