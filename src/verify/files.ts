import { archivedFileSchema, type ArchivedFile, type Manifest } from '../contract/archive';
import { batchFolder } from '../contract/keys';
import { NotFoundError, type Store, type StoredObject } from '../store';
import { digestOf } from '../store/digest';
import { BrokenFileError, readJsonLines } from '../store/jsonl';
import { StoreError } from '../store/store-error';
import type { Findings } from './findings';

/** What checking files needs. */
export interface FilesCheck {
  store: Store;
  batchId: string;
  findings: Findings;
  manifest: Manifest;
  /** Counts files and hears of every chunk that was read. */
  count: { progress: { files: number }; read: (bytes: number) => void };
}

type Expected = Map<string, Pick<ArchivedFile, 'sha256'> & { sizeBytes: number | null }>;

/** A job's folder on the way through the listing. */
interface JobFolder {
  /** `jobs/00001/` */
  prefix: string;
  /** What files.jsonl names and was not seen yet, by path in the batch; null when files.jsonl says nothing that counts. */
  expected: Expected | null;
}

/** Every file in the batch's folder against the hashes that manifest.json and the files.jsonl give, in one pass over the listing. */
export async function checkFiles(check: FilesCheck): Promise<void> {
  const { store, batchId, findings, manifest } = check;
  const guarded: Expected = new Map(Object.entries(manifest.sha256).map(([path, sha256]) => [path, { sha256, sizeBytes: null }]));
  const folder = `${batchFolder(batchId)}/`;
  let job = null as JobFolder | null;
  for await (const object of store.list(batchFolder(batchId))) {
    const path = object.key.slice(folder.length);
    if (path === 'manifest.json') continue;
    const prefix = /^jobs\/[^/]+\//.exec(path)?.[0] ?? null;
    if (prefix !== null && prefix !== job?.prefix) {
      reportMissing(job, findings);
      job = { prefix, expected: await readFileList(check, prefix) };
    }
    await checkFile(check, object, path, guarded, job?.prefix === prefix ? job : null);
  }
  reportMissing(job, findings);
  for (const path of guarded.keys()) findings.add('missing', path, 'is gone; manifest.json names it');
}

function reportMissing(job: JobFolder | null, findings: Findings): void {
  for (const path of job?.expected?.keys() ?? []) findings.add('missing', path, `is gone; ${job!.prefix}files.jsonl names it`);
}

/** What the job's files.jsonl names. Nothing when the job has none; null when it should have one that can be read. */
async function readFileList({ store, batchId, manifest, findings }: FilesCheck, prefix: string): Promise<Expected | null> {
  const list = `${prefix}files.jsonl`;
  const expected: Expected = new Map();
  if (manifest.sha256[list] === undefined) return expected;
  try {
    for await (const { path, ...file } of readJsonLines(store, `${batchFolder(batchId)}/${list}`, archivedFileSchema)) {
      if (expected.has(prefix + path)) findings.add('count', list, `names ${path} twice`);
      expected.set(prefix + path, file);
    }
    return expected;
  } catch (error) {
    // Its hash does not fit either, or it is missing: that is reported when its turn comes.
    if (error instanceof NotFoundError || error instanceof BrokenFileError) return null;
    throw error;
  }
}

async function checkFile(check: FilesCheck, object: StoredObject, path: string, guarded: Expected, job: JobFolder | null): Promise<void> {
  const { findings, count } = check;
  const owner = guarded.has(path) ? guarded : job?.expected;
  // Nobody can say what belongs to a job whose list is gone.
  if (owner === null) return;
  const expected = owner?.get(path);
  owner?.delete(path);
  if (!expected) {
    findings.add('extra', path, 'is no part of the batch: neither manifest.json nor a files.jsonl names it');
    return;
  }
  count.progress.files += 1;
  if (expected.sizeBytes !== null && expected.sizeBytes !== object.sizeBytes) {
    findings.add('size', path, `has ${object.sizeBytes} bytes, and ${job!.prefix}files.jsonl says ${expected.sizeBytes}`);
    return;
  }
  await checkHash(check, object, path, expected.sha256, owner === guarded ? 'manifest.json' : `${job!.prefix}files.jsonl`);
}

async function checkHash({ store, findings, count }: FilesCheck, { key }: StoredObject, path: string, sha256: string, witness: string): Promise<void> {
  try {
    const found = await digestOf(store, key, count.read);
    if (!found) findings.add('missing', path, 'is no file that can be read');
    else if (found.sha256 !== sha256) findings.add('hash', path, `has SHA-256 ${found.sha256}, and ${witness} says ${sha256}`);
  } catch (error) {
    const code = error instanceof StoreError ? error.code : (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    findings.add('hash', path, `cannot be read (${code})`);
  }
}
