import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { noSooner, notYet, toFailure, withFailures } from '../../src/activities/failure';
import { failureTypes, nonRetryableTypes } from '../../src/contract/failures';
import { AuthError, BusyError, ConflictError, ContractError, CreditError, RejectedError, TransportError } from '../../src/plangrep/errors';
import { BrokenFileError } from '../../src/store/jsonl';
import { StoreError } from '../../src/store/store-error';

/** Failures are what these tests are about; the log needn't repeat them. */
const quietEnvironment = () => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
const map = (error: unknown): Promise<ApplicationFailure> => quietEnvironment().run(async () => toFailure(error) as ApplicationFailure);

describe('what Temporal is told of an error', () => {
  test.each([
    [new TransportError('reset'), failureTypes.unreachable, false],
    [new BusyError('busy', { status: 429 }), failureTypes.busy, false],
    [new CreditError('no credits', { status: 402 }), failureTypes.insufficientCredit, true],
    [new AuthError('key', { status: 401 }), failureTypes.unauthorized, true],
    [new RejectedError('no', { status: 422 }), failureTypes.rejected, true],
    [new RejectedError('not there', { status: 404 }), failureTypes.notFound, true],
    [new RejectedError('gone', { status: 410 }), failureTypes.notFound, true],
    [new RejectedError('no such upload', { status: 404, origin: 'storage' }), failureTypes.rejected, true],
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

  test.each([
    ['no JSON at all, however often', new ContractError('x', ['body: not JSON'], { status: 200, unreadable: true }), 5_000, failureTypes.unreachable],
    ['JSON of another shape, at first', new ContractError('x', ['job: missing'], { status: 200 }), 19, failureTypes.unreachable],
    ['JSON of another shape, time after time', new ContractError('x', ['job: missing'], { status: 200 }), 20, failureTypes.contractViolation],
    ['instructions that make no sense', new ContractError('x', ['uploads.0.documentId: missing']), 1, failureTypes.contractViolation],
    ['a signed URL that is none', new ContractError('x', ['url: not usable'], { origin: 'storage' }), 1, failureTypes.contractViolation],
    ['a way elsewhere, at first', new RejectedError('x', { status: 302 }), 19, failureTypes.unreachable],
    ['a way elsewhere, time after time', new RejectedError('x', { status: 302 }), 20, failureTypes.rejected],
    ['a storage that leads elsewhere', new RejectedError('x', { status: 302, origin: 'storage' }), 1, failureTypes.rejected],
    ['nothing to do', new RejectedError('x', { code: 'nothing_to_do' }), 1, failureTypes.rejected],
  ])('an answer that may well be another one next time: %s', async (_what, error, attempt, type) => {
    const environment = new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR') });
    expect(await environment.run(async () => toFailure(error) as ApplicationFailure)).toMatchObject({ type, message: error.message });
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
    const run = quietEnvironment().run(withFailures({ act: async () => { throw failure; } }).act);
    await expect(run).rejects.toBe(failure);
  });

  test('cancellation stays cancellation, whatever it broke', async () => {
    const env = quietEnvironment();
    const run = env.run(withFailures({ act: async () => { env.cancel(); throw new TransportError('aborted'); } }).act);
    await expect(run).rejects.toBeInstanceOf(CancelledFailure);
  });
});

const [past, future] = [new Date(Date.now() - 1000).toISOString(), new Date(Date.now() + 3_600_000).toISOString()];
/** What an activity with this request fails with. */
const fail = (error: unknown, request: unknown): Promise<Error> => {
  const { act } = withFailures({ act: async (_request: unknown) => Promise.reject(error as Error) });
  return quietEnvironment().run(act, request).then(() => new Error('went well'), (failure: Error) => failure);
};

describe('a step on a job whose deadline has passed', () => {
  const on = (expiresAt: string) => ({ remote: { jobId: 'job_1', externalId: 'x', createdAt: past, expiresAt }, warnAt: null });

  test.each([
    ['unknown', new RejectedError('No such job', { status: 404 }), failureTypes.notFound],
    ['closed', new RejectedError('No files any more', { status: 409 }), failureTypes.rejected],
  ])('is expired, and nothing that an operator could mend: %s', async (_what, error, type) => {
    expect(await fail(error, on(future))).toMatchObject({ type });
    expect(await fail(error, on(past))).toMatchObject({ type: failureTypes.expired, nonRetryable: true, message: expect.stringContaining(error.message) as string });
  });

  test.each([
    ['a refused key', new AuthError('key', { status: 401 }), failureTypes.unauthorized],
    ['no answer', new TransportError('reset'), failureTypes.unreachable],
    ['a broken archive', new BrokenFileError('work/x', null, 'is not JSON'), failureTypes.archiveDamaged],
  ])('stays what it is when that says nothing about the job: %s', async (_what, error, type) => {
    expect(await fail(error, on(past))).toMatchObject({ type });
  });
});

describe('a step whose warning is due', () => {
  test.each([
    ['no answer', new TransportError('GET /jobs/1 got no complete answer'), failureTypes.unreachable],
    ['a busy answer', new BusyError('come back', { status: 429, retryAfterMs: 5_000 }), failureTypes.busy],
    ['a job that runs', notYet('Job 1 is processing', 1_000), failureTypes.notYet],
    ['a full archive', new StoreError('ENOSPC', '/archive', 'write x', 'Free some.', 'the archive is full'), failureTypes.archiveUnavailable],
    ['a bug', new Error('undefined is not a function'), failureTypes.internal],
  ])('ends with the warning instead of being retried: %s', async (_what, error, type) => {
    const plain = (await fail(error, { warnAt: future })) as ApplicationFailure;
    expect(plain).toMatchObject({ type, nonRetryable: false });
    const warned = await fail(error, { warnAt: past });
    expect(warned).toMatchObject({ type: failureTypes.deadlineNears, nonRetryable: true, category: ApplicationFailureCategory.BENIGN, details: [{ type }] });
    expect(warned.message).toContain(plain.message);
  });

  test.each([
    ['refused for credits', new CreditError('no credits', { status: 402 }), failureTypes.insufficientCredit],
    ['refused for its key', new AuthError('key', { status: 401 }), failureTypes.unauthorized],
    ['refused', new RejectedError('no', { status: 422 }), failureTypes.rejected],
    ['expired', ApplicationFailure.create({ type: failureTypes.expired }), failureTypes.expired],
  ])('says what it is when nobody would retry it: %s', async (_what, error, type) => {
    expect(await fail(error, { warnAt: past })).toMatchObject({ type });
  });

  test.each([[{ warnAt: null }], [{}], [undefined]])('has none without a mark: %j', async (request) => {
    expect(await fail(new TransportError('reset'), request)).toMatchObject({ type: failureTypes.unreachable });
  });

  test('stays cancelled when it was cancelled', async () => {
    const env = quietEnvironment();
    const { act } = withFailures({ act: async (_request: unknown) => { env.cancel(); throw new TransportError('aborted'); } });
    await expect(env.run(act, { warnAt: past })).rejects.toBeInstanceOf(CancelledFailure);
  });
});

describe('a call that keeps its distance', () => {
  const distant = (error: unknown): Promise<ApplicationFailure> => quietEnvironment().run(async () => noSooner(error, 15_000) as ApplicationFailure);

  test.each([
    ['no answer', new TransportError('reset'), 15_000],
    ['asked for less patience', new BusyError('busy', { status: 429, retryAfterMs: 2_000 }), 15_000],
    ['asked for more patience', new BusyError('busy', { status: 429, retryAfterMs: 90_000 }), 90_000],
    ['not there yet', notYet('running', 20_000), 20_000],
    ['given up', new AuthError('key', { status: 401 }), undefined],
  ])('is retried no sooner: %s', async (_what, error, delay) => {
    const failure = await distant(error);
    expect(failure).toMatchObject({ type: (await map(error)).type, message: error.message });
    expect(failure.nextRetryDelay).toBe(delay);
  });
});

describe('a source that this host cannot read', () => {
  const away = ApplicationFailure.create({ type: failureTypes.sourceUnavailable, message: 'The source /mnt/sheets cannot be read on worker host a: it does not exist' });
  const failAs = (attempt: number, error: Error): Promise<ApplicationFailure> => {
    const { fail } = withFailures({ fail: (): Promise<ApplicationFailure> => Promise.reject(error) });
    const environment = new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR') });
    return environment.run<[], ApplicationFailure, typeof fail>(fail).catch((failure: ApplicationFailure) => failure);
  };

  test('is offered again every second, so that a worker that has it gets its turn, and by the retry policy in the end', async () => {
    expect(await failAs(1, away)).toMatchObject({ type: failureTypes.sourceUnavailable, message: away.message, nextRetryDelay: 1_000 });
    expect((await failAs(50, away)).nextRetryDelay).toBe(1_000);
    expect((await failAs(51, away)).nextRetryDelay).toBeUndefined();
  });

  test('and nothing else is', async () => {
    expect((await failAs(1, new TransportError('reset'))).nextRetryDelay).toBeUndefined();
  });
});
