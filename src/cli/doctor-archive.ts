import { statfs } from 'node:fs/promises';
import type { Config } from '../config';
import { batchKeys, workFolder } from '../contract/keys';
import { isBatchId } from '../contract/messages';
import { FolderStore } from '../store/folder';
import type { Check } from './doctor';
import { bytesText, counted } from './text';

/** Less room than this, in bytes and in files, is told: a result of many artifacts takes more. */
const least = { bytes: 200_000_000, files: 1_000 };

/** Turns an error into a failed check. */
type Attempt = (name: string, work: () => Promise<Check>) => Promise<Check>;

/** Whether the archive can be written, how much room it has, and what lies in it that nobody needs; `fix` removes that. */
export async function checkArchive({ archive }: Pick<Config, 'archive'>, fix: boolean, attempt: Attempt): Promise<Check[]> {
  if (archive === null) return [{ name: 'archive', ok: false, message: 'PLANGREP_ARCHIVE is not set', fix: 'Name the folder that results are archived in.' }];
  const store = new FolderStore(archive);
  // What killed workers left may be what fills the disk, so it goes first.
  const found = [await attempt('temporary files', () => checkLeftOvers(store, fix)), await attempt('working files', () => checkWork(store, fix))];
  const writable = await attempt('archive', () => checkRoom(store));
  // In an archive that cannot be reached there is nothing to look for either.
  return writable.ok ? [writable, ...found] : [writable, ...found.filter(({ ok, fix: cure }) => ok || cure === fixCommand)];
}

const fixCommand = 'plangrep-batch doctor --fix';

async function checkRoom(store: FolderStore): Promise<Check> {
  await store.ensureWritable();
  const { bavail, bsize, files, ffree } = await statfs(store.location);
  const room = bavail * bsize;
  // Some file systems make room for names as they go, and say 0.
  const isShortOfNames = files > 0 && ffree < least.files;
  const free = isShortOfNames ? `${counted(ffree, 'file')} more` : `${bytesText(room)} free`;
  if (room >= least.bytes && !isShortOfNames) return { name: 'archive', ok: true, message: `${store.location} can be written, ${free}`, fix: null };
  const fix = 'Free space on its disk before it is full: then batches wait, and nothing is lost, but no result is archived until there is room.';
  return { name: 'archive', ok: false, message: `${store.location} can be written, but has room for ${isShortOfNames ? free : `no more than ${bytesText(room)}`}`, fix };
}

async function checkLeftOvers(store: FolderStore, fix: boolean): Promise<Check> {
  const name = 'temporary files';
  const { files, bytes } = await store.leftOvers({ remove: fix });
  if (files === 0) return { name, ok: true, message: 'none of killed workers', fix: null };
  const what = `${counted(files, 'file')}, ${bytesText(bytes)}`;
  return fix ? { name, ok: true, message: `removed ${what}`, fix: null } : { name, ok: false, message: `left by killed workers: ${what}`, fix: fixCommand };
}

/** Working files of a batch whose manifest is written are of no use any more. */
async function checkWork(store: FolderStore, fix: boolean): Promise<Check> {
  const stale: string[] = [];
  let last = '';
  for await (const { key } of store.list('work')) {
    const batchId = key.split('/')[1]!;
    if (batchId === last || !isBatchId(batchId)) continue;
    last = batchId;
    if (await store.stat(batchKeys(batchId).manifest)) stale.push(batchId);
  }
  const name = 'working files';
  if (stale.length === 0) return { name, ok: true, message: 'none of finished batches', fix: null };
  if (!fix) return { name, ok: false, message: `left by ${stale.length} finished: ${stale.slice(0, 5).join(', ')}`, fix: fixCommand };
  for (const batchId of stale) await store.removeAll(workFolder(batchId));
  return { name, ok: true, message: `removed those of ${stale.join(', ')}`, fix: null };
}
