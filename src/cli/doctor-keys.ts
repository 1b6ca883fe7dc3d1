import { stat } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import type { Config, SecretFile } from '../config';
import { encryptionKeyId } from '../codec/payload-codec';
import { workflowTypes } from '../contract/messages';
import type { Check } from './doctor';

/** Bits of a file's mode that let somebody else than its owner read or change it. */
const othersBits = 0o066;
/** Schedules that are named. */
const maxNamed = 5;

/** Whether what Temporal stores is encrypted, and with which keys: their names, never the keys. */
export function checkEncryption({ payloadKeys: { current, old } }: Pick<Config, 'payloadKeys'>): Check {
  const name = 'encryption';
  const others = old.filter(({ id }) => id !== current?.id).map(({ id }) => id);
  const also = others.length === 0 ? '' : `; decrypts with ${others.join(', ')}${current ? ' too' : ''}`;
  const message = current ? `on, with payload key ${current.id}` : 'off: whoever reads what Temporal stores reads folders, names and labels (PLANGREP_PAYLOAD_KEY is not set)';
  return { name, ok: true, message: message + also, fix: null };
}

/** A remark on each file with a secret that others can read. No problem by itself: a container's only user may own nothing, and a folder may be closed. */
export async function checkSecretFiles({ secretFiles }: Pick<Config, 'secretFiles'>): Promise<Check[]> {
  const checks = await Promise.all(secretFiles.map(checkSecretFile));
  return checks.flat();
}

async function checkSecretFile({ variable, path }: SecretFile): Promise<Check[]> {
  const mode = (await stat(path).catch(() => null))?.mode ?? 0;
  if ((mode & othersBits) === 0) return [];
  return [{ name: 'secret file', ok: true, message: `${variable} names ${path}, which others than its owner can read or change (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`, fix: `chmod 600 ${path}` }];
}

/** Whether schedules still start batches with what an earlier key encrypted: it is needed for as long as they are. */
export async function checkScheduleKeys(client: Client, { payloadKeys: { current } }: Pick<Config, 'payloadKeys'>): Promise<Check[]> {
  const stale = new Map<string, string[]>();
  for await (const { scheduleId, action } of client.schedule.list()) {
    if (action?.workflowType !== workflowTypes.batch) continue;
    const { schedule } = await client.workflowService.describeSchedule({ namespace: client.options.namespace, scheduleId });
    const id = encryptionKeyId(schedule?.action?.startWorkflow?.input?.payloads?.[0] ?? {});
    if (id !== null && id !== current?.id) stale.set(id, [...(stale.get(id) ?? []), scheduleId]);
  }
  return [...stale].map(([id, schedules]) => {
    const more = schedules.length > maxNamed ? ` and ${schedules.length - maxNamed} more` : '';
    return { name: 'schedules', ok: true, message: `payload key ${id} is needed by ${schedules.slice(0, maxNamed).join(', ')}${more}: a schedule keeps what it was created with`, fix: 'Keep that key in PLANGREP_PAYLOAD_KEYS_OLD, or delete the schedule and create it again.' };
  });
}
