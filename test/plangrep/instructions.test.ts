import fc from 'fast-check';
import { ContractError } from '../../src/plangrep/errors';
import { completionBody, readInstructions } from '../../src/plangrep/instructions';

const file = (fileName: string, fileSize = 10) => ({ fileName, contentType: 'application/pdf', fileSize, sha256: 'a'.repeat(64) });
const direct = (documentId: string, over: object = {}) => ({ documentId, uploadMode: 'direct_put', uploadToken: 'ut', uploadUrl: 'https://s/1?sig=x', ...over });
const parts = (list: unknown[], over: object = {}) => ({ documentId: 'd', uploadMode: 'multipart', uploadToken: 'ut', multipartUploadId: 'mpu', parts: list, ...over });
const part = (partNumber: number, startByte: number, endByte: number) => ({ partNumber, uploadUrl: `https://s/${partNumber}`, startByte, endByte });
const issues = (uploads: object[], files = uploads.map((_, index) => file(`${index}.pdf`))): string[] => {
  try {
    readInstructions(uploads as Record<string, unknown>[], files, 'label');
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ContractError);
    expect((error as Error).message).not.toMatch(/sig=|ut\b/);
    return (error as ContractError).issues;
  }
};

test('instructions that repeat the names are put in the order of the files', () => {
  const files = [file('a.pdf'), file('b.pdf')];
  const read = (uploads: object[]) => readInstructions(uploads as Record<string, unknown>[], files, 'label').map(({ documentId }) => documentId);
  expect(read([direct('1', { fileName: 'b.pdf' }), direct('2', { fileName: 'a.pdf' })])).toEqual(['2', '1']);
  expect(read([direct('1', { fileName: 'b.pdf' }), direct('2')])).toEqual(['1', '2']);
  expect(read([direct('1', { fileName: 'a.pdf' }), direct('2', { fileName: 'a.pdf' })])).toEqual(['1', '2']);
  expect(read([direct('1'), direct('2')])).toEqual(['1', '2']);
});

test.each<[string, object[], string[]]>([
  ['no document id', [{ uploadMode: 'direct_put', uploadToken: 'ut', uploadUrl: 'https://s/1' }], ['uploads.0.documentId: missing']],
  ['no token', [direct('d'), direct('d', { uploadToken: null })], ['uploads.1.uploadToken: missing']],
  ['a URL of another kind', [direct('d', { uploadUrl: 'file:///etc/passwd' })], ['uploads.0.uploadUrl: not an http URL']],
  ['a header with a line end', [direct('d', { headers: { a: 'b\r\nc: d' } })], ['uploads.0.headers.0: not a header']],
  ['a header with an odd name', [direct('d', { headers: { 'a b': 'c' } })], ['uploads.0.headers.0: not a header']],
  ['a header that is no text', [direct('d', { requiredHeaders: { a: {} } })], ['uploads.0.headers.0: not a header']],
  ['multipart without parts', [parts([])], ['uploads.0.parts: missing']],
  ['multipart without an id', [parts([part(1, 0, 9)], { multipartUploadId: null })], ['uploads.0.multipartUploadId: missing']],
  ['a part without a URL', [parts([{ partNumber: 1, startByte: 0, endByte: 9 }])], ['uploads.0.parts.0.uploadUrl: missing']],
  ['a part without a range', [parts([{ partNumber: 1, uploadUrl: 'https://s/1' }])], ['uploads.0.parts.0.startByte: missing', 'uploads.0.parts.0.endByte: missing', 'uploads.0.parts: do not cover the file']],
  ['a part that is no object', [parts(['x'])], ['uploads.0.parts.0.uploadUrl: missing', 'uploads.0.parts.0.startByte: missing', 'uploads.0.parts.0.endByte: missing', 'uploads.0.parts: do not cover the file']],
  ['a gap', [parts([part(1, 0, 3), part(2, 5, 9)])], ['uploads.0.parts: do not cover the file']],
  ['an overlap', [parts([part(1, 0, 5), part(2, 5, 9)])], ['uploads.0.parts: do not cover the file']],
  ['too short', [parts([part(1, 0, 8)])], ['uploads.0.parts: do not cover the file']],
  ['too long', [parts([part(1, 0, 11)])], ['uploads.0.parts: do not cover the file']],
  ['one number twice', [parts([part(1, 0, 4), part(1, 5, 9)])], ['uploads.0.parts: repeated part numbers']],
])('%s breaks the contract', (_what, uploads, expected) => {
  expect(issues(uploads)).toEqual(expected);
});

test('there must be one instruction for each file', () => {
  expect(issues([], [file('a.pdf')])).toEqual(['uploads: 0 instructions for 1 files']);
  expect(issues([direct('1'), direct('2')], [file('a.pdf')])).toEqual(['uploads: 2 instructions for 1 files']);
});

test('headers of the connection are left to the connection; numbers become text', () => {
  const headers = { Host: 's', 'Content-Length': '10', connection: 'close', Expect: '100-continue', 'x-amz-meta-n': 7, 'Content-Type': 'application/pdf' };
  expect(readInstructions([direct('d', { headers })], [file('a.pdf')], 'label')).toMatchObject([{ headers: { 'x-amz-meta-n': '7', 'Content-Type': 'application/pdf' } }]);
});

test('an unknown mode is told by what it brings', () => {
  expect(readInstructions([direct('d', { uploadMode: 'put_v2' })], [file('a.pdf')], 'label')).toMatchObject([{ mode: 'direct_put' }]);
  expect(readInstructions([parts([part(1, 0, 9)], { uploadMode: 'parts_v2' })], [file('a.pdf')], 'label')).toMatchObject([{ mode: 'multipart' }]);
});

test('any file cut anywhere is covered, with ends inclusive or exclusive, in any order', () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 20 });
  fc.assert(
    fc.property(cuts, fc.boolean(), fc.integer({ min: 0, max: 1 }), fc.infiniteStream(fc.nat()), (inner, exclusive, base, noise) => {
      const starts = [0, ...inner.toSorted((a, b) => a - b)];
      const whole = starts.map((start, index) => part(index + base, start, (starts[index + 1] ?? 1000) - (exclusive ? 0 : 1)));
      const keyed = whole.map((one) => ({ one, at: noise.next().value }));
      const shuffled = keyed.sort((a, b) => a.at - b.at).map(({ one }) => one);
      const [read] = readInstructions([parts(shuffled)], [file('a.pdf', 1000)], 'label');
      if (read?.mode !== 'multipart') throw new Error('multipart was expected');
      expect(read.parts.map(({ startByte }) => startByte)).toEqual(starts);
      expect(read.parts.map(({ endByte }) => endByte)).toEqual([...starts.slice(1), 1000].map((end) => end - 1));
      expect(read.parts.map(({ partNumber }) => partNumber)).toEqual(starts.map((_, index) => index + base));
    }),
  );
});

test('the completion call leaves out lists that are empty or absent', () => {
  const directUploads = [{ documentId: 'd', uploadToken: 'ut' }];
  expect(completionBody({ directUploads, multipartUploads: [], failedUploads: [] })).toEqual({ directUploads });
  expect(completionBody({})).toEqual({});
});
