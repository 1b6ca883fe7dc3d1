import { condition, getExternalWorkflowHandle, isCancellation, patched, setHandler } from '@temporalio/workflow';
import type { GateReason } from '../contract/batch';
import { deadlineNearedSignal, gateOpenedSignal, jobBlockedSignal, jobResumedSignal, jobWorkflowId, pauseUpdate, resumeJobSignal, resumeUpdate } from '../contract/messages';
import type { Answer, BatchState, BlockedJob } from '../contract/messages';
import { runningStatus, showProgress } from './batch-state';
import { refusalOf } from './step';

/** After how long a closed gate is tried, in ms: doubling from the first to the second. */
const probeMs = { first: 5 * 60_000, last: 60 * 60_000 };
/** Jobs that fail in a row with one code before nothing more is started. */
const failuresToStop = 3;

/** Hears the operator, and the jobs that wait for the gate. */
export function setGateHandlers(batch: BatchState): void {
  setHandler(resumeUpdate, () => resume(batch));
  setHandler(pauseUpdate, () => pause(batch));
  setHandler(jobBlockedSignal, (blocked) => addBlocked(batch, blocked));
  setHandler(jobResumedSignal, ({ job }) => goesOn(batch, job));
  setHandler(deadlineNearedSignal, (warning) => {
    if (!batch.open.includes(warning.job)) return;
    batch.warnings = [...batch.warnings.filter(({ job }) => job !== warning.job), warning];
    show(batch);
  });
}

/** While there is nothing to gate yet, or any more, the status says what the batch is at. */
function show(batch: BatchState): void {
  const { status } = batch.progress;
  const atItsJobs = status !== 'planning' && status !== 'archiving';
  showProgress(batch, atItsJobs || batch.gate ? runningStatus(batch) : status);
}

/** Whether a job may be started. While blocked jobs are let go one by one, no new one gets in before them. */
export const isOpen = ({ gate, blocked }: BatchState): boolean => gate === null && blocked.length === 0;

function closeGate(batch: BatchState, reason: GateReason): void {
  const probes = reason !== 'paused' && reason !== 'failing' && batch.input.probe;
  const waitMs = Math.min(probeMs.first * 2 ** batch.probes, probeMs.last);
  const before = batch.gate?.reason === reason ? batch.gate : null;
  const planned = before?.nextProbeAt && Date.parse(before.nextProbeAt) > Date.now() ? before.nextProbeAt : new Date(Date.now() + waitMs).toISOString();
  batch.gate = { reason, since: before?.since ?? new Date().toISOString(), nextProbeAt: probes ? planned : null };
  show(batch);
}

function openGate(batch: BatchState): void {
  batch.gate = null;
  batch.probes = 0;
  show(batch);
}

/** Opens the gate for the next call to find out; when that is refused, it stays closed for longer than before. */
function tryCall(batch: BatchState): void {
  batch.probes += 1;
  batch.gate = null;
  show(batch);
}

/** Something got through an open gate: it was no mere try. */
export function isThrough(batch: BatchState): void {
  if (batch.gate === null) batch.probes = 0;
}

function resume(batch: BatchState): Answer {
  const was = batch.gate;
  batch.failures = null;
  openGate(batch);
  const { length } = batch.blocked;
  const opened = was ? `The gate is open; it was closed since ${was.since} (${was.reason}).` : 'The gate was open already.';
  return { status: batch.progress.status, message: length > 0 ? `${opened} ${length} waiting ${length === 1 ? 'job goes' : 'jobs go'} on, one after another.` : opened };
}

function pause(batch: BatchState): Answer {
  if (batch.progress.status === 'archiving') return { status: 'archiving', message: 'No job is left to start: the manifest is being written.' };
  closeGate(batch, 'paused');
  return { status: batch.progress.status, message: `No new job starts until resume; ${batch.open.length} running ${batch.open.length === 1 ? 'job finishes' : 'jobs finish'}.` };
}

/** A job came to the gate, or came back to it. Whatever an operator closed it for stays the reason. */
function addBlocked(batch: BatchState, blocked: BlockedJob): void {
  if (!batch.open.includes(blocked.job)) return;
  batch.blocked = [...batch.blocked.filter(({ job }) => job !== blocked.job), blocked];
  if (batch.goingOn === blocked.job) batch.goingOn = null;
  if (batch.gate?.reason === 'paused' || batch.gate?.reason === 'failing') show(batch);
  else closeGate(batch, blocked.reason);
}

/** A job got through, or somebody resumed it at Plangrep: then the others can go on too. */
function goesOn(batch: BatchState, job: number): void {
  const { gate } = batch;
  if (!batch.blocked.some((blocked) => blocked.job === job)) return;
  leaveGate(batch, job);
  isThrough(batch);
  if (gate && gate.reason !== 'paused' && gate.reason !== 'failing') openGate(batch);
  else show(batch);
}

/** Forgets a job at the gate: it goes on, or has ended. */
export function leaveGate(batch: BatchState, job: number): void {
  batch.blocked = batch.blocked.filter((blocked) => blocked.job !== job);
  if (batch.goingOn === job) batch.goingOn = null;
}

/** Counts jobs that fail in a row with one code; null is a job that did not fail. The brake: after three, nothing more starts. */
export function countFailure(batch: BatchState, code: string | null): void {
  if (code === null) {
    batch.failures = null;
    return;
  }
  const inARow = batch.failures?.code === code ? batch.failures.inARow + 1 : 1;
  batch.failures = { code, inARow };
  if (inARow >= failuresToStop) closeGate(batch, 'failing');
}

/**
 * Lets blocked jobs go on one after another, the one whose deadline is nearest first, the next when the previous got through. While the
 * gate is closed the first of them is tried now and then; when none is there, the gate is opened for the next call to find out.
 */
export async function keepGate(batch: BatchState, onGone: () => void): Promise<never> {
  for (;;) {
    const next = nearest(batch.blocked);
    const { gate } = batch;
    const isDue = gate !== null && gate.nextProbeAt !== null && Date.now() >= Date.parse(gate.nextProbeAt);
    if (isDue && next) probe(batch);
    if (batch.goingOn === null && next && (gate === null || isDue)) {
      if (!(await letGo(batch, next))) onGone();
    } else if (isDue && !next) {
      if (patched('probe-delay-grows')) tryCall(batch);
      else openGate(batch);
    } else {
      await nextTurn(batch);
    }
  }
}

const nearest = (blocked: BlockedJob[]): BlockedJob | undefined => blocked.toSorted((a, b) => (a.expiresAt ?? '~').localeCompare(b.expiresAt ?? '~'))[0];

function probe(batch: BatchState): void {
  batch.probes += 1;
  closeGate(batch, batch.gate!.reason);
}

/** False: the job's workflow is not there any more. */
async function letGo(batch: BatchState, { job, how }: BlockedJob): Promise<boolean> {
  batch.goingOn = job;
  try {
    await getExternalWorkflowHandle(jobWorkflowId(batch.batchId, job)).signal(how === 'resume' ? resumeJobSignal : gateOpenedSignal);
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    leaveGate(batch, job);
    return false;
  }
}

/** Until there may be something to do: a job came or left, the gate moved, or a probe is due. */
async function nextTurn(batch: BatchState): Promise<void> {
  const { gate, goingOn } = batch;
  const ready = () => batch.gate !== gate || (batch.goingOn === null && ((batch.gate === null && batch.blocked.length > 0) || goingOn !== null));
  const waitMs = gate?.nextProbeAt ? Date.parse(gate.nextProbeAt) - Date.now() : null;
  if (waitMs === null) await condition(ready);
  else await condition(ready, Math.max(1, waitMs));
}

/**
 * A call of the batch itself, made again each time the gate has opened after a refusal. `orFail`: a refused key fails the call instead,
 * as it must for the first one, when nothing has been started.
 */
export async function throughGate<T>(batch: BatchState, run: () => Promise<T>, { orFail = false } = {}): Promise<T> {
  for (;;) {
    try {
      const answer = await run();
      isThrough(batch);
      return answer;
    } catch (error) {
      const reason = refusalOf(error);
      if (!reason || (orFail && reason === 'unauthorized')) throw error;
      closeGate(batch, reason);
      await condition(() => batch.gate === null);
    }
  }
}
