import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { interruption, Processes } from './processes';

const help = `Usage: npm run soak -- [--minutes M] [--seed N] [options]

Starts batches all the time, over real processes on this machine and with faults all the time, checks each from outside,
and follows the memory of the processes. It takes a part of one core, and runs beside other work.

  --minutes M          time in which batches start; what runs then is waited for. Default 60
  --seed N             decides what is started, and when the credits run out. Default 1
  --open N             families of batches at the same time. Default 4
  --pace X             multiplies the pauses between starts: 2 is half as busy. Default 1
  --restart-minutes M  restarts the second worker so often, every second time by kill -9; 0: never. Default 20
  --second ROLE        the second worker serves this kind of work alone: api, transfer or archive. Default: all
  --folder FOLDER      works there, and leaves everything there. Default: a temporary folder, removed when all is well
  --samples FILE       one line of JSON for each sample. Default: samples.jsonl in the folder
  --json FILE          the report as JSON

Ctrl-C starts no more, waits for what runs, and reports; a second one ends at once.
Exit codes: 0 all is well; 1 something is not, or it could not run; 130 Ctrl-C. It needs lib/, which "npm run build" makes.
`;

const flags = {
  minutes: { type: 'string', default: '60' },
  seed: { type: 'string', default: '1' },
  open: { type: 'string', default: '4' },
  pace: { type: 'string', default: '1' },
  'restart-minutes': { type: 'string', default: '20' },
  second: { type: 'string' },
  folder: { type: 'string' },
  samples: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const print = (line: string): void => console.log(line);

/** @throws Error when the text is no number of at least `least` */
function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < least) throw new Error(`--${name} takes a number from ${least} on, not "${text}"`);
  return value;
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: flags });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const request = {
    minutes: number('minutes', values.minutes, 0.05),
    seed: number('seed', values.seed, 0),
    open: number('open', values.open, 1),
    pace: number('pace', values.pace, 0),
    restartMinutes: number('restart-minutes', values['restart-minutes'], 0),
  };
  if (values.second !== undefined && !['api', 'transfer', 'archive'].includes(values.second)) throw new Error(`--second takes api, transfer or archive, not "${values.second}"`);
  // Loaded only when it is needed: --help is at once there.
  const [{ cli }, { findTemporalCli }, { runSoak }, { reportText }] = await Promise.all([import('./local-stack.js'), import('./temporal-binaries.js'), import('./soak/run.js'), import('./soak/report.js')]);
  if (!(await stat(cli).catch(() => null))) throw new Error('there is no lib/: run "npm run build" first');
  const folder = values.folder === undefined ? await mkdtemp(join(tmpdir(), 'plangrep-soak-')) : resolve(values.folder);
  await mkdir(folder, { recursive: true });
  const processes = new Processes();
  const interrupted = interruption(processes);
  try {
    const { path: temporal } = await findTemporalCli({ processes, print });
    print(`Everything is in ${folder}`);
    const secondArgs = values.second === undefined ? [] : ['--only', values.second];
    const report = await runSoak({ ...request, secondArgs, processes, temporal, folder, print, interrupted, samples: values.samples ? resolve(values.samples) : join(folder, 'samples.jsonl') });
    process.stdout.write(`\n${reportText(report)}`);
    if (values.json) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
    await processes.stop();
    const isWell = report.findings.length === 0;
    if (isWell && values.folder === undefined) await rm(folder, { recursive: true, force: true });
    else print(`What it left: ${folder}; again: npm run soak -- --minutes ${values.minutes} --seed ${values.seed}`);
    if (interrupted.aborted) return interrupted.reason as number;
    return isWell ? 0 : 1;
  } finally {
    await processes.stop();
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(`error: ${error.message}`);
    process.exit(1);
  },
);
