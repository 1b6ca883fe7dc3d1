import { isGrpcServiceError } from '@temporalio/client';
import { BatchClosedError, BatchIdInUseError, BatchNotFinishedError, BatchNotFoundError, InvalidInputError, NoWorkerError } from '../client';
import { isOutage } from '../client/reading';
import { PayloadCodecError } from '../codec/payload-codec';
import { ConfigError } from '../config';
import { AuthError, BusyError, PlangrepError, TransportError } from '../plangrep/errors';
import { StoreError } from '../store/store-error';
import { withoutSecrets } from '../redaction';
import { TemporalRefusedError, TemporalSettingsError, TemporalUnreachableError } from '../temporal-connection';
import { CliError } from './cli-error';
import { exitCodes } from './exit-codes';
import { flagOf } from './input-flags';

/** Any error as the one that the terminal shows; what nobody foresaw keeps its message. */
export function toCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  return configured(error) ?? operated(error) ?? temporal(error) ?? remote(error) ?? local(error) ?? unforeseen(error);
}

function configured(error: unknown): CliError | null {
  if (error instanceof ConfigError) {
    const several = error.problems.length > 1 ? `${error.problems.length} problems with the configuration:\n` : '';
    return new CliError({ code: 'configuration', message: several + error.message, fix: 'Set the environment variables named above and try again.' });
  }
  if (error instanceof InvalidInputError) {
    const lines = error.problems.map(({ field, message }) => `${flagOf(field)} ${message}`);
    return new CliError({ code: 'invalid_input', message: lines.join('\n') });
  }
  if (error instanceof BatchIdInUseError) {
    return error.state === 'running'
      ? new CliError({ code: 'batch_id_in_use', message: `A batch with id ${error.batchId} is running with another input.`, fix: `Choose another --id, or follow that batch: plangrep-batch watch ${error.batchId}` })
      : new CliError({ code: 'batch_id_finished', message: `A batch with id ${error.batchId} has finished.`, fix: `Choose another --id; see how that one ended: plangrep-batch status ${error.batchId}` });
  }
  if (error instanceof BatchNotFoundError) {
    return new CliError({ code: 'batch_not_found', message: `${error.message}.`, fix: 'See which there are: plangrep-batch list. Batches that closed long ago are in the archive only: plangrep-batch verify ID' });
  }
  return null;
}

/** What an operator asked of a batch that is not in a state for it. */
function operated(error: unknown): CliError | null {
  if (error instanceof BatchClosedError) {
    return new CliError({ code: 'batch_closed', message: `Batch ${error.batchId} is closed already: ${error.status}.`, fix: `See how it ended: plangrep-batch status ${error.batchId}` });
  }
  if (error instanceof NoWorkerError) {
    const fix = error.sent
      ? "Look at the worker's log, then give the command again: a repeat does no harm."
      : 'Start a worker with the same environment, plangrep-batch worker, then give the command again.';
    return new CliError({ code: 'no_worker', message: `${capital(error.message)}.`, fix, exitCode: exitCodes.unreachable });
  }
  if (error instanceof BatchNotFinishedError) {
    const fix = error.state === 'running'
      ? `Wait for its end: plangrep-batch watch ${error.batchId}`
      : 'If its archive is elsewhere, name it with --archive. Else start it again with the same input and --id, which pays for nothing twice.';
    return new CliError({ code: 'batch_not_finished', message: `${capital(error.message)}.`, fix });
  }
  return null;
}

function temporal(error: unknown): CliError | null {
  if (error instanceof PayloadCodecError) return new CliError(error.problem);
  if (error instanceof TemporalUnreachableError) {
    return new CliError({ code: 'temporal_unreachable', message: `${error.message}.`, fix: 'Start the server, or set TEMPORAL_ADDRESS or TEMPORAL_PROFILE to where it is.', exitCode: exitCodes.unreachable });
  }
  if (error instanceof TemporalRefusedError) {
    return new CliError({ code: 'temporal_refused', message: `${error.message}.`, fix: 'Check TEMPORAL_NAMESPACE and the credentials of this profile.' });
  }
  if (error instanceof TemporalSettingsError) return new CliError({ code: 'configuration', message: error.message, fix: 'Check TEMPORAL_CONFIG_FILE and TEMPORAL_PROFILE.' });
  if (isOutage(error)) {
    return new CliError({ code: 'temporal_unreachable', message: 'Temporal does not answer any more.', fix: 'Check the server and try again; what was started goes on by itself.', exitCode: exitCodes.unreachable });
  }
  return null;
}

function remote(error: unknown): CliError | null {
  if (error instanceof AuthError) {
    return new CliError({ code: 'unauthorized', message: `Plangrep refuses the API key: ${error.message}`, fix: 'Check PLANGREP_API_KEY (or the file that PLANGREP_API_KEY_FILE names) and its scopes: it needs jobs:write, jobs:read and artifacts:read.' });
  }
  if (error instanceof TransportError || error instanceof BusyError) {
    return new CliError({ code: 'plangrep_unreachable', message: `Plangrep does not answer: ${error.message}`, fix: 'Check the network and PLANGREP_BASE_URL, then try again.', exitCode: exitCodes.unreachable });
  }
  return error instanceof PlangrepError ? new CliError({ code: 'plangrep_refused', message: error.message }) : null;
}

/** A disk or share that does not answer, as opposed to one that refuses. */
const storeOutages = ['EIO', 'ESTALE', 'ETIMEDOUT', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENOTCONN'];

function local(error: unknown): CliError | null {
  if (error instanceof StoreError) {
    const exitCode = storeOutages.includes(error.code) ? exitCodes.unreachable : exitCodes.usage;
    return new CliError({ code: 'archive_unavailable', message: capital(error.message.replace(` ${error.fix}`, '')), fix: error.fix, exitCode });
  }
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return new CliError({ code: 'port_in_use', message: capital(error.message), fix: 'Choose another port, or 0 for any free one.' });
  }
  return null;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function unforeseen(error: unknown): CliError {
  const cause = error instanceof Error && isGrpcServiceError(error.cause) ? `: ${error.cause.details}` : '';
  const message = error instanceof Error ? error.message : String(error);
  return new CliError({ code: 'unexpected', message: withoutSecrets(`${message}${cause}`) });
}
