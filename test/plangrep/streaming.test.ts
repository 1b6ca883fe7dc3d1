import { Readable } from 'node:stream';
import { ScriptedServer } from './scripted-server';

// Memory is judged by what is under way, never by what the process happens to hold.
const server = new ScriptedServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

const mebibyte = 1024 * 1024;
const totalBytes = 256 * mebibyte;
const mostUnderWay = 24 * mebibyte;
const chunk = Buffer.alloc(256 * 1024, 1);

/** Counts what one side has made and the other has taken. */
class Flow {
  made = 0;
  taken = 0;
  most = 0;
  *chunks(): Generator<Buffer> {
    while (this.made < totalBytes) {
      this.made += chunk.length;
      this.most = Math.max(this.most, this.made - this.taken);
      yield chunk;
    }
  }
}

/** Reads nothing until the other side has stopped making more, then everything. */
async function takeLate(source: Readable, flow: Flow): Promise<void> {
  for (let before = -1; before !== flow.made; await turns()) before = flow.made;
  for await (const bytes of source as AsyncIterable<Buffer>) flow.taken += bytes.length;
}

/** Enough turns of the event loop for everything that can move to have moved. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('256 MiB are sent without being held', async () => {
  const flow = new Flow();
  server.raw(async (request, response) => {
    await takeLate(request, flow);
    response.end();
  });
  await server.client().putSigned(`${server.url}/put?sig=x`, { headers: {}, body: Readable.from(flow.chunks(), { objectMode: false }), sizeBytes: totalBytes });
  expect(flow.taken).toBe(totalBytes);
  expect(flow.most).toBeLessThan(mostUnderWay);
});

test('256 MiB are sent in a form without being held', async () => {
  const flow = new Flow();
  const file = { fileName: 'a.pdf', contentType: 'application/pdf', sizeBytes: totalBytes, open: () => Readable.from(flow.chunks(), { objectMode: false }) };
  server.raw(async (request, response) => {
    await takeLate(request, flow);
    response.end('{"job":{"id":"job_1","status":"uploading"}}');
  });
  await server.client().uploadFiles('job_1', [file]);
  expect(flow.taken).toBeGreaterThan(totalBytes);
  expect(flow.most).toBeLessThan(mostUnderWay);
});

test('256 MiB are received without being held', async () => {
  const flow = new Flow();
  server.raw((_request, response) => Readable.from(flow.chunks(), { objectMode: false }).pipe(response.writeHead(200)));
  const { body } = await server.client().getResult('job_1');
  await takeLate(body, flow);
  expect(flow.taken).toBe(totalBytes);
  expect(flow.most).toBeLessThan(mostUnderWay);
});
