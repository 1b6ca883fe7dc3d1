import type { WebhookNews } from '../contract/messages';
import { blockedStatus, isTerminal } from '../domain/job-state';

/** Least time between two signals about one status of one job, in ms. */
export const signalIntervalMs = 10_000;
/** A status or a time that is longer is none. */
const longestText = 64;
/** Statuses of a job that is on its way (/guides/polling-and-webhooks): no reason to look at it. */
const underWay = ['provisioning', 'awaiting_uploads', 'uploading', 'preflighting', 'processing'];

/**
 * What of a webhook is worth telling the job's workflow; null for a job that is on its way. The end, a block, an unknown status and a
 * body that cannot be read are: better one look too many.
 */
export function newsOf(hint: WebhookNews | null): WebhookNews | null {
  const short = (text: string | null | undefined): string | null => (text && text.length <= longestText ? text : null);
  const [status, updatedAt] = [short(hint?.status), short(hint?.updatedAt)];
  return status !== null && underWay.includes(status) ? null : { status, updatedAt };
}

/** Whether the documentation names this status, as one that is told. */
export const isKnown = (status: string | null): boolean => status === null || status === blockedStatus || isTerminal(status);

/** What is remembered about one status of one job. Times are of any clock that never goes back, in ms. */
export interface Channel {
  /** What last reached the workflow, and when. */
  readonly sent: { readonly updatedAt: string | null; readonly at: number } | null;
  /** Under way to the workflow. */
  readonly sending: WebhookNews | null;
  /** To be sent as soon as it may be; the newest only. */
  readonly waiting: WebhookNews | null;
  /** Attempts in a row that failed, and when the last one did. */
  readonly failures: number;
  readonly failedAt: number;
}

/** Nothing has come yet. */
export const newChannel: Channel = { sent: null, sending: null, waiting: null, failures: 0, failedAt: 0 };

/** What is to be done with news: `send` now, `wait` until it may be sent, `join` the same that is under way, or `drop` what has been sent. */
export type Verdict = 'send' | 'wait' | 'join' | 'drop';

/** Without a time nobody can tell a repeat from something new. */
const isRepeat = (news: WebhookNews, of: { updatedAt: string | null } | null): boolean => of !== null && news.updatedAt !== null && news.updatedAt === of.updatedAt;

/** News came. */
export function onNews(channel: Channel, news: WebhookNews, now: number): { channel: Channel; verdict: Verdict } {
  if (isRepeat(news, channel.sending)) return { channel, verdict: 'join' };
  if (channel.sending) return { channel: { ...channel, waiting: news }, verdict: 'wait' };
  if (isRepeat(news, channel.sent)) return { channel, verdict: 'drop' };
  if (now < earliest(channel)) return { channel: { ...channel, waiting: news }, verdict: 'wait' };
  // Whatever waited is older, or as good a reason to look at the job.
  return { channel: { ...channel, sending: news, waiting: null }, verdict: 'send' };
}

/** How sending ended: it reached the workflow, the workflow is `gone`, or nobody knows. Only what reached it counts as sent. */
export function onSent(channel: Channel, outcome: 'sent' | 'gone' | 'failed', now: number): Channel {
  const { sending, waiting } = channel;
  if (outcome === 'gone') return { ...newChannel, sent: channel.sent };
  if (outcome === 'failed') return { ...channel, sending: null, waiting: waiting ?? sending, failures: channel.failures + 1, failedAt: now };
  const sent = { updatedAt: sending?.updatedAt ?? null, at: now };
  return { ...newChannel, sent, waiting: waiting && isRepeat(waiting, sent) ? null : waiting };
}

/** When what waits may be sent; null when nothing does, or something is under way. */
export const dueAt = (channel: Channel): number | null =>
  channel.waiting === null || channel.sending !== null ? null : Math.max(earliest(channel), channel.failures === 0 ? 0 : channel.failedAt + backoffMs(channel.failures));

/** What waits is sent now. */
export const onDue = (channel: Channel): Channel => ({ ...channel, sending: channel.waiting, waiting: null });

const earliest = ({ sent }: Channel): number => (sent === null ? -Infinity : sent.at + signalIntervalMs);
const backoffMs = (failures: number): number => Math.min(1000 * 2 ** (failures - 1), 30_000);
