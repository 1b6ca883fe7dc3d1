import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { ServerResponse } from 'node:http';
import fc from 'fast-check';
import { readJobList } from '../../src/plangrep/job-list';
import { ScriptedServer, thrownBy } from './scripted-server';

const server = new ScriptedServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

const read = async (): Promise<string[]> => {
  const ids: string[] = [];
  for await (const job of server.client().listJobs('proj_1')) ids.push(job.id);
  return ids;
};

test('a list of any length is read as it arrives', async () => {
  const count = 5000;
  let firstSeen = () => {};
  const first = new Promise<void>((resolve) => (firstSeen = resolve));
  const job = (index: number) => JSON.stringify({ id: `job_${index}`, status: 'completed', files: [{ id: 'f', fileName: 'a.pdf' }], jobs: [1], nextCursor: 'not this' });
  server.raw((_request, response) => {
    Readable.from((async function* () {
      yield `{"jobs":[${job(0)}`;
      // The rest is only sent when the first job has come out at the other end.
      await first;
      for (let index = 1; index < count; index += 1) yield `,${job(index)}`;
      yield '],"nextCursor":null}';
    })()).pipe(response);
  });
  let seen = 0;
  for await (const { id } of server.client().listJobs('proj_1')) {
    firstSeen();
    expect(id).toBe(`job_${seen}`);
    seen += 1;
  }
  expect(seen).toBe(count);
});

test('leaving the loop ends the request', async () => {
  const closed = new Promise((resolve) => {
    server.raw((_request, response: ServerResponse) => {
      response.on('close', resolve);
      response.writeHead(200).write('{"jobs":[{"id":"job_1","status":"a"},');
    });
  });
  for await (const { id } of server.client().listJobs('proj_1')) {
    expect(id).toBe('job_1');
    break;
  }
  await closed;
});

test.each([
  ['{"jobs":[]}', []],
  ['{"other":{"jobs":[1]},"jobs":[{"id":"a","status":"b"}],"total":1}', ['a']],
  ['{"nextCursor":"","jobs":[{"id":"a","status":"b"}]}', ['a']],
])('%s', async (body, ids) => {
  server.json(200, body);
  expect(await read()).toEqual(ids);
});

test.each(['{}', '[]', 'null', '{"jobs":{}}', '{"jobs":[{"id":"a","status":"b"}', '{"jobs":[}', '<html>', ''])('%j is no list of jobs', async (body) => {
  server.json(200, body);
  expect(await thrownBy(read())).toMatchObject({ kind: 'contract' });
});

test.each(['{"jobs":[{"id":"a"}]}', '{"jobs":[7]}', '{"jobs":[null]}', '{"jobs":[[]]}'])('an entry of %s is no job', async (body) => {
  server.json(200, body);
  expect(await thrownBy(read())).toMatchObject({ kind: 'contract' });
});

test('a list that breaks off is a broken connection, not a broken contract', async () => {
  server.raw((_request, response) => response.writeHead(200, { 'content-length': '1000' }).write('{"jobs":[{"id":"a","status":"b"},', () => response.socket!.resetAndDestroy()));
  expect(await thrownBy(read())).toMatchObject({ kind: 'transport' });
});

test('a signal ends it with its reason', async () => {
  const controller = new AbortController();
  const reason = new Error('cancelled');
  server.raw((_request, response) => response.writeHead(200).write('{"jobs":[{"id":"a","status":"b"},'));
  const reading = async () => {
    for await (const { id } of server.client().listJobs('proj_1', { signal: controller.signal })) if (id === 'a') controller.abort(reason);
  };
  expect(await thrownBy(reading())).toBe(reason);
});

test('cursors that go round in a circle end in an error', async () => {
  server.answer((response, { url }) => response.end(JSON.stringify({ jobs: [], nextCursor: url.endsWith('a') ? 'b' : 'a' })));
  expect(await thrownBy(read())).toMatchObject({ kind: 'contract' });
});

test.each([
  ['one job', '{"jobs":[{"id":"job_1","status":"completed","pad":"'],
  ['one key', '{"jobs":[{"id":"job_1","'],
  ['one number', '{"jobs":[{"id":1'],
  ['something beside the jobs', '{"total":"'],
  ['a nest', '{"jobs":[['],
  ['a nest beside the jobs', '{"x":[['],
])('a list in which %s never ends is not held', async (what, beginning) => {
  const isNest = what.includes('nest');
  const piece = (what.includes('number') ? '1' : isNest ? '[' : 'x').repeat(256 * 1024);
  let made = 0;
  server.raw((_request, response) => {
    Readable.from((function* () {
      yield beginning;
      for (; made < 1_000; made += 1) yield piece;
    })()).pipe(response);
  });
  expect(await thrownBy(read())).toMatchObject({ kind: 'contract', issues: [isNest ? 'jobs: nested deeper than 256 levels' : 'jobs: one is larger than 16 MiB'] });
  // 16 MiB are 64 pieces; a few more may be under way.
  expect(made).toBeLessThan(200);
});

test('a refused list throws before the first job', async () => {
  server.json(404, { error: { code: 'not_found', message: '' } });
  expect(await thrownBy(read())).toMatchObject({ kind: 'rejected', status: 404 });
});

const withoutPrototype = (key: string, value: unknown) => (key === '__proto__' ? undefined : value);

test.each(['{"jobs":[{"__proto__":{"id":"a","status":"b"}}]}', '{"jobs":[{"id":"a","__proto__":{"status":"b"}}]}'])('a field of %s is no prototype', async (body) => {
  server.json(200, body);
  expect(await thrownBy(read())).toMatchObject({ kind: 'contract' });
});

test('whatever else is in the list, its jobs and its cursor come out as they are, however it is cut', async () => {
  const list = fc.record({ before: fc.jsonValue(), jobs: fc.array(fc.jsonValue()), nextCursor: fc.option(fc.string({ minLength: 1 })), after: fc.jsonValue() });
  await fc.assert(
    fc.asyncProperty(list, fc.integer({ min: 1, max: 9 }), async (value, size) => {
      const bytes = Buffer.from(JSON.stringify(value));
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
      const items = readJobList(Readable.from(pieces));
      const jobs: unknown[] = [];
      let cursor: string | null = null;
      items.on('data', (item: { job: unknown } | { nextCursor: string }) => ('job' in item ? jobs.push(item.job) : (cursor = item.nextCursor)));
      await once(items, 'end');
      expect(JSON.stringify(jobs)).toBe(JSON.stringify(value.jobs, withoutPrototype));
      expect(cursor).toBe(value.nextCursor);
    }),
    { numRuns: 50 },
  );
});
