import { inflateSync } from 'node:zlib';
import { closePageCounter } from '../../src/pdf/page-count';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { makePdf } from '../support/documents';
import { Caller, send, sha256Of, type JobView } from './caller';

interface Link {
  type: string;
  url: string;
}
interface Result {
  schemaVersion: string;
  job: { id: string; status: string; externalId: string | null; resultUrl: string };
  usage: Record<string, number>;
  documents: { documentId: string; pageCount: number; successfulPageCount: number; failedPageCount: number; error: object | null; artifacts: Link[]; sheets: { pageNumber: number; sheetNumber: string; artifacts: Link[] }[]; specifications: object[] | null; docs: object[] | null }[];
  evidence: { id: string; documentId: string; pageNumber: number; text: string }[];
  warnings: object[];
  errors: { code: string; pageNumber: number | null }[];
}
let simulator: Simulator;
let caller: Caller;
let job: JobView;

beforeAll(async () => {
  simulator = await startSimulator({ scriptedClock: true, jobMs: 0, pageMs: 0 });
  caller = new Caller(simulator);
  await caller.fault({ kind: 'document', fileName: 'plans.pdf', failPages: [2] });
  const files = ['plans', 'specifications', 'documents', 'mixed'].map((classification, index) => ({ fileName: `${classification}.pdf`, content: makePdf({ pages: 3 + index, marker: classification }), classification }));
  job = await caller.submit([...files, { fileName: 'ünreadable "x".pdf', content: Buffer.alloc(2_000, 'x') }], { externalId: 'batch/1' });
  await caller.advance(1_000);
});
afterAll(async () => {
  await simulator.close();
  await closePageCounter();
});

const fetchResult = async (id = job.id) => {
  const answer = await caller.call('GET', `/jobs/${id}/result`);
  return { answer, result: JSON.parse(answer.bytes.toString()) as Result };
};
const links = ({ documents }: Result): Link[] => documents.flatMap(({ artifacts, sheets }) => [...artifacts, ...sheets.flatMap((sheet) => sheet.artifacts)]);

test('a result has one document a file, in order, and sums that agree', async () => {
  const { result } = await fetchResult();
  expect(result).toMatchObject({ schemaVersion: 'v1', job: { id: job.id, status: 'completed_with_errors', externalId: 'batch/1' } });
  expect(result.documents.map(({ pageCount, successfulPageCount, failedPageCount }) => [pageCount, successfulPageCount, failedPageCount])).toEqual([[3, 2, 1], [4, 4, 0], [5, 5, 0], [6, 6, 0], [0, 0, 0]]);
  expect(result.usage).toEqual({
    pageCount: 18, successfulPageCount: 17, drawingPageCount: 6, documentPageCount: 12, successfulDrawingPageCount: 5, successfulDocumentPageCount: 12,
    drawingCreditsPerPage: 10, documentCreditsPerPage: 1, creditsDebited: 62,
  });
  expect((await caller.job(job.id)).billing.creditsDebited).toBe(62);
  expect(result.documents.map(({ sheets }) => sheets.map(({ pageNumber }) => pageNumber))).toEqual([[1, 3], [], [], [1, 2, 3], []]);
  expect(result.documents.map(({ specifications, docs }) => [specifications !== null, docs !== null])).toEqual([[false, false], [true, false], [false, true], [true, true], [false, true]]);
  expect(new Set(result.evidence.map(({ documentId, pageNumber }) => `${documentId} ${pageNumber}`)).size).toBe(17);
  expect(new Set(result.evidence.map(({ id }) => id)).size).toBe(result.evidence.length);
});

test('errors name failed pages and documents; an unreadable document has no artifacts', async () => {
  const { result } = await fetchResult();
  expect(result.errors.map(({ code, pageNumber }) => [code, pageNumber])).toEqual([['page_failed', 2], ['unsupported_format', null]]);
  expect(result.warnings).toHaveLength(1);
  expect(result.documents[4]).toMatchObject({ artifacts: [], error: { code: 'unsupported_format' } });
});

test('a result is the same bytes every time, with their length, also by the signed URL and after the faults are gone', async () => {
  const first = (await fetchResult()).answer;
  await caller.control('DELETE', '/faults');
  const second = (await fetchResult()).answer;
  expect(second.bytes.equals(first.bytes)).toBe(true);
  expect(Number(first.headers['content-length'])).toBe(first.bytes.length);
  const { resultUrl } = await caller.job(job.id);
  const signed = await send('GET', resultUrl!, null, {});
  expect([signed.status, signed.bytes.equals(first.bytes)]).toEqual([200, true]);
  expect((await send('GET', `${resultUrl!}x`, null, {})).status).toBe(403);
});

test('a signed result URL lives an hour; a new one comes with the job', async () => {
  const { resultUrl } = await caller.job(job.id);
  await caller.advance(3_600_000);
  expect((await send('GET', resultUrl!, null, {})).status).toBe(403);
  expect((await send('GET', (await caller.job(job.id)).resultUrl!, null, {})).status).toBe(200);
});

test('every readable document has at least two artifacts; all of them can be fetched, twice the same, with length and name', async () => {
  const { result } = await fetchResult();
  for (const document of result.documents.slice(0, 4)) expect(document.artifacts.length).toBeGreaterThanOrEqual(2);
  expect(links(result).some(({ type }) => type === 'sheet_image')).toBe(true);
  for (const { url } of links(result)) {
    expect(url.startsWith(`${simulator.apiUrl}/api/open/v1/jobs/${job.id}/artifact?path=`)).toBe(true);
    const path = url.slice(`${simulator.apiUrl}/api/open/v1`.length);
    const [first, second, head] = [await caller.call('GET', path), await caller.call('GET', path), await caller.call('HEAD', path)];
    expect(first.status).toBe(200);
    expect(sha256Of(second.bytes)).toBe(sha256Of(first.bytes));
    expect(head.headers['content-length']).toBe(String(first.bytes.length));
    expect(first.headers).toMatchObject({ 'content-type': 'application/octet-stream', 'content-disposition': expect.stringMatching(/^attachment; filename="[\w.]+"$/) as string });
  }
});

test('thumbnails are real PNGs and texts are JSON with an entry a page', async () => {
  const { result } = await fetchResult();
  const [thumbnail, text] = await Promise.all(result.documents[3]!.artifacts.map(({ url }) => caller.call('GET', url.slice(`${simulator.apiUrl}/api/open/v1`.length))));
  expect(thumbnail!.bytes.subarray(1, 4).toString()).toBe('PNG');
  const length = thumbnail!.bytes.readUInt32BE(33);
  expect(inflateSync(thumbnail!.bytes.subarray(41, 41 + length)).length).toBe(48 * 49);
  expect((JSON.parse(text!.bytes.toString()) as { pages: object[] }).pages).toHaveLength(6);
});

test.each(['', 'jobs', '../x', 'jobs/%2e%2e'])('the path %j is no artifact', async (path) => {
  expect((await caller.call('GET', `/jobs/${job.id}/artifact?path=${encodeURIComponent(path)}`)).status).toBe(404);
});

test('artifacts belong to their job and project, and the path must be given once', async () => {
  const { result } = await fetchResult();
  const path = new URL(links(result)[0]!.url).searchParams.get('path')!;
  const query = `?path=${encodeURIComponent(path)}`;
  const other = await caller.createJob();
  expect((await caller.call('GET', `/jobs/${other.id}/artifact${query}`)).status).toBe(404);
  expect((await caller.call('GET', `/projects/proj_quickstart/artifact${query}`)).status).toBe(200);
  expect((await caller.call('GET', `/jobs/${job.id}/artifact`)).status).toBe(400);
  expect((await caller.call('GET', `/jobs/${job.id}/artifact${query}&path=x`)).status).toBe(400);
});

test('the size follows the pages', async () => {
  const sizes: number[] = [];
  for (const pages of [1, 10, 100]) {
    const { id } = await caller.submit([{ fileName: 'a.pdf', content: makePdf({ pages, marker: `size ${pages}` }), classification: 'plans' }]);
    await caller.advance(1_000);
    sizes.push((await fetchResult(id)).answer.bytes.length);
  }
  expect(sizes[1]! / sizes[0]!).toBeGreaterThan(4);
  expect(sizes[2]! / sizes[1]!).toBeGreaterThan(7);
});

test.each([1, 100_000, 200_001, 265_535, 5_000_003])('a result is filled up to %i bytes on request, and stays valid', async (resultBytes) => {
  await caller.fault({ kind: 'job', resultBytes, times: 1 });
  const { id } = await caller.submit([{ fileName: 'a.pdf', content: makePdf({ marker: 'fill' }) }]);
  await caller.advance(1_000);
  const { answer, result } = await fetchResult(id);
  if (resultBytes > 1) expect(answer.bytes.length).toBe(resultBytes);
  expect(Number(answer.headers['content-length'])).toBe(answer.bytes.length);
  expect(result.evidence.length).toBeGreaterThan(0);
});

test('a fault asks for images of more sheets; the text of many pages is sent in pieces', async () => {
  await caller.fault({ kind: 'job', sheetArtifacts: 7, times: 1 });
  const { id } = await caller.submit([{ fileName: 'a.pdf', content: makePdf({ pages: 400, marker: 'many' }), classification: 'plans' }]);
  await caller.advance(10_000);
  const { result } = await fetchResult(id);
  expect(links(result).filter(({ type }) => type === 'sheet_image')).toHaveLength(7);
  const text = await send('GET', links(result).find(({ type }) => type === 'text')!.url, null, { authorization: `Bearer ${simulator.apiKey}` });
  expect(Number(text.headers['content-length'])).toBe(text.bytes.length);
  expect(text.bytes.length).toBeGreaterThan(300_000);
  expect((JSON.parse(text.bytes.toString()) as { pages: object[] }).pages).toHaveLength(400);
});
