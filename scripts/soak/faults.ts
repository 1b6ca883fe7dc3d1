import type { FaultOptions } from '../../src/simulator/faults';
import { names } from './plan';

/** A share of the requests, as long as the run lasts. */
const share = (rate: number, fault: Omit<Extract<FaultOptions, { kind: 'request' }>, 'kind' | 'rate' | 'times'>): FaultOptions => ({ kind: 'request', times: 0, rate, ...fault });

/**
 * What goes wrong all the time, each at a low rate, spread evenly over the requests that it can hit: the same in every run. The ones that an
 * operator has to end (no credits, a refused key, a job that is not there) are rarer. None of them is a reason for a document not to be processed.
 */
export const steadyFaults: FaultOptions[] = [
  share(0.004, { status: 429, headers: { 'Retry-After': '1' } }),
  share(0.004, { status: 500 }),
  share(0.004, { status: 503, headers: { 'Retry-After': '1' } }),
  share(0.004, { html: true }),
  share(0.005, { drop: 'before' }),
  share(0.005, { drop: 'after' }),
  share(0.004, { truncateBytes: 15 }),
  share(0.01, { delayMs: 700 }),
  share(0.03, { operation: 'createJob', drop: 'after' }),
  share(0.01, { operation: 'createJob', status: 402 }),
  share(0.03, { operation: 'registerUploads', drop: 'after' }),
  share(0.03, { operation: 'completeUploads', drop: 'after' }),
  share(0.01, { operation: 'completeUploads', status: 401 }),
  share(0.005, { operation: 'getJob', status: 404 }),
  share(0.05, { operation: 'listProjects', status: 503 }),
  share(0.2, { operation: 'createProject', drop: 'after' }),
  share(0.2, { operation: 'getProject', status: 500 }),
  share(0.03, { operation: 'getJobResult', truncateBytes: 400 }),
  share(0.01, { operation: 'getJobArtifact', truncateBytes: 200 }),
  share(0.004, { operation: 'putObject', status: 503, html: true }),
  share(0.002, { operation: 'putObject', status: 403, body: '<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>' }),
  share(0.0005, { operation: 'putObject', stallBytes: 100 }),
  share(0.05, { operation: 'putPart', status: 503 }),
  share(0.05, { operation: 'putPart', drop: 'after' }),
  share(0.05, { operation: 'putPart', etag: '' }),
  { kind: 'webhook', rate: 0.1, delivery: 'dropped' },
  { kind: 'webhook', rate: 0.1, delivery: 'duplicated', copies: 3 },
  { kind: 'webhook', rate: 0.05, delivery: 'reordered' },
  { kind: 'webhook', rate: 0.05, delivery: 'delayed', delayMs: 4_000 },
  { kind: 'webhook', rate: 0.02, delivery: 'forged' },
  { kind: 'document', fileName: names.sick, failPages: [1] },
  { kind: 'document', fileName: names.dead, failPages: 'all' },
  { kind: 'job', fileName: names.poison, failJob: { code: 'unreadable_document' } },
];

/** The jobs of one batch fail when half of their documents are paid; for as long as it may take. */
export const failsHalfway = (batchId: string): FaultOptions => ({ kind: 'job', externalId: `batch/${batchId}/`, failJob: { code: 'render_error', at: 'processing' }, forMs: 30 * 60_000 });
