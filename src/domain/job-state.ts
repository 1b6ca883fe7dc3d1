/** Statuses after which a job never changes again (/guides/polling-and-webhooks). */
export const terminalStatuses = ['completed', 'completed_with_errors', 'failed', 'cancelled', 'expired'] as const;
/** See {@link terminalStatuses}. */
export type TerminalStatus = (typeof terminalStatuses)[number];

/** The status of a job that waits for credits and for somebody to resume it (/concepts/credits). */
export const blockedStatus = 'blocked_insufficient_credits';

/** Whether a job is over. An unknown status is not: the job is read again until its deadline. */
export const isTerminal = (status: string): status is TerminalStatus => (terminalStatuses as readonly string[]).includes(status);

/** Whether files may be sent. A job that is still being set up may not take them yet (/api-reference/jobs/create-job). */
export const takesUploads = (status: string): boolean => status === 'awaiting_uploads' || status === 'uploading';

/** Whether the upload window is behind a job. A status that nobody knows says nothing about it. */
export const isPastUploads = (status: string): boolean => isTerminal(status) || status === 'preflighting' || status === 'processing' || status === blockedStatus;

/** Whether a result exists: only these two have one (/api-reference/jobs/get-job-result). */
export const hasResult = (status: string): boolean => status === 'completed' || status === 'completed_with_errors';

/** What a job workflow knows of its remote job while it waits. */
export interface JobWatch {
  /** `blocked`: waits for credits. `resuming`: was asked to go on, and nothing shows yet that it does. */
  phase: 'waiting' | 'blocked' | 'resuming' | 'ended';
  /** How it ended. */
  status: TerminalStatus | null;
  /** A webhook came, and no read has begun since. */
  hinted: boolean;
}

/** What happens to a job that is waited for. A webhook's content is not looked at: it only makes the job be read. */
export type JobEvent =
  | { kind: 'webhook' }
  | { kind: 'reading' }
  | { kind: 'read'; found: 'blocked' | 'working' | TerminalStatus }
  | { kind: 'resumed' };

/** A job that has been handed over to Plangrep. */
export const newWatch = (): JobWatch => ({ phase: 'waiting', status: null, hinted: false });

/** The state after an event. The end stands, whatever comes late; repeats change nothing; only reads move a job on. */
export function afterEvent(watch: JobWatch, event: JobEvent): JobWatch {
  if (watch.phase === 'ended') return watch;
  if (event.kind === 'webhook') return { ...watch, hinted: true };
  if (event.kind === 'reading') return { ...watch, hinted: false };
  if (event.kind === 'resumed') return watch.phase === 'blocked' ? { ...watch, phase: 'resuming' } : watch;
  if (event.found === 'blocked') return { ...watch, phase: 'blocked' };
  if (event.found === 'working') return { ...watch, phase: 'waiting' };
  return { phase: 'ended', status: event.found, hinted: false };
}

/** What a read is to wait for, beside the end. */
export function readUntil({ phase }: JobWatch): ('blocked' | 'working')[] {
  if (phase === 'blocked') return ['working'];
  return phase === 'resuming' ? ['blocked', 'working'] : ['blocked'];
}
