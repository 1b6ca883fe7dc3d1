import { Readable } from 'node:stream';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import fc from 'fast-check';
import { toFailure } from '../../src/activities/failure';
import { failureTypes } from '../../src/contract/failures';
import type { PlangrepClient } from '../../src/plangrep/client';
import { PlangrepError } from '../../src/plangrep/errors';
import { ScriptedServer, golden } from './scripted-server';

// Whatever the remote side says: every call ends, with a sane answer or with an error that Temporal is told of under a documented type.

const server = new ScriptedServer();
let client: PlangrepClient;
beforeAll(async () => {
  await server.start();
  client = server.client({ callTimeoutMs: 20_000 });
});
afterAll(() => server.stop());

const quiet = new DefaultLogger('ERROR');
const key = { idempotencyKey: 'k' };
const file = { fileName: 'A-set.pdf', contentType: 'application/pdf', fileSize: 1200, sha256: '0'.repeat(64) };
const form = { fileName: 'A-set.pdf', contentType: 'application/pdf', sizeBytes: 3, open: () => Readable.from([Buffer.from('abc')]) };
const taken = async (stream: AsyncIterable<unknown>): Promise<number> => {
  let pieces = 0;
  for await (const _ of stream) pieces += 1;
  return pieces;
};

/** Every call, and the recorded answers that it is meant for. */
const calls: [fixtures: string[], call: () => Promise<unknown>][] = [
  [['create-project'], () => client.createProject('p')],
  [['list-projects'], () => client.listProjects()],
  [['get-project', 'get-project.upgrade-null'], () => client.getProject('proj_demo')],
  [['create-job', 'create-job.provisioning', 'create-job.replay'], () => client.createJob('proj_demo', { webhookUrl: 'https://h.example/secret' }, key)],
  [['list-jobs'], () => taken(client.listJobs('proj_demo'))],
  [['get-job', 'get-job.failed', 'get-job.odd-types', 'get-job.nulls'], () => client.getJob('job_demo1')],
  [['resume-job', 'resume-job.preflighting'], () => client.resumeJob('job_demo1')],
  [['cancel-job', 'cancel-job.not-yet'], () => client.cancelJob('job_demo1')],
  [['upload-files', 'upload-files.bare'], () => client.uploadFiles('job_demo1', [form])],
  [['register-uploads.headers', 'register-uploads.unnamed-headers', 'register-uploads.already-stored'], () => client.registerUploads('job_demo1', [file])],
  [['register-uploads', 'register-uploads.other-part-names'], () => client.registerUploads('job_demo1', [{ ...file, fileSize: 67_108_864 }])],
  [['complete-uploads', 'complete-uploads.replay'], () => client.completeUploads('job_demo1', {}, key)],
  [['get-job-result'], async () => taken((await client.getResult('job_demo1')).body)],
  [['get-job-result'], async () => taken((await client.getArtifact('job_demo1', 'a.png')).body)],
];

const oddities = [null, '', 'x'.repeat(2_000), '\u0000', -1, 0, 1.5, 1e308, -1e-308, Number.MAX_SAFE_INTEGER + 2, true, [], {}, [[]], [null], { id: {} }, '2030-13-01T00:00:00Z', '__proto__', 'NaN', 'https://u:p@h.example/?sig=s'];
const anything = fc.oneof({ weight: 2, arbitrary: fc.constantFrom<unknown>(...oddities) }, fc.jsonValue());

/** A body with something else at one place of it: another value, none, or one more. */
function changed(body: unknown, place: number, value: unknown, how: 'set' | 'drop' | 'add'): unknown {
  const copy: unknown = structuredClone(body);
  const spots: [holder: Record<string, unknown>, name: string][] = [];
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const name of Object.keys(node)) {
      spots.push([node as Record<string, unknown>, name]);
      walk((node as Record<string, unknown>)[name]);
    }
  };
  walk(copy);
  const spot = spots[place % Math.max(1, spots.length)];
  if (!spot) return value;
  const [holder, name] = spot;
  if (how === 'drop') delete holder[name];
  else if (how === 'set') holder[name] = value;
  else Object.defineProperty(holder, typeof value === 'string' && value.length < 50 ? value : '__proto__', { value, enumerable: true, configurable: true, writable: true });
  return copy;
}

const edit = fc.record({ place: fc.nat(500), value: anything, how: fc.constantFrom('set' as const, 'drop' as const, 'add' as const) });
const answer = fc.record({
  call: fc.nat(calls.length - 1),
  fixture: fc.nat(9),
  edits: fc.array(edit, { maxLength: 3 }),
  instead: fc.option(fc.oneof(fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))), fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))), { freq: 4 }),
  status: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(200, 202) }, fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 205 && status !== 304)),
  type: fc.constantFrom('application/json', 'text/html', 'application/octet-stream', ''),
  headers: fc.constantFrom({}, { 'retry-after': '1e9' }, { 'retry-after': '-3', date: 'x' }, { 'content-encoding': 'gzip' }, { etag: '' }, { location: 'http://127.0.0.1:1/' }),
  attempt: fc.constantFrom(1, 20),
});

/** Whether a value could go into a history: plain, and with nothing absurd in it that we reckon with. */
function isSane(value: unknown): boolean {
  const { job } = (value ?? {}) as { job?: Record<string, unknown> };
  const found = (job ?? value) as { id?: unknown; status?: unknown; pageCount?: unknown; limits?: { maxFiles?: unknown } | null; billing?: { creditsDebited?: unknown } | null; error?: { message: string } | null };
  if (typeof value === 'number' || Array.isArray(value) || typeof found?.id !== 'string') return true;
  const amounts = [found.pageCount, found.limits?.maxFiles, found.billing?.creditsDebited].filter((amount) => amount !== undefined && amount !== null) as number[];
  return found.id.length <= 1_000 && String(found.status).length <= 1_000 && (found.error?.message.length ?? 0) <= 2_000 && amounts.every((amount) => Number.isFinite(amount) && amount >= 0);
}

test('any answer to any call ends as a sane value or as a documented failure', async () => {
  await fc.assert(
    fc.asyncProperty(answer, async ({ call, fixture, edits, instead, status, type, headers, attempt }) => {
      const [fixtures, run] = calls[call]!;
      const { body } = golden(fixtures[fixture % fixtures.length]!);
      const spoilt = edits.reduce((whole, { place, value, how }) => changed(whole, place, value, how), body);
      const bytes = instead ?? Buffer.from(JSON.stringify(spoilt) ?? '');
      server.answer((response) => response.writeHead(status, { ...(type && { 'content-type': type }), ...headers }).end(bytes));
      const outcome = await run().then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      if ('value' in outcome) return expect(isSane(outcome.value)).toBe(true);
      expect(outcome.error).toBeInstanceOf(PlangrepError);
      const failure = (await new MockActivityEnvironment({ attempt }, { logger: quiet }).run(async () => toFailure(outcome.error))) as { type?: string; message: string };
      expect(Object.values(failureTypes)).toContain(failure.type);
      expect(failure.type).not.toBe(failureTypes.internal);
      expect(failure.message.length).toBeLessThanOrEqual(1_600);
      expect(failure.message).not.toMatch(/sig=|secret|pgk_test/);
    }),
    { numRuns: Number(process.env['ANSWER_RUNS'] ?? 400) },
  );
});
