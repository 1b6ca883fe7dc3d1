import { cancellationSignal } from '@temporalio/activity';
import { jobFileSchema, type ArchivedFile, type Manifest } from '../../contract/archive';
import { batchFolder, jobKeys } from '../../contract/keys';
import { manifestJob, type ManifestTally } from '../../domain/manifest';
import type { JobTree } from '../../domain/manifest-lines';
import type { Store } from '../../store';
import { digestOf, sha256 } from '../../store/digest';
import { jsonLines, parseJson, readBytes } from '../../store/jsonl';

/** Largest job.json that is read. */
const maxJobFileBytes = 1024 * 1024;

/** SHA-256 of a batch's files, by their path in the batch's folder. */
export class Digests {
  readonly #found = new Map<string, string>();
  constructor(
    private readonly store: Store,
    private readonly batchId: string,
  ) {}

  /** Notes a digest. */
  add(key: string, digest: string): void {
    this.#found.set(key.slice(batchFolder(this.batchId).length + 1), digest);
  }

  /** Reads the file and notes its digest. False: it is not there. */
  async find(key: string): Promise<boolean> {
    const found = await digestOf(this.store, key);
    if (found) this.add(key, found.sha256);
    return found !== null;
  }

  /** All of them, in the order of the paths. */
  sorted(): Record<string, string> {
    return Object.fromEntries([...this.#found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** Each job's entry in the manifest, in order; their files join `digests`. */
export async function readJobs(store: Store, batchId: string, tree: JobTree, tally: ManifestTally, digests: Digests): Promise<Manifest['jobs']> {
  const jobs: Manifest['jobs'] = [];
  for (const job of tree.jobs()) {
    cancellationSignal().throwIfAborted();
    const keys = jobKeys(batchId, job);
    const text = (await store.stat(keys.job)) && (await readBytes(store, keys.job, maxJobFileBytes));
    if (text) digests.add(keys.job, sha256(text));
    const closed = await digests.find(keys.documents);
    const accounted = await digests.find(keys.files);
    if (!closed && !accounted && (await accountForFiles(store, batchId, job))) await digests.find(keys.files);
    jobs.push(manifestJob(tally, job, tree.parents.get(job) ?? null, text && parseJson(text.toString(), jobFileSchema, keys.job, null)));
  }
  return jobs;
}

/** A job that was lost while it archived keeps what there is, and files.jsonl says what that is. False: there is nothing. */
async function accountForFiles(store: Store, batchId: string, job: number): Promise<boolean> {
  const keys = jobKeys(batchId, job);
  const files: ArchivedFile[] = [];
  for await (const { key } of store.list(keys.folder)) {
    const digest = key === keys.job ? null : await digestOf(store, key);
    if (digest) files.push({ path: key.slice(keys.folder.length + 1), ...digest });
  }
  if (files.length > 0) await store.write(keys.files, jsonLines(files));
  return files.length > 0;
}
