import fc from 'fast-check';
import { extractLineSchema } from '../../../src/activities/archive/extract';
import type { ExtractLine, ExtractedEnd } from '../../../src/activities/archive/extract';
import { ResultScan } from '../../../src/activities/archive/result-scan';

async function scan(result: unknown, pieceBytes = 50): Promise<{ lines: ExtractLine[]; end: ExtractedEnd }> {
  const lines: ExtractLine[] = [];
  const scanner = new ResultScan((line) => lines.push(extractLineSchema.parse(JSON.parse(JSON.stringify(line)))));
  const bytes = Buffer.from(JSON.stringify(result));
  for (let at = 0; at < bytes.length; at += pieceBytes) await scanner.write(bytes.subarray(at, at + pieceBytes));
  const end = await scanner.end();
  expect(lines.pop()).toEqual(end);
  return { lines, end };
}

const url = (path: string) => `https://plangrep.com/api/open/v1/jobs/job_1/artifact?path=${encodeURIComponent(path)}`;
const base = { schemaVersion: 'v1', job: { id: 'job_1', status: 'completed' }, usage: {}, documents: [] as unknown[], evidence: [], warnings: [], errors: [] as unknown[] };
const artifactsOf = (lines: ExtractLine[]) => lines.flatMap((line) => (line.kind === 'artifact' ? [[line.document, line.type, line.path]] : []));

describe('ResultScan', () => {
  test('takes from a document what counts, and its artifacts from any depth', async () => {
    const { lines, end } = await scan({
      ...base,
      documents: [
        {
          artifacts: [{ type: 'thumbnail', url: url('r/a b+é.png') }],
          sheets: [
            { sheetNumber: 'S-101', pageNumber: 1, artifacts: [{ type: 'image', url: url('r/s1.png') }, { type: 'text', url: url('r/s1.txt') }] },
            { sheetNumber: 'S-102', pageNumber: 2, artifacts: [], regions: [{ deep: { artifacts: [{ type: 'crop', path: 'r/c%20.png', url: 'x' }] } }] },
          ],
          specifications: null,
          docs: [{ docType: 'memo', artifacts: [{ type: 'text', url: '/api/open/v1/jobs/job_1/artifact?path=r%2Fd.txt&x=1' }] }],
          documentId: 'doc_1',
          fileName: 'A.pdf',
          classification: 'plans',
          status: 'completed_with_errors',
          pageCount: 3,
          successfulPageCount: 2,
          failedPageCount: 1,
          error: null,
        },
        { documentId: 'doc_2', error: { code: 'page_failed', message: 'No page.', detail: { code: 'other' } } },
        { documentId: 'doc_3', error: 'broken', pageCount: 1.5, successfulPageCount: -1, failedPageCount: '2' },
      ],
    });
    expect(artifactsOf(lines)).toEqual([
      [0, 'thumbnail', 'r/a b+é.png'],
      [0, 'image', 'r/s1.png'],
      [0, 'text', 'r/s1.txt'],
      [0, 'crop', 'r/c%20.png'],
      [0, 'text', 'r/d.txt'],
    ]);
    const rest = { fileName: null, classification: null, status: null, pageCount: null, successfulPageCount: null, failedPageCount: null, sheets: 0 };
    expect(lines.filter((line) => line.kind === 'document')).toEqual([
      {
        ...{ kind: 'document', index: 0, documentId: 'doc_1', fileName: 'A.pdf', classification: 'plans', status: 'completed_with_errors' },
        ...{ pageCount: 3, successfulPageCount: 2, failedPageCount: 1, error: null, sheets: 2 },
      },
      { ...rest, kind: 'document', index: 1, documentId: 'doc_2', error: { code: 'page_failed', message: 'No page.' } },
      { ...rest, kind: 'document', index: 2, documentId: 'doc_3', error: { code: 'broken', message: 'broken' } },
    ]);
    expect(lines.at(-1)).toMatchObject({ kind: 'document', index: 2 });
    expect(end).toMatchObject({ jobId: 'job_1', problems: [] });
  });

  test('takes artifacts outside of documents, in artifacts, as bare texts, and those without a usable path', async () => {
    const { evidence, errors, ...rest } = base;
    const { lines } = await scan({
      ...rest,
      artifacts: [url('r/top.zip'), { type: 'x', url: 'https://elsewhere.example/no-path' }, { artifacts: [{ path: 'r/inner' }], path: 'r/outer' }],
      evidence: [...evidence, { id: 'ev_1', text: 'artifacts', artifacts: [{ type: 'crop', url: url('r/ev.png') }, null, 7] }],
      errors: [...errors, { artifacts: [{ path: `r/${'x'.repeat(10_000)}` }] }],
    });
    expect(artifactsOf(lines)).toEqual([
      [null, 'artifact', 'r/top.zip'],
      [null, 'x', null],
      [null, 'artifact', 'r/inner'],
      [null, 'artifact', 'r/outer'],
      [null, 'crop', 'r/ev.png'],
      [null, 'artifact', null],
      [null, 'artifact', null],
      [null, 'artifact', null],
    ]);
  });

  test('reads usage and errors wherever they stand, the first error a document', async () => {
    const { documents, ...rest } = base;
    const { end } = await scan({
      documents,
      ...rest,
      errors: [{ code: 'a', message: 'first', documentId: 'doc_1', pageNumber: 2 }, { code: 'b', documentId: 'doc_1' }, { message: 'no code', documentId: 'doc_2' }, { code: 'whole job' }, 'text'],
      usage: { pageCount: 9, successfulDrawingPageCount: 4, drawingCreditsPerPage: 10, creditsDebited: 40.5, documentPageCount: 'x', drawingPageCount: null, unknown: {} },
    });
    expect(end.issues).toEqual([{ documentId: 'doc_1', code: 'a', message: 'first' }, { documentId: 'doc_2', code: 'unknown', message: 'no code' }]);
    expect(end.usage).toEqual({
      ...{ drawingPageCount: null, documentPageCount: null, successfulDrawingPageCount: 4, successfulDocumentPageCount: null },
      ...{ drawingCreditsPerPage: 10, documentCreditsPerPage: null, creditsDebited: 40.5 },
    });
  });

  test.each<[string, unknown, string[]]>([
    ['another version', { ...base, schemaVersion: 'v2' }, ['schemaVersion: is not v1']],
    ['a list', [base], ['(result): is no object', 'schemaVersion: is missing']],
    ['a number', 7, ['(result): is no object']],
    ['documents that are no list', { ...base, documents: { a: { documentId: 'x', artifacts: [] } } }, ['documents: is no array']],
    ['an entry that is no object', { ...base, documents: ['x', []] }, ['documents.0: is no object', 'documents: has an entry that is no object']],
    ['no errors list', { ...base, errors: undefined }, ['errors: is missing']],
  ])('names what is wrong with %s', async (_, result, problems) => {
    expect((await scan(result)).end.problems).toEqual(expect.arrayContaining(problems));
  });

  test('names a key that is there twice', async () => {
    const scanner = new ResultScan(() => undefined);
    await scanner.write(Buffer.from(JSON.stringify(base).replace('"evidence"', '"documents":[],"evidence"')));
    expect((await scanner.end()).problems).toEqual(['documents: is there twice']);
  });

  test('unknown keys, also those of Object.prototype, do no harm', async () => {
    const odd = JSON.parse('{"__proto__": 1, "toString": 2, "constructor": {"prototype": 3}}') as object;
    const { end, lines } = await scan({ ...base, ...odd, usage: odd, job: odd, documents: [{ ...odd, documentId: 'doc_1', error: odd, artifacts: [odd] }], errors: [odd] });
    expect(end.problems).toEqual([]);
    expect(lines.at(-1)).toMatchObject({ documentId: 'doc_1', error: { code: 'unknown', message: '' } });
  });
});

test('whatever a result holds, its lines are what the archive reads, and nothing but their shape is wrong', async () => {
  const value = fc.oneof(fc.constantFrom<unknown>(-1, 1.5, 1e300, '', 'x'.repeat(9_000), null, true, [], {}, '\ud800'), fc.jsonValue());
  const artifacts = fc.oneof(value, fc.array(fc.oneof(value, fc.record({ type: value, url: value, path: value })), { maxLength: 3 }));
  const document = fc.record({
    documentId: value, fileName: value, status: value, pageCount: value, successfulPageCount: value, failedPageCount: value, error: value, artifacts,
    sheets: fc.oneof(value, fc.array(fc.record({ artifacts }), { maxLength: 2 })),
  });
  const documents = fc.oneof(value, fc.array(fc.oneof(value, document), { maxLength: 4 }));
  const usage = fc.oneof(value, fc.record({ creditsDebited: value, drawingCreditsPerPage: value, successfulDrawingPageCount: value }));
  const result = fc.record({ schemaVersion: value, job: fc.oneof(value, fc.record({ id: value })), usage, documents, evidence: value, warnings: value, errors: fc.oneof(value, fc.array(fc.record({ code: value, message: value, documentId: value }))) });
  await fc.assert(
    fc.asyncProperty(fc.oneof({ weight: 5, arbitrary: result }, fc.jsonValue()), fc.integer({ min: 20, max: 5_000 }), async (any, pieceBytes) => {
      // Each line is checked against its schema as it comes.
      const { lines } = await scan(any, pieceBytes);
      for (const line of lines) if (line.kind === 'document') for (const count of [line.pageCount, line.successfulPageCount, line.failedPageCount]) expect(count === null || (Number.isSafeInteger(count) && count >= 0)).toBe(true);
    }),
    { numRuns: Number(process.env['ANSWER_RUNS'] ?? 200) },
  );
});
