import { MockActivityEnvironment } from '@temporalio/testing';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { toFailure, withFailures } from '../../src/activities/failure';
import { failureTypes, nonRetryableTypes } from '../../src/contract/failures';
import { AuthError, BusyError, ConflictError, ContractError, CreditError, RejectedError, TransportError } from '../../src/plangrep/errors';
import { BrokenFileError } from '../../src/store/jsonl';
import { StoreError } from '../../src/store/store-error';

const map = (error: unknown): Promise<ApplicationFailure> => new MockActivityEnvironment().run(async () => toFailure(error) as ApplicationFailure);

describe('what Temporal is told of an error', () => {
  test.each([
    [new TransportError('reset'), failureTypes.unreachable, false],
    [new BusyError('busy', { status: 429 }), failureTypes.busy, false],
    [new CreditError('no credits', { status: 402 }), failureTypes.insufficientCredit, false],
    [new AuthError('key', { status: 401 }), failureTypes.unauthorized, true],
    [new RejectedError('no', { status: 422 }), failureTypes.rejected, true],
    [new RejectedError('gone', { status: 404 }), failureTypes.notFound, true],
    [new ConflictError('key reused', { status: 409 }), failureTypes.idempotencyConflict, true],
    [new ContractError('body', ['job.id: invalid_type']), failureTypes.contractViolation, true],
    [new StoreError('ENOSPC', '/archive', 'write x', 'Free some.', 'the archive is full'), failureTypes.archiveUnavailable, false],
    [new BrokenFileError('batches/x/plan.json', null, 'is not JSON'), failureTypes.archiveDamaged, true],
    [new Error('a bug'), failureTypes.internal, false],
    ['a string', failureTypes.internal, false],
  ])('%s', async (error, type, gaveUp) => {
    const failure = await map(error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure.type).toBe(type);
    expect(failure.nonRetryable || nonRetryableTypes.includes(failure.type!)).toBe(gaveUp);
  });

  test('a busy answer is retried when it asked to be', async () => {
    expect((await map(new BusyError('busy', { status: 429, retryAfterMs: 5_000 }))).nextRetryDelay).toBe(5_000);
    expect((await map(new BusyError('busy', { status: 429 }))).nextRetryDelay).toBeUndefined();
  });

  test('missing credits are no failure of ours', async () => {
    expect((await map(new CreditError('no credits'))).category).toBe(ApplicationFailureCategory.BENIGN);
  });

  test('what is a failure already passes untouched', async () => {
    const failure = ApplicationFailure.create({ type: failureTypes.notYet });
    const run = new MockActivityEnvironment().run(withFailures({ act: async () => { throw failure; } }).act);
    await expect(run).rejects.toBe(failure);
  });

  test('cancellation stays cancellation, whatever it broke', async () => {
    const env = new MockActivityEnvironment();
    const run = env.run(withFailures({ act: async () => { env.cancel(); throw new TransportError('aborted'); } }).act);
    await expect(run).rejects.toBeInstanceOf(CancelledFailure);
  });
});
