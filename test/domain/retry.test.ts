import fc from 'fast-check';
import { outcomes, reasonCodes } from '../../src/contract/batch';
import { mayBePaid, retryFate, type OverDocument } from '../../src/domain/retry';

const sent: OverDocument = { outcome: 'failed', reason: { code: 'remote_error', message: '' }, jobId: 'job_1', credits: null };
const lost: OverDocument = { ...sent, jobId: null, reason: { code: 'job_workflow_lost', message: '' } };

const documents = fc.record<OverDocument>({
  outcome: fc.constantFrom(...outcomes),
  reason: fc.option(fc.record({ code: fc.constantFrom(...reasonCodes), message: fc.constant('') })),
  jobId: fc.option(fc.constant('job_1')),
  credits: fc.option(fc.nat(3)),
  pagesPaid: fc.option(fc.nat(3)),
});
const debits = fc.option(fc.nat(3));

describe('mayBePaid', () => {
  test.each<[string, OverDocument, number | null, boolean]>([
    ['was never sent', { ...sent, jobId: null }, 5, false],
    ['was sent, and nobody knows', sent, null, true],
    ['was sent in a job that debited something', sent, 5, true],
    ['was sent in a job that debited nothing', sent, 0, false],
    ['came out with no page, for nothing', { ...sent, credits: 0 }, 5, false],
    ['expired after it was sent, whatever its credits say', { ...sent, outcome: 'expired', credits: 0 }, 5, true],
    ['was cancelled before it was sent', { ...sent, outcome: 'cancelled', jobId: null }, null, false],
    ['was lost with its job', lost, null, true],
    ['was lost with a job that debited nothing', lost, 0, false],
    ['has paid pages by its own account', { ...sent, pagesPaid: 2 }, null, true],
    ['has no paid page by its own account', { ...sent, pagesPaid: 0 }, 5, false],
    ['came out in part', { ...sent, outcome: 'partial' }, null, true],
  ])('a document that %s', (_what, document, debited, paid) => {
    expect(mayBePaid(document, debited)).toBe(paid);
  });
});

describe('retryFate', () => {
  test('leaves what is processed, here or elsewhere, and takes what cannot have cost anything', () => {
    expect(retryFate({ ...sent, outcome: 'processed' }, null, null)).toBe('leave');
    expect(retryFate({ ...sent, outcome: 'skipped', jobId: null }, null, null)).toBe('leave');
    expect(retryFate({ ...sent, outcome: 'rejected', jobId: null }, null, null)).toBe('take');
    expect(retryFate(sent, null, null)).toBe('paid');
  });

  test('of a duplicate is that of the document it equals', () => {
    expect(retryFate({ ...sent, outcome: 'duplicate' }, null, 'take')).toBe('take');
    expect(retryFate({ ...sent, outcome: 'duplicate' }, { debited: 0, resent: false }, 'paid')).toBe('paid');
  });

  test('never takes freely what may have been paid for', () => {
    fc.assert(
      fc.property(documents, debits, fc.boolean(), (document, debited, resent) => {
        const fate = retryFate(document, { debited, resent }, null);
        if (resent || mayBePaid(document, debited)) expect(fate).not.toBe('take');
        if (document.outcome !== 'processed' && document.outcome !== 'skipped') expect(fate).not.toBe('leave');
      }),
    );
  });

  test('knowing less never makes a document free', () => {
    fc.assert(
      fc.property(documents, debits, (document, debited) => {
        const { pagesPaid: _unknown, ...less } = { ...document, credits: null };
        if (document.reason?.code === 'job_workflow_lost' || typeof document.pagesPaid === 'number') return;
        if (mayBePaid(document, debited)) expect(mayBePaid(less, null)).toBe(true);
      }),
    );
  });
});
