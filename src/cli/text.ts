import type { BatchSummary } from '../client';
import { visibleText } from '../domain/visible-text';
import { cureText, reasonText, troubleText, warningText } from './gate';

const units = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** A size as people read it, in decimal units: 1.2 MB. */
export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}

/** A duration as people read it: 1 h 2 min, 3 min 4 s, 5 s. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [h, min, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  if (h > 0) return `${h} h ${min} min`;
  return min > 0 ? `${min} min ${s} s` : `${s} s`;
}

/** "1 document", "2 documents". */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Rows of name and value, aligned and a line each, whatever a value holds; rows without one are left out. */
export function table(rows: [name: string, value: string | null][]): string {
  const shown = rows.filter((row): row is [string, string] => row[1] !== null);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `  ${name.padEnd(width)}  ${visibleText(value)}`).join('\n');
}

/** A batch's summary for people. */
export function summaryText(summary: BatchSummary, now: Date): string {
  const { batchId, status, documents, documentsDone, counts, jobs, startedAt, closedAt, warning, error } = summary;
  const gate = closedAt === null ? summary.gate : null;
  const outcomes = Object.entries(counts).filter(([, count]) => count > 0).map(([outcome, count]) => `${count} ${outcome}`);
  const took = (closedAt === null ? now.getTime() : Date.parse(closedAt)) - Date.parse(startedAt);
  const rows: [string, string | null][] = [
    ['documents', `${documentsDone} of ${documents} done${outcomes.length > 0 ? `: ${outcomes.join(', ')}` : ''}`],
    ['jobs', `${jobs.done} done, ${jobs.open} open, ${jobs.planned} planned`],
    ['bytes', bytesText(summary.bytes)],
    ['pages', String(summary.pages)],
    ['credits', String(summary.credits)],
    ['time', `${durationText(took)}${closedAt === null ? ' so far' : ''}`],
    ['waits', gate && `no new job starts since ${gate.since}: ${reasonText(gate)}`],
    ['what to do', gate && cureText(batchId, gate)],
    ['waits for', summary.trouble && closedAt === null ? troubleText(summary.trouble) : null],
    ['warning', warning && closedAt === null ? warningText(warning) : null],
    ['results expire', closedAt === null ? summary.nextExpiresAt : null],
    ['retries', summary.retryOf],
    ['archive', summary.archive],
    ['web UI', summary.webUrl],
    ['error', error && `${error.code}: ${error.message}`],
  ];
  return `Batch ${batchId}: ${status}\n${table(rows)}`;
}
