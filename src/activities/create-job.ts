import { activityInfo } from '@temporalio/activity';
import type { CreatedJob, JobRef, RemoteJob } from '../contract/activities';
import { createIntentSchema, remoteJobSchema } from '../contract/archive';
import type { CreateIntent, PlanLine, RemoteJobFile } from '../contract/archive';
import type { Limits } from '../contract/batch';
import { jobKeys } from '../contract/keys';
import { externalId, idempotencyKey, jobWorkflowId } from '../contract/messages';
import { webhookPath } from '../contract/webhook-path';
import { hasResult, isTerminal } from '../domain/job-state';
import type { Job } from '../plangrep/schemas';
import type { Store } from '../store';
import { findJson } from '../store/jsonl';
import type { Dependencies } from './dependencies';
import { notYet } from './failure';
import { saveJobFile } from './job-file';
import { readJobLines } from './plan';

/** An idempotency key lives for an unstated time; after this long, in ms, the project's jobs are searched before it is used. */
const intentLifeMs = 3_600_000;
/** A job lives for seven days in every documented example (/api-reference/jobs/list-jobs); used only when no job object says. */
const assumedLifeMs = 7 * 24 * 3_600_000;

type Request = JobRef & { projectId: string };
type CreateBody = { externalId: string; webhookUrl?: string };
/** What a call told of a remote job. */
interface Told {
  job: Job;
  /** Plangrep shows it in the first answer to the create call, never again (/api-reference/jobs/create-job). */
  webhookSecret: string | null;
}

/**
 * The remote job of a planned job, made at most once. Each attempt takes the next step that is missing and makes at most
 * one remote call: search for a job that an old intent may have made, create, read what an abbreviated answer left out.
 */
export async function createJobOnce(deps: Dependencies, request: Request): Promise<CreatedJob> {
  const remote = await readRemote(deps.store, request);
  if (!remote) {
    const intent = await readIntent(deps, request);
    const told = isOld(intent) ? await search(deps, request, intent) : await create(deps, request, intent);
    return answer(deps, request, await saveRemote(deps, request, told, intent.externalId));
  }
  if (remote.expiresAt !== null) return answer(deps, request, remote);
  const job = await deps.plangrep.getJob(remote.jobId);
  const told = { job: { ...job, expiresAt: job.expiresAt ?? assumedEnd(remote.createdAt) }, webhookSecret: null };
  return answer(deps, request, await saveRemote(deps, request, told, remote.externalId, remote.webhookSecret));
}

/** The remote job that was made for this one; null when none is known, or when this job has been closed. */
export async function createdJob(store: Store, ref: JobRef): Promise<RemoteJob | null> {
  const remote = await readRemote(store, ref);
  return remote && remoteJob(remote, remote.expiresAt ?? assumedEnd(remote.createdAt));
}

const remoteJob = ({ jobId, externalId: name, createdAt }: RemoteJobFile, expiresAt: string): RemoteJob => ({ jobId, externalId: name, createdAt, expiresAt });

async function readRemote(store: Store, { batchId, job }: JobRef): Promise<RemoteJobFile | null> {
  return findJson(store, jobKeys(batchId, job).remote, remoteJobSchema);
}

/** The decision to create, written before the first call; a job closed by Plangrep in the meantime needs the next generation. */
async function readIntent(deps: Dependencies, request: Request): Promise<CreateIntent> {
  const known = await findJson(deps.store, jobKeys(request.batchId, request.job).intent, createIntentSchema);
  return known ?? writeIntent(deps, request, 1);
}

async function writeIntent(deps: Dependencies, { batchId, job }: Request, generation: number): Promise<CreateIntent> {
  const name = externalId(batchId, job, generation);
  const workflowId = jobWorkflowId(batchId, job);
  const body = deps.seal.seal(JSON.stringify(createBody(deps, workflowId, name)), workflowId);
  const intent = { generation, externalId: name, idempotencyKey: idempotencyKey('create', name), body, at: new Date().toISOString() };
  await deps.store.write(jobKeys(batchId, job).intent, JSON.stringify(intent));
  return intent;
}

function createBody({ seal, settings: { webhookUrl } }: Dependencies, workflowId: string, name: string): CreateBody {
  return { externalId: name, ...(webhookUrl !== undefined && { webhookUrl: webhookUrl + webhookPath(workflowId, seal.sign(workflowId)) }) };
}

const isOld = (intent: CreateIntent): boolean => Date.now() - Date.parse(intent.at) > intentLifeMs;

/** Sends what the intent holds, whatever the settings have become: the same key with another body would be a conflict. */
async function create(deps: Dependencies, request: Request, intent: CreateIntent): Promise<Told> {
  const body = JSON.parse(deps.seal.open(intent.body, jobWorkflowId(request.batchId, request.job))) as CreateBody;
  const { job, webhookSigningSecret } = await deps.plangrep.createJob(request.projectId, body, { idempotencyKey: intent.idempotencyKey });
  if (await isUsable(deps, request, intent, job)) return { job, webhookSecret: webhookSigningSecret };
  return again(`The job made for ${intent.externalId} is ${job.status}`);
}

async function search(deps: Dependencies, request: Request, intent: CreateIntent): Promise<Told> {
  for await (const job of deps.plangrep.listJobs(request.projectId)) {
    if (job.externalId !== intent.externalId) continue;
    if (await isUsable(deps, request, intent, job)) return { job, webhookSecret: null };
    return again(`The job found for ${intent.externalId} is ${job.status}`);
  }
  await deps.store.write(jobKeys(request.batchId, request.job).intent, JSON.stringify({ ...intent, at: new Date().toISOString() }));
  return again(`No job was found for ${intent.externalId}`);
}

/** A job that ended without a result is never used again: the next generation takes its place. */
async function isUsable(deps: Dependencies, request: Request, { generation }: CreateIntent, job: Job): Promise<boolean> {
  if (!isTerminal(job.status) || hasResult(job.status)) return true;
  await writeIntent(deps, request, generation + 1);
  return false;
}

function again(message: string): never {
  throw notYet(message, 1);
}

/** The job's id and its secret become known in one write, so that neither is ever without the other. `sealed`: a secret known before. */
async function saveRemote(deps: Dependencies, request: Request, { job, webhookSecret }: Told, name: string, sealed: string | null = null): Promise<RemoteJobFile> {
  const remote: RemoteJobFile = {
    jobId: job.id,
    externalId: name,
    createdAt: job.createdAt ?? new Date(activityInfo().currentAttemptScheduledTimestampMs).toISOString(),
    expiresAt: job.expiresAt ?? null,
    maxFiles: job.limits?.maxFiles ?? null,
    maxBytes: job.limits?.maxDeclaredBytes ?? null,
    webhookSecret: webhookSecret === null ? sealed : deps.seal.seal(webhookSecret, jobWorkflowId(request.batchId, request.job)),
  };
  await deps.store.write(jobKeys(request.batchId, request.job).remote, JSON.stringify(remote));
  await saveJobFile(deps.store, request, { ...job, externalId: name });
  return remote;
}

const assumedEnd = (createdAt: string): string => new Date(Date.parse(createdAt) + assumedLifeMs).toISOString();

async function answer({ store }: Dependencies, { batchId, job }: Request, remote: RemoteJobFile): Promise<CreatedJob> {
  if (remote.expiresAt === null) return again(`Job ${remote.jobId} was created; its deadline is not known yet`);
  const lowered = loweredLimits(await readJobLines(store, batchId, job), remote);
  return { ...remoteJob(remote, remote.expiresAt), lowered, webhookSecret: remote.webhookSecret };
}

/** The created job's limits, when its documents exceed them. */
function loweredLimits(lines: PlanLine[], { maxFiles, maxBytes }: RemoteJobFile): Limits | null {
  const bytes = lines.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
  const fits = lines.length <= (maxFiles ?? Infinity) && bytes <= (maxBytes ?? Infinity);
  return fits ? null : { ...(maxFiles !== null && { maxFiles }), ...(maxBytes !== null && { maxBytes }) };
}
