import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import Busboy from '@fastify/busboy';
import fc from 'fast-check';
import { BodyLengthError } from '../../src/plangrep/errors';
import { encodeForm } from '../../src/plangrep/form';
import type { Form, FormFile } from '../../src/plangrep/form';
import { ScriptedServer, thrownBy } from './scripted-server';

interface Parsed {
  fields: Record<string, string>;
  files: { name: string; fileName: string; contentType: string; bytes: Buffer }[];
}

function parse(contentType: string, body: Buffer): Promise<Parsed> {
  return new Promise((resolve, reject) => {
    const parsed: Parsed = { fields: {}, files: [] };
    const reads: Promise<unknown>[] = [];
    const busboy = new Busboy({ headers: { 'content-type': contentType } });
    busboy.on('field', (name, value) => (parsed.fields[name] = value));
    busboy.on('file', (name, stream, fileName, _encoding, type) => {
      reads.push(buffer(stream).then((bytes) => parsed.files.push({ name, fileName, contentType: type, bytes })));
    });
    busboy.on('finish', () => void Promise.all(reads).then(() => resolve(parsed)));
    busboy.on('error', reject);
    busboy.end(body);
  });
}

const encoded = async (form: Form): Promise<Buffer> => buffer(form.body.open());
const file = (fileName: string, content: string | Buffer, over: Partial<FormFile> = {}): FormFile => ({
  fileName,
  contentType: 'application/pdf',
  sizeBytes: Buffer.byteLength(content),
  open: () => Readable.from([Buffer.from(content)]),
  ...over,
});

test('C4: every field of the metadata is sent, and busboy reads the form back', async () => {
  const sha256 = 'b'.repeat(64);
  const form = encodeForm([file('A-set.pdf', '%PDF-1', { classification: 'plans', sha256 }), file('B.bin', Buffer.from([0, 13, 10, 45, 45, 255]), { contentType: 'application/octet-stream' })], 'flow-9');
  const { fields, files } = await parse(form.contentType, await encoded(form));
  expect(JSON.parse(fields['metadata']!)).toEqual({
    clientUploadFlowId: 'flow-9',
    files: [
      { partName: 'file0', fileName: 'A-set.pdf', contentType: 'application/pdf', classification: 'plans', sha256 },
      { partName: 'file1', fileName: 'B.bin', contentType: 'application/octet-stream' },
    ],
  });
  expect(files).toEqual([
    { name: 'file0', fileName: 'A-set.pdf', contentType: 'application/pdf', bytes: Buffer.from('%PDF-1') },
    { name: 'file1', fileName: 'B.bin', contentType: 'application/octet-stream', bytes: Buffer.from([0, 13, 10, 45, 45, 255]) },
  ]);
});

test('whatever the files hold and are called, the announced length is the real one and nothing is mixed up', async () => {
  const anyFile = fc.record({ name: fc.string({ unit: 'grapheme', minLength: 1 }), bytes: fc.uint8Array({ maxLength: 2000 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(anyFile, { minLength: 1, maxLength: 6 }), async (list) => {
      const form = encodeForm(list.map(({ name, bytes }) => file(name, Buffer.from(bytes))), null);
      const body = await encoded(form);
      expect(body).toHaveLength(form.body.sizeBytes);
      const { fields, files } = await parse(form.contentType, body);
      expect(files.map(({ name, bytes }) => [name, bytes.toString('hex')])).toEqual(list.map(({ bytes }, index) => [`file${index}`, Buffer.from(bytes).toString('hex')]));
      expect((JSON.parse(fields['metadata']!) as { files: FormFile[] }).files.map(({ fileName }) => fileName)).toEqual(list.map(({ name }) => name));
    }),
    { numRuns: 50 },
  );
});

test('a name or a type cannot add lines or end its quotes', async () => {
  const form = encodeForm([file('a"; filename="b\r\nX-Evil: 1\r\n\r\n.pdf', 'x', { contentType: 'a/b\r\nX-Evil: 2' })], null);
  const body = await encoded(form);
  expect(body.toString()).toContain('filename="a%22; filename=%22b%0D%0AX-Evil: 1%0D%0A%0D%0A.pdf"\r\n');
  expect(body.toString()).toContain('Content-Type: a/bX-Evil: 2\r\n');
  expect(body).toHaveLength(form.body.sizeBytes);
});

describe('over HTTP', () => {
  const server = new ScriptedServer();
  beforeAll(() => server.start());
  afterAll(() => server.stop());

  test('the form arrives with its length', async () => {
    server.json(200, { job: { id: 'job_1', status: 'uploading' } });
    await server.client().uploadFiles('job_1', [file('a.pdf', 'abc')], { flowId: 'f' });
    const { headers, body, url } = server.seen.at(-1)!;
    expect([url, headers['content-length'], headers['transfer-encoding']]).toEqual(['/api/open/v1/jobs/job_1/files', String(body.length), undefined]);
    expect((await parse(headers['content-type']!, body)).files).toHaveLength(1);
  });

  test('files are opened one after another, and let go', async () => {
    const open: string[] = [];
    const tracked = (name: string) =>
      file(name, 'abc', {
        open: async () => {
          open.push(name);
          return Readable.from([Buffer.from('abc')]).on('close', () => open.push(`${name} closed`));
        },
      });
    server.json(200, { job: { id: 'job_1', status: 'uploading' } });
    await server.client().uploadFiles('job_1', [tracked('a'), tracked('b')]);
    expect(open).toEqual(['a', 'a closed', 'b', 'b closed']);
  });

  test('a file that has changed, or cannot be opened, fails with its own error', async () => {
    server.json(200, { job: { id: 'job_1', status: 'uploading' } });
    const client = server.client();
    expect(await thrownBy(client.uploadFiles('job_1', [file('a', 'abc', { sizeBytes: 4 })]))).toBeInstanceOf(BodyLengthError);
    expect(await thrownBy(client.uploadFiles('job_1', [file('a', 'abc', { sizeBytes: 2 })]))).toBeInstanceOf(BodyLengthError);
    const gone = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });
    expect(await thrownBy(client.uploadFiles('job_1', [file('a', 'abc', { open: () => Promise.reject(gone) })]))).toBe(gone);
  });

  test('no file, no request', async () => {
    const from = server.seen.length;
    expect(await thrownBy(server.client().uploadFiles('job_1', []))).toMatchObject({ kind: 'rejected', status: null, code: 'nothing_to_do' });
    expect(server.seen).toHaveLength(from);
  });
});
