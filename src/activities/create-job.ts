import { activityInfo } from '@temporalio/activity';
import type { CreatedJob, JobRef, RemoteJob } from '../contract/activities';
import { createIntentSchema, remoteJobSchema } from '../contract/archive';
import type { CreateIntent, PlanLine, RemoteJobFile } from '../contract/archive';
import type { Limits } from '../contract/batch';
import { failureTypes } from '../contract/failures';
import { jobKeys } from '../contract/keys';
import { externalId, idempotencyKey, jobWorkflowId } from '../contract/messages';
import { webhookPath } from '../contract/webhook-path';
import { hasResult, isTerminal } from '../domain/job-state';
import { ContractError, RejectedError } from '../plangrep/errors';
import type { Job } from '../plangrep/schemas';
import type { Store } from '../store';
import { findJson } from '../store/jsonl';
import type { Dependencies } from './dependencies';
import { giveUp, hasPassed, notYet } from './failure';
import { saveJobFile } from './job-file';
import { readJobLines } from './plan';
import { isUpgrading } from './project';

/** An idempotency key lives for an unstated time; after this long, in ms, the project's jobs are searched before it is used. */
const intentLifeMs = 3_600_000;
const dayMs = 24 * 3_600_000;
/** A job lives for seven days in every documented example (/api-reference/jobs/list-jobs); used only when no job object says. */
const assumedLifeMs = 7 * dayMs;
/** What claims to live longer has said nothing: Temporal's timeouts and search attributes end somewhere. */
const longestLifeMs = 36_525 * dayMs;
/** So many remote jobs are made for one job at most: an account whose jobs are ended at once would get new ones for a week. */
const maxGenerations = 10;

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
    const life = saneLife(told.job) ?? { createdAt: iso(activityInfo().currentAttemptScheduledTimestampMs), expiresAt: null };
    return answer(deps, request, await saveRemote(deps, request, told, { externalId: intent.externalId, webhookSecret: null, ...life }));
  }
  if (remote.expiresAt !== null) return answer(deps, request, remote);
  const job = await deps.plangrep.getJob(remote.jobId);
  const life = saneLife(job) ?? { createdAt: remote.createdAt, expiresAt: assumedEnd(remote.createdAt) };
  return answer(deps, request, await saveRemote(deps, request, { job, webhookSecret: null }, { ...remote, ...life }));
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
  const call = deps.plangrep.createJob(request.projectId, body, { idempotencyKey: intent.idempotencyKey });
  const { job, webhookSigningSecret } = await call.catch((error: unknown) => notReady(deps, request, error));
  // What a mixed-up cache says of another job must not have its documents sent there.
  if (job.externalId && job.externalId !== intent.externalId) throw new ContractError('The answer to a job’s creation', ['job.externalId: is another job'], { status: 202 });
  return isUsable(job) ? { job, webhookSecret: webhookSigningSecret } : nextGeneration(deps, request, intent, job);
}

/** A project that is upgraded while the batch runs takes no jobs meanwhile (/concepts/projects): that is no refusal of this one. */
async function notReady({ plangrep, settings }: Dependencies, { projectId }: Request, error: unknown): Promise<never> {
  if (!(error instanceof RejectedError) || error.status !== 409) throw error;
  const project = await plangrep.getProject(projectId);
  if (project.status === 'ready' && !isUpgrading(project)) throw error;
  throw notYet(`Project ${projectId} takes no jobs at the moment: it is ${isUpgrading(project) ? 'being upgraded' : `"${project.status}"`}`, settings.projectPollMs);
}

/** Several may have the name, since it need not be unique: one that can be used counts, wherever it stands. */
async function search(deps: Dependencies, request: Request, intent: CreateIntent): Promise<Told> {
  let ended: Job | null = null;
  for await (const job of deps.plangrep.listJobs(request.projectId)) {
    if (job.externalId !== intent.externalId) continue;
    if (isUsable(job) && !(job.expiresAt && hasPassed(job.expiresAt))) return { job, webhookSecret: null };
    ended ??= job;
  }
  if (ended) return nextGeneration(deps, request, intent, ended);
  await deps.store.write(jobKeys(request.batchId, request.job).intent, JSON.stringify({ ...intent, at: new Date().toISOString() }));
  return again(`No job was found for ${intent.externalId}`);
}

const isUsable = ({ status }: Job): boolean => !isTerminal(status) || hasResult(status);

/** A job that ended without a result is never used again: the next generation takes its place, later and later. */
async function nextGeneration(deps: Dependencies, request: Request, { generation, externalId: name }: CreateIntent, { status, error }: Job): Promise<never> {
  const why = error ? `: ${error.code} ${error.message}` : '';
  if (generation >= maxGenerations) throw giveUp(failureTypes.rejected, `Plangrep ended ${generation} jobs before anything was sent; the last one, ${name}, is ${status}${why}`);
  await writeIntent(deps, request, generation + 1);
  throw notYet(`The job made for ${name} is ${status}${why}`, generation === 1 ? 1 : 1_000 * 2 ** generation);
}

function again(message: string): never {
  throw notYet(message, 1);
}

/** The job's id and its secret become known in one write, so that neither is ever without the other. `known`: how it is called, its life, and a secret known before. */
async function saveRemote(
  deps: Dependencies,
  request: Request,
  { job, webhookSecret }: Told,
  { externalId: name, createdAt, expiresAt, webhookSecret: sealed }: Omit<RemoteJobFile, 'jobId' | 'maxFiles' | 'maxBytes'>,
): Promise<RemoteJobFile> {
  const remote: RemoteJobFile = {
    jobId: job.id,
    externalId: name,
    createdAt,
    expiresAt,
    maxFiles: job.limits?.maxFiles ?? null,
    maxBytes: job.limits?.maxDeclaredBytes ?? null,
    webhookSecret: webhookSecret === null ? sealed : deps.seal.seal(webhookSecret, jobWorkflowId(request.batchId, request.job)),
  };
  await deps.store.write(jobKeys(request.batchId, request.job).remote, JSON.stringify(remote));
  await saveJobFile(deps.store, request, { ...job, externalId: name });
  return remote;
}

const iso = (ms: number): string => new Date(ms).toISOString();
const assumedEnd = (createdAt: string): string => iso(Date.parse(createdAt) + assumedLifeMs);

/**
 * A new job's life as it says; null when it says nothing that can be believed. One that would be over already is told by a clock
 * that is days off: then its length counts, from now on.
 */
function saneLife({ createdAt, expiresAt }: Job): { createdAt: string; expiresAt: string } | null {
  const now = Date.now();
  const end = Date.parse(expiresAt ?? '');
  const toldStart = Date.parse(createdAt ?? '');
  const start = Number.isNaN(toldStart) ? now : toldStart;
  const lifeMs = end - start;
  if (!(lifeMs > 0 && lifeMs <= longestLifeMs)) return null;
  return end > now ? { createdAt: iso(start), expiresAt: iso(end) } : { createdAt: iso(now), expiresAt: iso(now + lifeMs) };
}

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
