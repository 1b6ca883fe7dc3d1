import type { WebhookNews } from '../contract/messages';
import { blockedStatus, isTerminal } from '../domain/job-state';

/** Least time between two signals about one status of one job, in ms; it doubles while news keep coming. */
export const signalIntervalMs = 10_000;
/** What it doubles up to, in ms: as often as a job is polled that has webhooks, so that a flood of them costs no more than having none. */
export const longestIntervalMs = 600_000;
/** Times of a status' changes that are remembered as told, per job. */
const mostTold = 8;
/** What a status looks like. Anything else is none: texts that somebody made up do not get into a history. */
const statusPattern = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
/** What a time, or whatever stands in its place, looks like. */
const timePattern = /^[A-Za-z0-9.:+-]{1,64}$/;
/** Statuses of a job that is on its way (/guides/polling-and-webhooks): no reason to look at it. */
const underWay = ['provisioning', 'awaiting_uploads', 'uploading', 'preflighting', 'processing'];

/**
 * What of a webhook is worth telling the job's workflow; null for a job that is on its way. The end, a block, an unknown status and a
 * body that cannot be read are: better one look too many.
 */
export function newsOf(hint: WebhookNews | null): WebhookNews | null {
  const like = (pattern: RegExp, text: string | null | undefined): string | null => (text && pattern.test(text) ? text : null);
  const [status, updatedAt] = [like(statusPattern, hint?.status), like(timePattern, hint?.updatedAt)];
  return status !== null && underWay.includes(status) ? null : { status, updatedAt };
}

/** Whether the documentation names this status, as one that is told. */
export const isKnown = (status: string | null): boolean => status === null || status === blockedStatus || isTerminal(status);

/** What is remembered about one status of one job. Times are of any clock that never goes back, in ms. */
export interface Channel {
  /** The changes that reached the workflow, by their times, the last one last; a few. */
  readonly told: readonly string[];
  /** Since when, and for how long, nothing is sent: the workflow was told, or was found to be over. */
  readonly rest: { readonly from: number; readonly ms: number } | null;
  /** Under way to the workflow. */
  readonly sending: WebhookNews | null;
  /** To be sent as soon as it may be; the newest only. */
  readonly waiting: WebhookNews | null;
  /** Attempts in a row that failed, and when the last one did. */
  readonly failures: number;
  readonly failedAt: number;
}

/** Nothing has come yet. */
export const newChannel: Channel = { told: [], rest: null, sending: null, waiting: null, failures: 0, failedAt: 0 };

/** What is to be done with news: `send` now, `wait` until it may be sent, `join` the same that is under way, or `drop` what has been sent. */
export type Verdict = 'send' | 'wait' | 'join' | 'drop';

/** Without a time nobody can tell a repeat from something new. */
const isRepeat = ({ updatedAt }: WebhookNews, of: readonly (string | null)[]): boolean => updatedAt !== null && of.includes(updatedAt);

/** News came. */
export function onNews(channel: Channel, news: WebhookNews, now: number): { channel: Channel; verdict: Verdict } {
  if (channel.sending && isRepeat(news, [channel.sending.updatedAt])) return { channel, verdict: 'join' };
  if (isRepeat(news, channel.told)) return { channel, verdict: 'drop' };
  if (channel.sending || now < earliest(channel)) return { channel: { ...channel, waiting: news }, verdict: 'wait' };
  // Whatever waited is older, or as good a reason to look at the job.
  return { channel: { ...channel, sending: news, waiting: null }, verdict: 'send' };
}

/** How sending ended: it reached the workflow, the workflow is `gone`, or nobody knows. Only what reached it counts as told. */
export function onSent(channel: Channel, outcome: 'sent' | 'gone' | 'failed', now: number): Channel {
  const { sending, waiting } = channel;
  if (outcome === 'failed') return { ...channel, sending: null, waiting: waiting ?? sending, failures: channel.failures + 1, failedAt: now };
  const rest = { from: now, ms: restMs(channel, now) };
  if (outcome === 'gone') return { ...newChannel, told: channel.told, rest };
  const told = sending?.updatedAt ? [...channel.told, sending.updatedAt].slice(-mostTold) : channel.told;
  return { ...newChannel, told, rest, waiting: waiting && isRepeat(waiting, told) ? null : waiting };
}

/** Who is told again right after a rest rests twice as long. */
const restMs = ({ rest }: Channel, now: number): number => (rest && now < rest.from + 2 * rest.ms ? Math.min(2 * rest.ms, longestIntervalMs) : signalIntervalMs);

/** When what waits may be sent; null when nothing does, or something is under way. */
export const dueAt = (channel: Channel): number | null =>
  channel.waiting === null || channel.sending !== null ? null : Math.max(earliest(channel), channel.failures === 0 ? 0 : channel.failedAt + backoffMs(channel.failures));

/** What waits is sent now. */
export const onDue = (channel: Channel): Channel => ({ ...channel, sending: channel.waiting, waiting: null });

const earliest = ({ rest }: Channel): number => (rest === null ? -Infinity : rest.from + rest.ms);
const backoffMs = (failures: number): number => Math.min(1000 * 2 ** (failures - 1), 30_000);
