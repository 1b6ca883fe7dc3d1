import { setMaxListeners } from 'node:events';
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import type { TransferActivities, UploadedJob } from '../../contract/activities';
import { inputFileSchema, remoteJobSchema, uploadRecordSchema } from '../../contract/archive';
import type { PlanLine, UploadRecord } from '../../contract/archive';
import { maxBytesPerJob, maxFilesPerJob } from '../../contract/batch';
import { failureTypes } from '../../contract/failures';
import { batchKeys, jobKeys } from '../../contract/keys';
import { isPastUploads, takesUploads } from '../../domain/job-state';
import { findJson, jsonLines, readJson, readJsonLines } from '../../store/jsonl';
import type { Dependencies } from '../dependencies';
import { giveUp, notYet } from '../failure';
import { withHeartbeat } from '../heartbeat';
import { liveness } from '../ledger';
import type { Claimant } from '../ledger';
import { readJobLines, readPlan } from '../plan';
import { openRoot } from '../plan/root';
import { createUploadEngine, type UploadEngine } from './engine';
import { uploadForm } from './form';
import { watch, type JobUpload } from './job-upload';
import { Ledger } from './ledger';
import { uploadSigned } from './signed';

type Request = Parameters<TransferActivities['uploadDocuments']>[0];

/** The activity that sends a job's documents. */
export function createUploadActivities(deps: Dependencies): Pick<TransferActivities, 'uploadDocuments'> {
  const engine = deps.uploads ?? createUploadEngine();
  return {
    async uploadDocuments(request): Promise<UploadedJob> {
      const done = await readRecords(deps, request);
      if (done) return totals(done);
      // Its heartbeat needs no look at what is done: each step is watched, and one that stands still ends the attempt.
      return withHeartbeat(async () => {
        await requireOpenJob(deps, request);
        return totals(await send(deps, engine, request));
      });
    },
  };
}

async function send(deps: Dependencies, engine: UploadEngine, request: Request): Promise<UploadRecord[]> {
  const { batchId, job } = request;
  const stop = new AbortController();
  const running = { engine, signal: AbortSignal.any([cancellationSignal(), stop.signal]) };
  // Every document that waits for its turn listens.
  setMaxListeners(0, running.signal);
  const what = `Job ${job}`;
  try {
    const { upload, lines } = await watch(running, { what, awaits: 'archive' }, () => prepare(deps, running, request));
    await (request.upload === 'form' ? uploadForm : uploadSigned)(upload, lines);
    const records = lines.map((line) => upload.records.get(line.seq) ?? unsettled(line));
    await watch(running, { what, awaits: 'archive' }, () => deps.store.write(jobKeys(batchId, job).uploads, jsonLines(records)));
    return records;
  } finally {
    // What still hashes ahead after a failure has no use any more.
    stop.abort();
  }
}

async function prepare(deps: Dependencies, running: Pick<JobUpload, 'engine' | 'signal'>, request: Request): Promise<{ upload: JobUpload; lines: PlanLine[] }> {
  const { batchId, job, remote } = request;
  const upload: JobUpload = {
    ...running,
    deps,
    ref: { batchId, job },
    remote,
    root: await openRoot((await readPlan(deps.store, batchId)).root),
    ledger: await Ledger.open(deps, { batchId, job }),
    limits: await remoteLimits(deps, request),
    claimant: request.skipProcessed ? await claimantOf(deps, request) : null,
    records: new Map(),
  };
  return { upload, lines: await readJobLines(deps.store, batchId, job) };
}

async function claimantOf({ store, temporal }: Dependencies, { projectId, batchId, job, remote }: Request): Promise<Claimant> {
  const { input } = await readJson(store, batchKeys(batchId).input, inputFileSchema);
  const runId = activityInfo().workflowExecution?.runId ?? '';
  return { projectId, batchId, job, jobId: remote.jobId, runId, retryPartial: input.retryPartialDocuments, isLive: liveness(temporal) };
}

function unsettled({ seq, fileName }: PlanLine): never {
  throw new Error(`Document ${seq} (${fileName}) was neither sent nor given up`);
}

/** A job that is still being set up takes no files yet; one that is past its upload window takes none any more (/api-reference/jobs/create-job). */
async function requireOpenJob({ plangrep, pace, settings }: Dependencies, { remote }: Request): Promise<void> {
  await pace.wait(cancellationSignal());
  const { status } = await plangrep.getJob(remote.jobId, { signal: cancellationSignal() });
  if (takesUploads(status)) return;
  if (isPastUploads(status)) throw giveUp(failureTypes.rejected, `Job ${remote.jobId} is ${status} and takes no files`);
  throw notYet(status === 'provisioning' ? `Job ${remote.jobId} is being set up` : `Job ${remote.jobId} is ${status}, and takes no files yet`, settings.minPollMs);
}

async function remoteLimits({ store }: Dependencies, { batchId, job }: Request): Promise<JobUpload['limits']> {
  const remote = await findJson(store, jobKeys(batchId, job).remote, remoteJobSchema);
  return { maxFiles: remote?.maxFiles ?? maxFilesPerJob, maxBytes: remote?.maxBytes ?? maxBytesPerJob };
}

async function readRecords({ store }: Dependencies, { batchId, job }: Request): Promise<UploadRecord[] | null> {
  const key = jobKeys(batchId, job).uploads;
  if (!(await store.stat(key))) return null;
  const records: UploadRecord[] = [];
  for await (const record of readJsonLines(store, key, uploadRecordSchema)) records.push(record);
  return records;
}

function totals(records: UploadRecord[]): UploadedJob {
  const sent = records.filter((record) => record.sent);
  return { sent: sent.length, notSent: records.length - sent.length, bytes: sent.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}
