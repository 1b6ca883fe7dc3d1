import { toCliError } from '../../src/cli/failure';
import { BatchClosedError, BatchIdInUseError, BatchNotFinishedError, BatchNotFoundError, InvalidInputError, NoWorkerError } from '../../src/client';
import { PayloadCodecError } from '../../src/codec/payload-codec';
import { ConfigError } from '../../src/config';
import { AuthError, BusyError, ContractError, RejectedError, TransportError } from '../../src/plangrep/errors';
import { StoreError } from '../../src/store/store-error';
import { TemporalRefusedError, TemporalSettingsError, TemporalUnreachableError } from '../../src/temporal-connection';

const grpc = (code: number) => Object.assign(new Error('x'), { code, details: 'details', metadata: {} });
const inService = (code: number) => new Error('Failed', { cause: grpc(code) });

test.each<[string, unknown, string, number]>([
  ['configuration', new ConfigError([{ variable: 'A', message: 'is wrong' }, { variable: 'B', message: 'is not set' }]), 'configuration', 1],
  ['input', new InvalidInputError([{ field: 'limits.maxFiles', message: 'is too big' }]), 'invalid_input', 1],
  ['id in use', new BatchIdInUseError('b', 'running', false), 'batch_id_in_use', 1],
  ['id finished', new BatchIdInUseError('b', 'finished', false), 'batch_id_finished', 1],
  ['closed', new BatchClosedError('b', 'completed'), 'batch_closed', 1],
  ['no worker', new NoWorkerError('b', false), 'no_worker', 4],
  ['a worker that is silent', new NoWorkerError('b', true), 'no_worker', 4],
  ['still running', new BatchNotFinishedError('b', 'running'), 'batch_not_finished', 1],
  ['unfinished', new BatchNotFinishedError('b', 'unfinished'), 'batch_not_finished', 1],
  ['no batch', new BatchNotFoundError('b'), 'batch_not_found', 1],
  ['no Temporal', new TemporalUnreachableError('host:7233'), 'temporal_unreachable', 4],
  ['no namespace', new TemporalRefusedError({ address: 'a', namespace: 'n' }, 'no'), 'temporal_refused', 1],
  ['no profile', new TemporalSettingsError('no profile'), 'configuration', 1],
  ['Temporal lost', inService(14), 'temporal_unreachable', 4],
  ['Temporal slow', inService(4), 'temporal_unreachable', 4],
  ['wrong key', new AuthError('refused', { status: 401 }), 'unauthorized', 1],
  ['no Plangrep', new TransportError('refused'), 'plangrep_unreachable', 4],
  ['busy Plangrep', new BusyError('503', { status: 503 }), 'plangrep_unreachable', 4],
  ['Plangrep says no', new RejectedError('400', { status: 400 }), 'plangrep_refused', 1],
  ['not Plangrep', new ContractError('HTML', []), 'plangrep_refused', 1],
  ['archive read-only', new StoreError('EROFS', '/a', 'write', 'Do this.', 'the archive /a is read-only. Do this.'), 'archive_unavailable', 1],
  ['archive away', new StoreError('ESTALE', '/a', 'write', 'Mount it.', 'the archive /a went away. Mount it.'), 'archive_unavailable', 4],
  ['port taken', Object.assign(new Error('listen EADDRINUSE: address already in use 127.0.0.1:1'), { code: 'EADDRINUSE' }), 'port_in_use', 1],
  ['a key that is missing', new PayloadCodecError('unknown_key', 'k1', 'Data is encrypted with k1.'), 'payload_key_unknown', 1],
  ['data that was changed', new PayloadCodecError('damaged', 'k1', 'It was changed.'), 'payload_damaged', 1],
  ['a surprise', new Error('boo'), 'unexpected', 1],
  ['no error at all', 'boo', 'unexpected', 1],
])('%s', (_name, error, code, exitCode) => {
  const shown = toCliError(error);
  expect(shown).toMatchObject({ code, exitCode });
  expect(shown.message).not.toBe('');
});

test('a surprise shows no credentials', () => {
  expect(toCliError(new Error('GET https://storage.example/a?X-Signature=S1 with Bearer S2 failed')).message).toBe('GET https://storage.example/a?[secret] with Bearer [secret] failed');
});

test('fields of the input are named as flags', () => {
  const problems = [{ field: 'limits.maxFiles', message: 'a' }, { field: 'classify.0.classification', message: 'b' }, { field: 'labels.x', message: 'c' }, { field: 'id', message: 'd' }, { field: 'retryFailedDocuments', message: 'e' }, { field: 'maxCredits', message: 'f' }];
  expect(toCliError(new InvalidInputError(problems)).message).toBe('--max-files a\n--classify b\n--label c\n--id d\n--retry-failed e\n--max-credits f');
});

test('an archive says what to do once', () => {
  const shown = toCliError(new StoreError('EROFS', '/a', 'write', 'Do this.', 'the archive /a is read-only. Do this.'));
  expect(shown).toMatchObject({ message: 'The archive /a is read-only.', fix: 'Do this.' });
});

test.each([
  [new NoWorkerError('b', false), 'plangrep-batch worker'],
  [new NoWorkerError('b', true), 'give the command again'],
  [new BatchNotFinishedError('b', 'running'), 'plangrep-batch watch b'],
  [new BatchNotFinishedError('b', 'unfinished'), '--archive'],
  [new BatchClosedError('b', 'failed'), 'plangrep-batch status b'],
])('%s: says what to do', (error, text) => expect(toCliError(error).fix).toContain(text));
