import { AuthError, BusyError, ConflictError, ContractError, CreditError, PlangrepError, RejectedError, TransportError, errorForStatus, needsNewRegistration } from '../../src/plangrep/errors';
import { ScriptedServer, key, shown, thrownBy } from './scripted-server';

type Row = [status: number, code: string | null, kind: new (...args: never[]) => PlangrepError];

const rows: Row[] = [
  [400, 'invalid_request', RejectedError],
  [401, 'unauthorized', AuthError],
  [401, 'insufficient_credits', AuthError],
  [402, null, CreditError],
  [402, 'payment_required', CreditError],
  [400, 'insufficient_credits', CreditError],
  [403, 'INSUFFICIENT-CREDITS', CreditError],
  [409, 'blocked_insufficient_credits', CreditError],
  [429, 'insufficientCredits', CreditError],
  [403, 'forbidden', AuthError],
  [403, 'insufficient_scope', AuthError],
  [404, 'not_found', RejectedError],
  [405, null, RejectedError],
  [408, null, BusyError],
  [409, 'invalid_state', RejectedError],
  [409, null, RejectedError],
  [409, 'idempotency_conflict', ConflictError],
  [409, 'IdempotencyKeyReused', ConflictError],
  [410, 'gone', RejectedError],
  [413, 'too_large', RejectedError],
  [422, 'invalid_request', RejectedError],
  [422, 'idempotency_key_reused', ConflictError],
  [425, null, BusyError],
  [429, 'rate_limited', BusyError],
  [500, 'internal', BusyError],
  [500, 'insufficient_credits', BusyError],
  [502, null, BusyError],
  [503, 'maintenance', BusyError],
  [504, null, BusyError],
  [599, null, BusyError],
  [301, null, RejectedError],
  [304, null, RejectedError],
];

describe('the error for an answer of the API', () => {
  const server = new ScriptedServer();
  beforeAll(() => server.start());
  afterAll(() => server.stop());

  test.each(rows)('%i %s', async (status, code, kind) => {
    server.json(status, status === 304 ? '' : { error: { code, message: 'Said so.' } });
    const error = (await thrownBy(server.client().getJob('job_1'))) as PlangrepError;
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ name: kind.name, status, code: status === 304 ? null : code, origin: 'api', retryAfterMs: null });
    expect(error.message).toContain(`GET /api/open/v1/jobs/job_1 answered ${status}`);
  });

  test('no answer at all', async () => {
    server.raw((request) => request.socket.destroy());
    const error = await thrownBy(server.client().getJob('job_1'));
    expect(error).toBeInstanceOf(TransportError);
    expect(error).toMatchObject({ status: null, code: 'UND_ERR_SOCKET', origin: 'api' });
  });

  test('nobody there', async () => {
    const gone = await new ScriptedServer().start();
    const client = server.client({ baseUrl: gone.url });
    await gone.stop();
    expect(await thrownBy(client.getJob('job_1'))).toMatchObject({ kind: 'transport', code: 'ECONNREFUSED' });
  });

  test('a success of the wrong shape', async () => {
    server.json(200, { job: { id: 7, secret: 'value-of-body' } });
    const error = (await thrownBy(server.client().getJob('job_1'))) as ContractError;
    expect(error).toBeInstanceOf(ContractError);
    expect(error.issues).toEqual(['job.id: invalid_type', 'job.status: invalid_type']);
    expect(error.message).not.toContain('value-of-body');
  });

  test.each([
    ['17', 17_000],
    ['Tue, 01 Jan 2030 00:00:30 GMT', 30_000],
    ['999999', null],
    ['soon', null],
  ])('Retry-After: %s', async (header, retryAfterMs) => {
    server.json(429, {}, { 'retry-after': header, date: 'unknown' });
    const client = server.client({ now: () => Date.parse('2030-01-01T00:00:00Z') });
    expect(await thrownBy(client.getJob('job_1'))).toMatchObject({ kind: 'busy', retryAfterMs });
  });

  test('no secret of the call comes back in a message', async () => {
    const echo = `Key ${key} and token ut_secret at https://storage.example.net/put/1?sig=abc were refused`;
    server.json(400, { error: { code: 'ut_secret', message: echo } });
    const call = server.client().completeUploads('job_1', { directUploads: [{ documentId: 'doc_1', uploadToken: 'ut_secret' }] }, { idempotencyKey: 'k' });
    const error = (await thrownBy(call)) as RejectedError;
    expect(error.message).toContain('answered 400: Key [secret] and token [secret] at https://storage.example.net/... were refused');
    expect(shown(error)).not.toMatch(/pgk_test|ut_secret|sig=/);
  });
});

describe('the error for an answer of storage', () => {
  test.each([
    [400, 'BadDigest', 'rejected', false],
    [400, 'ExpiredToken', 'rejected', true],
    [400, 'RequestTimeout', 'busy', false],
    [401, null, 'rejected', true],
    [402, null, 'rejected', false],
    [403, 'AccessDenied', 'rejected', true],
    [404, 'NoSuchUpload', 'rejected', true],
    [409, 'idempotency_conflict', 'rejected', false],
    [412, null, 'rejected', false],
    [429, null, 'busy', false],
    [500, 'InternalError', 'busy', false],
    [503, 'SlowDown', 'busy', false],
  ])('%i %s', (status, code, kind, again) => {
    const error = errorForStatus('PUT', { status, code, origin: 'storage' });
    expect(error).toMatchObject({ kind, status, code, origin: 'storage' });
    expect(needsNewRegistration(error)).toBe(again);
  });

  test('a 403 of the API is no reason to register again', () => {
    expect(needsNewRegistration(errorForStatus('GET', { status: 403 }))).toBe(false);
    expect(needsNewRegistration(errorForStatus('GET', { status: 404 }))).toBe(false);
    expect(needsNewRegistration(new Error('anything'))).toBe(false);
  });
});
