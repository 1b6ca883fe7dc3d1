import fc from 'fast-check';
import { documentOutcomeSchema } from '../../src/contract/archive';
import type { DocumentOutcome, PlanLine, ResultRecord, UploadRecord } from '../../src/contract/archive';
import { reasonCodes } from '../../src/contract/batch';
import type { Outcome, Reason } from '../../src/contract/batch';
import { documentOutcome, pagesOf } from '../../src/domain/outcome';
import type { DocumentAccount } from '../../src/domain/outcome';

const line: PlanLine = {
  ...{ seq: 7, source: 'a/A.pdf', fileName: 'A.pdf', contentType: 'application/pdf', sizeBytes: 10, sha256: null, pages: 5, classification: null },
  ...{ mtimeMs: null, inode: null, job: 1, reason: null, duplicateOf: null },
};
const sent: UploadRecord = { seq: 7, documentId: 'doc_1', sha256: 'f'.repeat(64), sizeBytes: 10, sent: true, reason: null };
const record: ResultRecord = {
  ...{ index: 3, documentId: 'doc_1', fileName: 'A.pdf', status: 'completed', pageCount: 4, successfulPageCount: 4, failedPageCount: 0, error: null, issue: null },
  ...{ credits: 40, artifacts: [{ type: 'image', path: 'jobs/00001/artifacts/a.png', sizeBytes: 1, sha256: 'x' }], missing: null },
};
const account = (changes: Partial<DocumentAccount>): DocumentAccount => ({
  ...{ line, upload: sent, records: [record], jobId: 'job_1', ending: { kind: 'archived' }, debited: null, alone: false, resultPath: 'jobs/00001/result.json', paidBefore: false },
  ...changes,
});
const said = (changes: Partial<ResultRecord>): DocumentOutcome => documentOutcome(account({ records: [{ ...record, ...changes }] }));
const counts = (pageCount: number | null, successfulPageCount: number | null, failedPageCount: number | null) => ({ pageCount, successfulPageCount, failedPageCount });
const error = { code: 'page_failed', message: 'Unreadable.' };

describe('a document that was sent and is in the result', () => {
  test('is told whole', () => {
    expect(documentOutcome(account({}))).toEqual({
      ...{ seq: 7, outcome: 'processed', reason: null, jobId: 'job_1', documentId: 'doc_1', sha256: 'f'.repeat(64), pages: 4, pagesFailed: null, pagesPaid: 4, credits: 40 },
      ...{ result: { path: 'jobs/00001/result.json', index: 3 }, artifacts: record.artifacts },
    });
  });

  test.each<[string, Partial<ResultRecord>, Outcome, number | null, Partial<Reason> | null]>([
    ['all pages', counts(4, 4, 0), 'processed', null, null],
    ['all pages, and an error that cost none', { ...counts(4, 4, 0), error }, 'processed', null, null],
    ['all pages, failed ones not said', counts(4, 4, null), 'processed', null, null],
    ['all pages, good ones not said', counts(4, null, 0), 'processed', null, null],
    ['good pages, nothing else said', counts(null, 4, null), 'processed', null, null],
    ['some pages', { ...counts(4, 3, 1), error }, 'partial', 1, { code: 'partial', message: '1 of 4 pages did not come out: page_failed: Unreadable.' }],
    ['some pages, failed ones not said', counts(4, 3, null), 'partial', 1, { code: 'partial', message: '1 of 4 pages did not come out.' }],
    ['some pages, the whole not said', counts(null, 3, 2), 'partial', 2, { code: 'partial', message: '2 of 5 pages did not come out.' }],
    ['failed pages, good ones not known', counts(null, null, 2), 'partial', 2, { code: 'partial' }],
    ['pages that neither came out nor failed', counts(4, 3, 0), 'partial', 1, { code: 'partial' }],
    ['some pages, and an issue in the result’s list', { ...counts(4, 3, 1), issue: error }, 'partial', 1, { message: '1 of 4 pages did not come out: page_failed: Unreadable.' }],
    ['no page', { ...counts(4, 0, 4), error }, 'failed', null, { code: 'remote_error', message: 'page_failed: Unreadable.' }],
    ['no page, no reason', counts(4, 0, 4), 'failed', null, { code: 'remote_error', message: 'No page came out, and Plangrep gives no reason.' }],
    ['no page at all', counts(0, 0, 0), 'failed', null, { code: 'remote_error' }],
    ['only failed pages', counts(4, null, 4), 'failed', null, { code: 'remote_error' }],
    ['no counts, completed', { ...counts(null, null, null) }, 'processed', null, null],
    ['no counts, nothing', { ...counts(null, null, null), status: null }, 'processed', null, null],
    ['no counts, an error', { ...counts(null, null, null), error }, 'failed', null, { code: 'remote_error', message: 'page_failed: Unreadable.' }],
    ['no counts, failed', { ...counts(9, null, null), status: 'failed' }, 'failed', null, { code: 'remote_error' }],
    ['no counts, completed with errors', { ...counts(9, null, null), status: 'completed_with_errors' }, 'partial', null, { code: 'partial' }],
    ['no counts, an issue in the list', { ...counts(9, null, null), issue: error }, 'partial', null, { code: 'partial' }],
    ['no counts, a status nobody knows', { ...counts(9, null, null), status: 'resting' }, 'partial', null, { code: 'partial' }],
    ['all pages, one artifact gone', { missing: { count: 1, first: 'answered 404' } }, 'processed', null, { code: 'remote_error', message: '1 artifact that the result names could not be had: answered 404' }],
    ['some pages, two artifacts gone', { ...counts(4, 3, 1), missing: { count: 2, first: '404' } }, 'partial', 1, { message: '1 of 4 pages did not come out. 2 artifacts that the result names could not be had: 404' }],
  ])('%s', (_, changes, outcome, pagesFailed, reason) => {
    const told = said(changes);
    expect(told).toMatchObject({ outcome, pagesFailed, documentId: 'doc_1', jobId: 'job_1', result: { index: 3 } });
    expect(told.reason).toEqual(reason && expect.objectContaining(reason));
  });

  test('pages come from the result, else from the plan', () => {
    expect(said({ pageCount: 9 }).pages).toBe(9);
    expect(said({ pageCount: null }).pages).toBe(5);
    expect(documentOutcome(account({ records: [{ ...record, pageCount: null }], line: { ...line, pages: null } })).pages).toBeNull();
  });

  test('a second document with the same documentId costs nothing more', () => {
    expect(documentOutcome(account({ paidBefore: true }))).toMatchObject({ outcome: 'processed', documentId: 'doc_1', credits: 0, result: { index: 3 } });
  });

  test('several entries for it count as one', () => {
    const other: ResultRecord = { ...record, index: 8, ...counts(null, null, null), error, credits: null, artifacts: [{ ...record.artifacts[0]!, path: 'other' }], missing: { count: 2, first: 'b' } };
    expect(documentOutcome(account({ records: [other, { ...record, missing: { count: 1, first: 'c' } }] }))).toMatchObject({
      ...{ outcome: 'processed', pages: 4, credits: 40, result: { index: 8 }, artifacts: [{ path: 'other' }, { path: 'jobs/00001/artifacts/a.png' }] },
      reason: { message: '3 artifacts that the result names could not be had: b' },
    });
  });

  test('a remote message of any length gives a reason of a few hundred characters', () => {
    expect(said({ ...counts(4, 0, 4), error: { code: 'x', message: 'y'.repeat(100_000) } }).reason!.message.length).toBeLessThan(600);
  });
});

describe('a document that is not in the result', () => {
  const notSent = (code: Reason['code']) => account({ upload: { ...sent, documentId: 'doc_9', sent: false, reason: { code, message: 'Why.' } }, records: [] });
  const nowhere = { result: null, credits: null, artifacts: [] };

  test('though it was sent: failed, under its id', () => {
    expect(documentOutcome(account({ records: [] }))).toMatchObject({ ...nowhere, outcome: 'failed', reason: { code: 'remote_error' }, jobId: 'job_1', documentId: 'doc_1', pages: 5 });
  });

  test.each<[Reason['code'], Outcome]>([
    ...(['changed', 'unreadable', 'empty', 'too_large', 'too_many_pages', 'not_a_file', 'outside_source', 'unsupported'] as const).map((code) => [code, 'rejected'] as [Reason['code'], Outcome]),
    ...(['remote_error', 'job_failed', 'unauthorized'] as const).map((code) => [code, 'failed'] as [Reason['code'], Outcome]),
    ...(['cancelled', 'expired', 'skipped', 'duplicate'] as const).map((code) => [code, code] as [Reason['code'], Outcome]),
  ])('not sent: %s is %s', (code, outcome) => {
    expect(documentOutcome(notSent(code))).toMatchObject({ ...nowhere, outcome, pagesPaid: 0, reason: { code, message: 'Why.' }, jobId: null, documentId: null, sha256: 'f'.repeat(64) });
  });

  test('without an account of its upload: failed', () => {
    expect(documentOutcome(account({ upload: null, records: [], line: { ...line, sha256: 'e'.repeat(64) } }))).toMatchObject({ outcome: 'failed', reason: { code: 'job_failed' }, documentId: null, sha256: 'e'.repeat(64) });
  });

  const ending = { kind: 'ended', outcome: 'cancelled', reason: { code: 'cancelled', message: 'By request.' } } as const;
  test.each<[string, Partial<DocumentAccount>, string | null]>([
    ['sent', {}, 'doc_1'],
    ['never looked at', { upload: null }, null],
    ['not sent for a remote reason', { upload: notSent('remote_error').upload }, null],
  ])('of a job that ended, %s: the ending’s outcome', (_, changes, documentId) => {
    expect(documentOutcome(account({ ...changes, ending }))).toMatchObject({ ...nowhere, outcome: 'cancelled', reason: ending.reason, documentId, jobId: documentId && 'job_1' });
  });

  test.each([['changed', 'rejected'], ['skipped', 'skipped'], ['duplicate', 'duplicate']] as const)('of a job that ended, not sent for %s: its own reason', (code, outcome) => {
    for (const how of [ending, { kind: 'failed', error, creditsDebited: 0 } as const]) {
      expect(documentOutcome({ ...notSent(code), ending: how })).toMatchObject({ outcome, reason: { code, message: 'Why.' } });
    }
  });

  test('of a job that was never created: no job id', () => {
    expect(documentOutcome(account({ upload: null, jobId: null, ending }))).toMatchObject({ outcome: 'cancelled', jobId: null, documentId: null });
  });
});

describe('of a job that failed at Plangrep', () => {
  const ended = (changes: Partial<DocumentAccount>, creditsDebited: number | null = 0, code = 'internal') =>
    documentOutcome(account({ records: [], debited: creditsDebited, ending: { kind: 'failed', error: { code, message: 'It broke.' }, creditsDebited }, ...changes }));

  test('its documents failed with it; nothing was paid when nothing was debited', () => {
    expect(ended({})).toMatchObject({ outcome: 'failed', reason: { code: 'job_failed', message: 'The job failed: internal: It broke.' }, jobId: 'job_1', documentId: 'doc_1', pagesPaid: 0, result: null });
    expect(ended({ upload: null })).toMatchObject({ outcome: 'failed', documentId: null, pagesPaid: 0 });
    expect(documentOutcome(account({ records: [], debited: 0, ending: { kind: 'failed', error: null, creditsDebited: 0 } })).reason!.message).toBe('The job failed; Plangrep gave no reason.');
  });

  test.each<[number | null, string]>([
    [12, 'The job failed: internal: It broke. Plangrep debited 12 credits for the job, so it is not split, and nothing of it is sent again.'],
    [null, 'The job failed: internal: It broke. Plangrep does not say whether it debited credits for the job, so it is not split, and nothing of it is sent again.'],
  ])('with %p credits debited the reason says that nothing is sent again, and why', (creditsDebited, message) => {
    expect(ended({}, creditsDebited)).toMatchObject({ reason: { code: 'job_failed', message }, pagesPaid: null });
  });

  test('for its pages: a lone document has too many', () => {
    expect(ended({ alone: true }, 0, 'page_limit_exceeded').reason!.code).toBe('too_many_pages');
    expect(ended({ alone: false }, 0, 'page_limit_exceeded').reason!.code).toBe('job_failed');
    expect(ended({ alone: true }).reason!.code).toBe('job_failed');
  });

  test('a document that could not be sent keeps its own reason', () => {
    const upload = { ...sent, sent: false, reason: { code: 'remote_error', message: 'Refused.' } as const };
    expect(ended({ upload }, 12)).toMatchObject({ outcome: 'failed', reason: upload.reason, pagesPaid: 0 });
  });
});

test.each<[string, Partial<DocumentAccount>, number | null]>([
  ['all pages', {}, 4],
  ['some', { records: [{ ...record, ...counts(4, 3, 1) }] }, 3],
  ['none', { records: [{ ...record, ...counts(4, 0, 4) }] }, 0],
  ['nobody knows', { records: [{ ...record, ...counts(4, null, null) }] }, null],
  ['nobody knows, of a document that the result does not mention', { records: [] }, null],
  ['never sent', { upload: null, records: [] }, 0],
  ['sent, and cancelled before anything was debited', { records: [], debited: 0, ending: { kind: 'ended', outcome: 'cancelled', reason: { code: 'cancelled', message: 'm' } } }, 0],
  ['sent, and cancelled', { records: [], ending: { kind: 'ended', outcome: 'cancelled', reason: { code: 'cancelled', message: 'm' } } }, null],
])('pages that were paid for: %s', (_, changes, pages) => expect(documentOutcome(account(changes)).pagesPaid).toBe(pages));

test('every account has an outcome that passes the schema, and a reason unless it is processed', () => {
  const count = fc.option(fc.nat(5), { nil: null });
  const records = fc.array(
    fc.record({ pageCount: count, successfulPageCount: count, failedPageCount: count, status: fc.constantFrom(null, 'completed', 'failed', 'odd'), error: fc.constantFrom(null, error), issue: fc.constantFrom(null, error) }),
    { maxLength: 2 },
  );
  const uploads = fc.oneof(fc.constant(null), fc.constant(sent), fc.constantFrom(...reasonCodes).map((code) => ({ ...sent, sent: false, reason: { code, message: 'm' } })));
  const endings = fc.constantFrom<DocumentAccount['ending'][]>({ kind: 'archived' }, { kind: 'ended', outcome: 'expired', reason: { code: 'expired', message: 'm' } }, { kind: 'failed', error, creditsDebited: 3 });
  fc.assert(
    fc.property(records, uploads, endings, fc.boolean(), (entries, upload, ending, paidBefore) => {
      const told = documentOutcomeSchema.parse(documentOutcome(account({ records: entries.map((entry) => ({ ...record, ...entry })), upload, ending, paidBefore })));
      if (told.outcome !== 'processed') expect(told.reason).not.toBeNull();
      expect(told.documentId === null).toBe(told.jobId === null);
      if (told.outcome === 'partial') expect(told.result).not.toBeNull();
      if ((told.pagesPaid ?? 0) > 0) expect(['processed', 'partial']).toContain(told.outcome);
    }),
    { numRuns: 500 },
  );
});

test('pagesOf works out what is certain only', () => {
  expect(pagesOf(counts(4, 3, null))).toEqual({ total: 4, good: 3, bad: 1 });
  expect(pagesOf(counts(4, null, 1))).toEqual({ total: 4, good: 3, bad: 1 });
  expect(pagesOf(counts(null, 3, 1))).toEqual({ total: 4, good: 3, bad: 1 });
  expect(pagesOf(counts(4, null, 9))).toEqual({ total: 4, good: null, bad: 9 });
  expect(pagesOf(counts(4, null, null))).toEqual({ total: 4, good: null, bad: null });
});
