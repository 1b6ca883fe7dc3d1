import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Attack } from '../../scripts/webhook-storm/attack';
import { StormSite, type Honest, type ReceiverProcess } from '../../scripts/webhook-storm/site';
import { isBuilt } from '../support/build';

const root = join(__dirname, '../..');
const command = isBuilt() ? [join(root, 'lib/cli.js')] : ['--import', 'tsx', join(root, 'src/cli.ts')];
const mib = 1024 * 1024;
/** The memory that the storm may cost: hundreds of connections, and as many bodies as are held at a time. Those that come have hundreds of times as much. */
const mostGrowth = 96 * mib;

let site: StormSite;
let receiver: ReceiverProcess;
beforeAll(async () => {
  site = await StormSite.start();
  receiver = await site.startReceiver({ command });
});
afterAll(() => site.stop());

const jobs = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);
async function honestly(to: ReceiverProcess, numbers: number[]): Promise<Honest[]> {
  const answers: Honest[] = [];
  for (const number of numbers) answers.push(await site.honest(to, number));
  return answers;
}
const toldAll = (numbers: number[]) => Promise.all(numbers.map((number) => site.told(number)));

/** Connections that stay open as long as the other side lets them. */
async function openSilently(to: ReceiverProcess, count: number): Promise<Socket[]> {
  const one = () =>
    new Promise<Socket>((done) => {
      const socket = connect(to.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.once('connect', () => done(socket)).once('close', () => done(socket));
    });
  return Promise.all(Array.from({ length: count }, one));
}

/** What a job's address says, without the date. */
async function answerOf(path: string, body: string): Promise<string> {
  const socket = connect(receiver.port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  socket.write(site.request(path, body));
  await new Promise<void>((done) => void socket.once('close', () => done()));
  return text.replace(/^date: .*\r\n/im, '');
}

test('jobs that run, that ended and that never were: without a token they sound alike, and with one, too', async () => {
  const [running, closed, never] = [1, 2, 3] as const;
  for (const number of [running, closed]) await site.startJob(number);
  await site.temporal.client.workflow.getHandle(site.job(closed)).terminate();
  const ask = (pathOf: (number: number) => string) => Promise.all([running, closed, never].map((number) => answerOf(pathOf(number), site.body('completed'))));
  const [outside, inside] = [await ask((number) => site.wrongPath(number)), await ask((number) => site.path(number))];
  expect([new Set(outside).size, new Set(inside).size]).toEqual([1, 1]);
  expect([outside[0], inside[0]]).toEqual([expect.stringMatching(/^HTTP\/1\.1 404 /), expect.stringMatching(/^HTTP\/1\.1 204 /)]);
  expect(await site.told(running)).toBe(1);
});

test('one webhook again and again, at two receivers and at one that starts anew: one signal each, and other jobs are served', async () => {
  const [replayed, ...others] = jobs(100, 6) as [number, ...number[]];
  for (const number of [replayed, ...others]) await site.startJob(number);
  const second = await site.startReceiver({ command });
  const attacks = [receiver, second].map(({ port }) => new Attack(port));
  for (const attack of attacks) attack.flood(4, () => site.request(site.path(replayed), site.body('completed')));
  expect((await honestly(second, others)).map(({ status }) => status)).toEqual(others.map(() => 204));
  while (attacks.some(({ damage }) => (damage.answers['204'] ?? 0) < 100)) await new Promise(setImmediate);
  for (const attack of attacks) await attack.stop();
  expect(await second.end()).toBe(0);
  expect([await site.told(replayed), await toldAll(others)]).toEqual([2, others.map(() => 1)]);

  const third = await site.startReceiver({ command });
  const again = [];
  for (let times = 0; times < 50; times++) again.push((await site.honest(third, replayed)).status);
  expect([new Set(again), await site.told(replayed)]).toEqual([new Set([204]), 3]);
  await third.end();
});

test('with a limit of 256 open files, and more connections than that: honest webhooks get through, during it and after', async () => {
  const during = jobs(200, 5);
  const after = jobs(300, 5);
  for (const number of [...during, ...after]) await site.startJob(number);
  const small = await site.startReceiver({ command, openFiles: 256 });
  const silent = await openSilently(small, 600);
  expect((await honestly(small, during)).map(({ status }) => status)).toEqual(during.map(() => 204));
  for (const socket of silent) socket.destroy();
  expect((await honestly(small, after)).map(({ status }) => status)).toEqual(after.map(() => 204));
  expect(await toldAll([...during, ...after])).toEqual([...during, ...after].map(() => 1));
  expect(small.errors().split('\n').filter((line) => line.startsWith('{'))).toEqual([expect.stringContaining('More connections than allowed')]);
  expect(await small.end()).toBe(0);
});

test('a storm of everything at once: no webhook is lost, memory and log stay small, and it can be ended in the midst of it', async () => {
  const [replayed, ...honest] = jobs(400, 16) as [number, ...number[]];
  for (const number of [replayed, ...honest]) await site.startJob(number);
  // Room for 336 connections, so that a few attackers are too many.
  const target = await site.startReceiver({ command, openFiles: 400 });
  await honestly(target, [replayed]);
  const before = target.memory().now;
  target.forgetPeak();
  const attack = new Attack(target.port);
  const requests = [site.request(site.wrongPath(1), site.body('completed')), site.request(site.path(replayed), site.body('completed')), site.request(site.path(replayed), site.body('failed')).replace('sha256=', 'sha256=00'), 'GET / HTTP/1.1\r\nhost: x\r\n\r\n', '\x16\x03\x01\r\n\r\n'];
  let turn = 0;
  attack.flood(10, () => requests[turn++ % requests.length]!);
  attack.flood(4, () => requests[0]!, 16);
  attack.hold(200, '');
  attack.hold(200, `POST ${site.path(replayed)} HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{`);
  attack.pour(6, site.wrongPath(1));
  attack.pour(6, site.path(replayed));
  const answers = await honestly(target, honest);
  const damage = { ...attack.damage.answers };
  const { peak } = target.memory();
  const code = await target.end();
  await attack.stop();

  expect(answers.map(({ status }) => status)).toEqual(honest.map(() => 204));
  expect(await toldAll(honest)).toEqual(honest.map(() => 1));
  expect(await site.told(replayed)).toBe(1);
  expect(Object.keys(damage).filter((status) => !['204', '400', '404', '413', '503'].includes(status))).toEqual([]);
  expect(peak - before).toBeLessThan(mostGrowth);
  const lines = target.errors().split('\n').filter((line) => line.startsWith('{'));
  expect(new Set(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).size).toBe(lines.length);
  expect(code).toBe(0);
});
