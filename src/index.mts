/** The library for programs that use ES modules; `client.js` is the same for CommonJS. */
export { BatchClient, BatchIdInUseError, BatchNotFoundError, InvalidInputError } from './client.js';
export type {
  BatchClientOptions,
  BatchInput,
  BatchInputOptions,
  BatchListing,
  BatchProgress,
  BatchStatus,
  BatchSummary,
  Classification,
  Counts,
  InputProblem,
  Limits,
  Outcome,
  Source,
  StartedBatch,
  WaitOptions,
} from './client.js';
