import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { quantile } from './bench/figures';
import { Processes } from './processes';
import type { Damage } from './webhook-storm/attack';
import type { Orders } from './webhook-storm/attacker';
import { StormSite, type Honest, type ReceiverProcess } from './webhook-storm/site';
import { runScript } from './entry';

const help = `Usage: npm run --silent storm -- [--seconds S] [--jobs N]

A storm over one webhook receiver, as a process of its own beside a real Temporal server: requests with wrong tokens as fast as they are answered, one
job's honest webhook again and again, garbage, ten megabytes at a time, and slow and silent connections, more than there is room for. Meanwhile the
webhooks of N jobs come in, and each of them has to be told to its workflow. Prints what was reached as JSON; exit code 1 when something was lost.

  --seconds S   how long the storm lasts. Default 20
  --jobs N      honest webhooks, evenly over that time; as many come before it, for comparison. Default 400
`;

const replayed = 1;
/** The first of the honest jobs. */
const firstJob = 1_000;

interface Storm {
  site: StormSite;
  receiver: ReceiverProcess;
  seconds: number;
  jobs: number;
  processes: Processes;
}

/** What comes down, by kind; the replayed webhook is right in every way. */
function ordersOf({ site, receiver: { port }, seconds }: Storm): Orders[] {
  const right = site.request(site.path(replayed), site.body('completed'));
  const wrong = Array.from({ length: 64 }, (_, number) => site.request(site.wrongPath(number), site.body('completed')));
  const forged = right.replace(/signature: sha256=..../, 'signature: sha256=0000');
  const garbage = ['GET / HTTP/1.1\r\nhost: x\r\n\r\n', 'POST /jobs/%00/.. HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n'];
  return [
    { port, seconds, floods: [{ connections: 100, requests: [...wrong, right, forged, ...garbage] }], holds: [], pours: [] },
    {
      port,
      seconds,
      floods: [{ connections: 4, requests: ['\x16\x03\x01 not at all\r\n\r\n'] }, { connections: 4, requests: [...wrong, ...garbage], pipelined: 16 }],
      holds: [{ connections: 800, text: '' }, { connections: 400, text: 'POST / HT' }, { connections: 400, text: `POST ${site.path(replayed)} HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{` }],
      pours: [{ connections: 5, path: site.wrongPath(1) }, { connections: 5, path: site.path(replayed) }],
    },
  ];
}

/** Runs one attacker process to its end. */
async function attack(processes: Processes, orders: Orders): Promise<Damage> {
  const { code, stdout, stderr } = await processes.capture(process.execPath, ['--import', 'tsx', join(__dirname, 'webhook-storm/attacker.ts'), JSON.stringify(orders)], { timeoutMs: (orders.seconds + 60) * 1000 });
  if (code !== 0) throw new Error(`an attacker ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Damage;
}

/** Sends honest webhooks of `count` jobs, evenly over a time. */
async function honestly({ site, receiver, seconds }: Storm, jobs: number[]): Promise<Honest[]> {
  const sent: Promise<Honest>[] = [];
  for (const job of jobs) {
    sent.push(site.honest(receiver, job));
    await new Promise((next) => setTimeout(next, (seconds * 1000) / jobs.length));
  }
  return Promise.all(sent);
}

async function run(storm: Storm): Promise<boolean> {
  const { site, receiver, seconds, jobs: count, processes } = storm;
  const jobs = Array.from({ length: count }, (_, index) => firstJob + index);
  const calm = jobs.map((job) => job + count);
  for (const job of [replayed, ...jobs, ...calm]) await site.startJob(job);
  const before = await honestly({ ...storm, seconds: Math.min(seconds, 5) }, calm);
  const memory = receiver.memory().now;
  receiver.forgetPeak();
  const [during, ...damage] = await Promise.all([honestly(storm, jobs), ...ordersOf(storm).map((orders) => attack(processes, orders))]);
  const { peak } = receiver.memory();
  const told: number[] = [];
  for (const job of jobs) told.push(await site.told(job));
  const lost = told.filter((times) => times === 0).length;
  const p99 = (honest: readonly Honest[]): number => quantile(honest.map(({ ms }) => ms), 0.99);
  const requests = damage.reduce((sum, one) => sum + one.requests, 0);
  const report = {
    seconds,
    requests,
    requestsPerSecond: Math.round(requests / seconds),
    damage,
    memory: { before: memory, peak, growth: peak - memory },
    honest: { sent: during.length, refused: during.filter(({ status }) => status !== 204).length, sentAgain: during.reduce((sum, one) => sum + one.lost, 0), lost, toldMoreThanOnce: told.filter((times) => times > 1).length },
    p99: { calmMs: p99(before), stormMs: p99(during), ratio: p99(during) / p99(before) },
    replayedJobTold: await site.told(replayed),
    logLines: receiver.errors().split('\n').filter((line) => line.startsWith('{')).length,
    alive: receiver.child.exitCode === null,
    endsWith: await receiver.end(),
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  return report.alive && report.endsWith === 0 && lost === 0;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' }, jobs: { type: 'string', default: '400' }, help: { type: 'boolean', short: 'h', default: false } } });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [seconds, jobs] = [Number(values.seconds), Number(values.jobs)];
  if (!(seconds > 0) || !(Number.isSafeInteger(jobs) && jobs > 0)) throw new Error('--seconds takes a number above 0, --jobs a whole number above 0');
  const processes = new Processes();
  const site = await StormSite.start();
  try {
    return (await run({ site, receiver: await site.startReceiver(), seconds, jobs, processes })) ? 0 : 1;
  } finally {
    await processes.stop();
    await site.stop();
  }
}

runScript(main);
