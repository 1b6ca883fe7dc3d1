import fc from 'fast-check';
import type { ResendKind } from '../../src/contract/activities';
import type { Outcome, Reason } from '../../src/contract/batch';
import { isPageLimit, isPassing, isSentAgain, resendOf } from '../../src/domain/resend';
import type { ResendDocument, ResendQuestion, ResendRules } from '../../src/domain/resend';

const rules: ResendRules = { retryFailedDocuments: 1, retryPartialDocuments: false, splitFailedJobs: true };
const paying: ResendRules = { ...rules, retryPartialDocuments: true };
const document = (outcome: Outcome, pagesPaid: number | null, code: Reason['code'] | null = null): ResendDocument => ({ outcome, pagesPaid, reason: code && { code, message: 'm' } });
const [good, bad, partial, unknown] = [document('processed', 3), document('failed', 0, 'remote_error'), document('partial', 2, 'partial'), document('failed', null, 'remote_error')];
const failed = document('failed', 0, 'job_failed');

const ask = (changes: Partial<ResendQuestion>): ResendKind | null => {
  const documents = changes.documents ?? [failed, failed];
  return resendOf({ status: 'failed', errorCode: 'internal', creditsDebited: 0, planned: documents.length, documents, resends: 0, refusals: 0, rules, ...changes });
};

describe('a job with a result', () => {
  const done = (documents: ResendDocument[], more: Partial<ResendQuestion> = {}) => ask({ status: 'completed_with_errors', errorCode: null, creditsDebited: 7, documents, ...more });

  test.each<[string, ResendDocument[], ResendRules, ResendKind | null]>([
    ['nothing failed', [good, good], rules, null],
    ['one came out without a page', [good, bad], rules, 'documents'],
    ['some pages came out', [good, partial], rules, null],
    ['some pages came out, and are to be paid again', [good, partial], paying, 'documents'],
    ['nobody knows how many came out', [unknown], rules, null],
    ['nobody knows, and it is to be paid again', [unknown], paying, 'documents'],
    ['one was never sent', [good, document('failed', 0, 'job_failed')], rules, 'documents'],
    ['one changed', [document('rejected', 0, 'changed'), document('skipped', 0, 'skipped'), document('duplicate', 0, 'duplicate')], paying, null],
    ['the deadline passed', [document('expired', null, 'expired'), document('cancelled', 0, 'cancelled')], paying, null],
    ['its workflow was lost, or the key refused', [document('failed', 0, 'job_workflow_lost'), document('failed', 0, 'unauthorized')], paying, null],
  ])('%s', (_, documents, how, kind) => expect(done(documents, { rules: how })).toBe(kind));

  test('is sent again as often as asked for', () => {
    expect([0, 1, 2].map((resends) => done([bad], { resends, rules: { ...rules, retryFailedDocuments: 2 } }))).toEqual(['documents', 'documents', null]);
    expect(done([partial], { rules: { ...paying, retryFailedDocuments: 0 } })).toBeNull();
  });
});

describe('a failed job', () => {
  test.each<[string, Partial<ResendQuestion>, ResendKind | null]>([
    ['of several documents', {}, 'halves'],
    ['without a code', { errorCode: null }, 'halves'],
    ['that is not to be split', { rules: { ...rules, splitFailedJobs: false } }, null],
    ['of one document', { documents: [failed] }, null],
    ['of one document and rejected ones', { documents: [failed, document('rejected', 0, 'changed')] }, null],
    ['with credits debited', { creditsDebited: 1, rules: paying }, null],
    ['that does not say what was debited', { creditsDebited: null, rules: paying }, null],
    ['for its pages', { errorCode: 'page_limit_exceeded' }, 'pages'],
    ['for its only document’s pages', { errorCode: 'page_limit_exceeded', documents: [document('failed', 0, 'too_many_pages')] }, null],
    ['for the project’s sake', { errorCode: 'project_upgrading', rules: { ...rules, splitFailedJobs: false } }, 'whole'],
    ['for the project’s sake once more', { errorCode: 'runtime.lost', resends: 1 }, null],
    ['whose documents may have been paid for', { documents: [unknown, unknown], rules: paying }, null],
  ])('%s', (_, changes, kind) => expect(ask(changes)).toBe(kind));
});

test.each([['cancelled', 'cancelled'], ['expired', 'expired']] as const)('documents of a job that ended as %s are not sent again', (status, outcome) =>
  expect(ask({ status, rules: paying, documents: [document(outcome, 0, outcome)], planned: 1 })).toBeNull());
test.each(['cancelled', 'processing', null])('what a refused job, last seen as %p, never got to send is sent again; what it may have paid for is not', (status) => {
  const unsent = document('failed', 0, 'remote_error');
  expect(ask({ status, documents: [unsent], planned: 1 })).toBe('documents');
  expect(ask({ status, documents: [unsent], planned: 1, refusals: 1 })).toBeNull();
  expect(ask({ status, documents: [document('failed', null, 'remote_error')], planned: 1 })).toBeNull();
});

test('a job that was refused costs its documents none of their tries, and they get one more even where none is asked for', () => {
  const refused = (changes: Partial<ResendQuestion>): ResendKind | null => ask({ status: 'cancelled', documents: [document('failed', 0, 'remote_error')], planned: 1, ...changes });
  expect(refused({ resends: 1 })).toBe('documents');
  const never = { ...rules, retryFailedDocuments: 0 };
  expect([0, 1].map((refusals) => refused({ refusals, rules: never }))).toEqual(['documents', null]);
  expect([1, 2].map((refusals) => refused({ refusals, rules: { ...rules, retryFailedDocuments: 2 } }))).toEqual(['documents', null]);
});

test('a job that was split before it was sent has its parts already', () => {
  expect(ask({ status: 'cancelled', documents: [document('rejected', 0, 'too_large')], planned: 3 })).toBe('halves');
  expect(ask({ status: null, documents: [], planned: 3 })).toBe('halves');
});

test('codes are told by their words', () => {
  expect(['page_limit_exceeded', 'organization_page-limit', 'PAGE_LIMIT'].every(isPageLimit)).toBe(true);
  expect([null, 'page_failed', 'limit'].some(isPageLimit)).toBe(false);
  expect(['project_not_ready', 'runtime_starting', 'project_runtime_failed', 'provisioning_timeout', 'service_unavailable', 'Project.upgrading'].every(isPassing)).toBe(true);
  expect([null, 'internal', 'no_readable_pages', 'projection_failed', 'page_limit_exceeded'].some(isPassing)).toBe(false);
});

test('no document with a page that was, or may have been, paid for goes again without being asked for', () => {
  const documents = fc.record({ outcome: fc.constantFrom<Outcome[]>('processed', 'partial', 'failed', 'rejected', 'skipped', 'duplicate', 'cancelled', 'expired'), pagesPaid: fc.constantFrom(null, 0, 2), reason: fc.constantFrom(null, { code: 'remote_error', message: '' } as const) });
  fc.assert(
    fc.property(documents, fc.constantFrom<ResendKind[]>('halves', 'pages', 'whole', 'documents'), fc.boolean(), (one, how, retryPartialDocuments) => {
      if (!isSentAgain(how, one, { ...rules, retryPartialDocuments })) return;
      expect(['failed', 'partial']).toContain(one.outcome);
      if (one.pagesPaid !== 0 || one.outcome === 'partial') expect([how, retryPartialDocuments]).toEqual(['documents', true]);
    }),
    { numRuns: 500 },
  );
});
