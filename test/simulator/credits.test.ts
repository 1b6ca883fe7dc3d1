import { Credits } from '../../src/simulator/credits';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { closePageCounter } from '../../src/pdf/page-count';
import { makePdf } from '../support/documents';
import { Caller, sha256Of } from './caller';

let simulator: Simulator;
let caller: Caller;
const drawing = (pages: number, marker: string) => ({ fileName: `${marker}.pdf`, content: makePdf({ pages, marker }), classification: 'plans' });

beforeEach(async () => {
  simulator = await startSimulator({ scriptedClock: true, jobMs: 100, pageMs: 0, credits: 100 });
  caller = new Caller(simulator);
});
afterEach(() => simulator.close());
afterAll(closePageCounter);

const credits = async (): Promise<object> => JSON.parse((await caller.control('GET', '/credits')).bytes.toString()) as object;

test('reserving takes from what others can have, and using it takes from both', () => {
  const account = new Credits(100);
  expect(account.reserve(60)).toBe(true);
  expect(account.reserve(41)).toBe(false);
  expect(account.charge(41)).toBe(false);
  account.use(10);
  expect([account.available, account.reserved]).toEqual([40, 50]);
  account.release(50);
  account.setAvailable(7);
  expect([account.available, account.reserved]).toEqual([7, 0]);
});

test('credits are reserved by declared size, debited by page, and what is left is released', async () => {
  const { id } = await caller.submit([drawing(3, 'a')]);
  await caller.advance(20);
  expect((await caller.job(id)).billing).toEqual({ creditsDebited: 0, creditsReserved: 10 });
  expect(await credits()).toEqual({ available: 90, reserved: 10 });
  await caller.advance(80);
  expect(await caller.job(id)).toMatchObject({ status: 'completed', billing: { creditsDebited: 30, creditsReserved: 0 } });
  expect(await credits()).toEqual({ available: 70, reserved: 0 });
});

test('with too few credits a job blocks at preflight; resuming blocks again until there are enough', async () => {
  await caller.control('POST', '/credits', { available: 5 });
  const { id } = await caller.submit([drawing(1, 'b')]);
  await caller.advance(1_000);
  expect(await caller.job(id)).toMatchObject({ status: 'blocked_insufficient_credits', billing: { creditsDebited: 0, creditsReserved: 0 }, completedAt: null });
  const resumed = await caller.call('POST', `/jobs/${id}/resume`);
  expect([resumed.status, resumed.body.job.status]).toEqual([200, 'preflighting']);
  await caller.advance(1_000);
  expect((await caller.job(id)).status).toBe('blocked_insufficient_credits');
  await caller.control('POST', '/credits', { available: 10 });
  await caller.advance(1_000);
  expect((await caller.job(id)).status).toBe('blocked_insufficient_credits');
  await caller.call('POST', `/jobs/${id}/resume`);
  await caller.advance(1_000);
  expect((await caller.job(id)).status).toBe('completed');
  expect((await caller.call('POST', `/jobs/${id}/resume`)).status).toBe(409);
});

test('credits that run out in the middle of a document block the job, and no page is debited twice', async () => {
  await caller.control('POST', '/credits', { available: 55 });
  const files = [drawing(4, 'c'), drawing(4, 'd')];
  const { id } = await caller.submit(files);
  await caller.advance(1_000);
  expect(await caller.job(id)).toMatchObject({ status: 'blocked_insufficient_credits', successfulPageCount: 5, billing: { creditsDebited: 50 } });
  await caller.control('POST', '/credits', { available: 1_000 });
  await caller.call('POST', `/jobs/${id}/resume`);
  await caller.advance(1_000);
  expect(await caller.job(id)).toMatchObject({ status: 'completed', successfulPageCount: 8, billing: { creditsDebited: 80 } });
  const { debits } = JSON.parse((await caller.control('GET', '/records')).bytes.toString()) as { debits: Record<string, number[]> };
  for (const { content } of files) expect(debits[sha256Of(content)]).toEqual([1, 1, 1, 1]);
  expect(await credits()).toEqual({ available: 970, reserved: 0 });
});

test('parallel jobs cannot overdraw: one blocks while the other holds its reservation', async () => {
  await caller.control('POST', '/credits', { available: 15 });
  const [first, second] = [await caller.submit([drawing(1, 'e')]), await caller.submit([drawing(1, 'f')])];
  await caller.advance(50);
  expect([(await caller.job(first.id)).status, (await caller.job(second.id)).status]).toEqual(['processing', 'blocked_insufficient_credits']);
});

test('a blocked job can be cancelled, and expires', async () => {
  await caller.control('POST', '/credits', { available: 0 });
  const [first, second] = [await caller.submit([drawing(1, 'g')]), await caller.submit([drawing(1, 'h')])];
  await caller.advance(50);
  expect((await caller.call('POST', `/jobs/${first.id}/cancel`)).body.job.status).toBe('cancelled');
  await caller.advance(7 * 86_400_000);
  expect((await caller.job(second.id)).status).toBe('expired');
  expect((await caller.call('POST', `/jobs/${second.id}/resume`)).status).toBe(409);
});

test('the same content in two jobs is debited twice, and the records show it', async () => {
  const file = drawing(2, 'i');
  await caller.submit([file]);
  await caller.submit([file]);
  await caller.advance(1_000);
  const { debits } = JSON.parse((await caller.control('GET', '/records')).bytes.toString()) as { debits: Record<string, number[]> };
  expect(debits).toEqual({ [sha256Of(file.content)]: [2, 2] });
});

test('of a mixed document the first half are drawings; addenda and specifications are document pages', async () => {
  const files = ['mixed', 'addenda', 'specifications', 'other'].map((classification, n) => ({ fileName: `${n}.pdf`, content: makePdf({ pages: 3, marker: classification }), classification }));
  const { id } = await caller.submit(files);
  await caller.advance(1_000);
  expect((await caller.job(id)).billing.creditsDebited).toBe(21 + 3 + 3 + 3);
});
