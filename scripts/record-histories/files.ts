import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';

/** Where recorded histories stay for ever: what was written by any release must replay under all that follow. */
export const historiesFolder = resolve(__dirname, '../../test/replay/histories');

/** Plain JSON of an event; attributes and numbers as protobuf's JSON form has them. */
export interface RecordedEvent {
  eventId: string;
  eventType: string;
  [attributes: string]: unknown;
}

/** One run of a workflow. */
export interface RecordedHistory {
  workflowId: string;
  history: { events: RecordedEvent[] };
}

/** What every history says of where it was recorded, which is nobody's business. */
const hidden: Record<string, string> = { identity: 'worker', stackTrace: '' };

/** Reads a run from Temporal as it is kept. `folder`: shown as /srv/plangrep instead. */
export async function readHistory(client: Client, workflowId: string, runId?: string, folder?: string): Promise<RecordedHistory> {
  const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  const anonymous = (key: string, value: unknown): unknown => {
    if (hidden[key] !== undefined) return hidden[key];
    const { name, kind, normalName } = (value ?? {}) as { name?: string; kind?: string; normalName?: string };
    if (kind === 'TASK_QUEUE_KIND_STICKY') return { name: 'sticky', kind, normalName };
    if (key === 'data' && typeof value === 'string' && folder) return moved(value, folder);
    return name === undefined && typeof value === 'string' && folder ? value.replaceAll(folder, shownFolder) : value;
  };
  return { workflowId, history: JSON.parse(JSON.stringify(JSON.parse(historyToJSON(history)), anonymous)) as RecordedHistory['history'] };
}

const shownFolder = '/srv/plangrep';

/** A payload in base64, with one folder for another. */
function moved(data: string, folder: string): string {
  const text = Buffer.from(data, 'base64').toString('utf8');
  return text.includes(folder) ? Buffer.from(text.replaceAll(folder, shownFolder)).toString('base64') : data;
}

/** Names of recorded histories, without the endings of their files. */
export async function recordedNames(folder = historiesFolder): Promise<string[]> {
  const names = await readdir(folder);
  return names.flatMap((name) => /^(.+)\.json(?:\.gz)?$/.exec(name)?.[1] ?? []).sort();
}

/** Loads a recorded history by its name. */
export async function recorded(name: string, folder = historiesFolder): Promise<RecordedHistory> {
  const path = join(folder, name);
  const text = await readFile(`${path}.json.gz`).then(gunzipSync, () => readFile(`${path}.json`));
  return JSON.parse(text.toString('utf8')) as RecordedHistory;
}

/**
 * Writes a history beside those that are there: under its name, or under the name and the next free number when an earlier release
 * has recorded one of that name. Returns what it was called, and its bytes.
 */
export async function keep(name: string, history: RecordedHistory, folder = historiesFolder): Promise<{ name: string; bytes: number }> {
  const taken = new Set(await recordedNames(folder));
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${name}.${number}`;
  const bytes = gzipSync(JSON.stringify(history), { level: 9 });
  await writeFile(join(folder, `${free}.json.gz`), bytes, { flag: 'wx' });
  return { name: free, bytes: bytes.length };
}
