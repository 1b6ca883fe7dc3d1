import { archivedFileSchema, type ArchivedFile, type Manifest } from '../contract/archive';
import { batchFolder } from '../contract/keys';
import { NotFoundError, wholeBytes, type Store, type StoredObject } from '../store';
import { digestOf } from '../store/digest';
import { BrokenFileError, readJsonLines } from '../store/jsonl';
import { StoreError } from '../store/store-error';
import type { Findings, Problem } from './findings';

/** Files read at the same time, when they are small: a disk or a share that is slow to answer is asked for several. */
const filesAtOnce = 16;

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
  const checks = new ChecksInOrder(findings);
  let job = null as JobFolder | null;
  for await (const object of store.list(batchFolder(batchId))) {
    const path = object.key.slice(folder.length);
    if (path === 'manifest.json') continue;
    const prefix = jobPrefix(path);
    if (prefix !== null && prefix !== job?.prefix) {
      await reportMissing(job, checks);
      job = { prefix, expected: await readFileList(check, prefix, checks) };
    }
    const problem = checkFile(check, object, path, guarded, job?.prefix === prefix ? job : null);
    if (problem) await checks.add(object.sizeBytes, problem);
  }
  await reportMissing(job, checks);
  await checks.end();
  for (const path of guarded.keys()) findings.add('missing', path, 'is gone; manifest.json names it');
}

/** `jobs/00001/` of what lies in a job's folder. */
function jobPrefix(path: string): string | null {
  const end = path.startsWith('jobs/') ? path.indexOf('/', 'jobs/'.length) : -1;
  return end > 'jobs/'.length ? path.slice(0, end + 1) : null;
}

/** Checks that run beside each other, and whose problems are noted in the order in which they were begun. */
class ChecksInOrder {
  readonly #underWay: Promise<Problem | null>[] = [];

  constructor(private readonly findings: Findings) {}

  /** Waits until there is room for one more. A large file is read alone: its bytes keep the processor busy, and its disk. */
  async add(sizeBytes: number, check: Promise<Problem | null> | Problem): Promise<void> {
    const begun = Promise.resolve(check);
    // Its failure is met when its turn comes, if nothing else fails before.
    begun.catch(() => undefined);
    this.#underWay.push(begun);
    const most = sizeBytes > wholeBytes ? 0 : filesAtOnce - 1;
    while (this.#underWay.length > most) await this.#takeOldest();
  }

  /** Waits for all of them. */
  async end(): Promise<void> {
    while (this.#underWay.length > 0) await this.#takeOldest();
  }

  async #takeOldest(): Promise<void> {
    const problem = await this.#underWay.shift();
    if (problem) this.findings.add(problem.code, problem.path, problem.message);
  }
}

async function reportMissing(job: JobFolder | null, checks: ChecksInOrder): Promise<void> {
  for (const path of job?.expected?.keys() ?? []) await checks.add(0, { code: 'missing', path, message: `is gone; ${job!.prefix}files.jsonl names it` });
}

/** What the job's files.jsonl names. Nothing when the job has none; null when it should have one that can be read. */
async function readFileList({ store, batchId, manifest }: FilesCheck, prefix: string, checks: ChecksInOrder): Promise<Expected | null> {
  const list = `${prefix}files.jsonl`;
  const expected: Expected = new Map();
  if (manifest.sha256[list] === undefined) return expected;
  try {
    for await (const { path, ...file } of readJsonLines(store, `${batchFolder(batchId)}/${list}`, archivedFileSchema)) {
      if (expected.has(prefix + path)) await checks.add(0, { code: 'count', path: list, message: `names ${path} twice` });
      expected.set(prefix + path, file);
    }
    return expected;
  } catch (error) {
    // Its hash does not fit either, or it is missing: that is reported when its turn comes.
    if (error instanceof NotFoundError || error instanceof BrokenFileError) return null;
    throw error;
  }
}

/** What is wrong with a file; null when nobody can say what belongs to its job, whose list is gone. */
function checkFile(check: FilesCheck, object: StoredObject, path: string, guarded: Expected, job: JobFolder | null): Promise<Problem | null> | Problem | null {
  const owner = guarded.has(path) ? guarded : job?.expected;
  if (owner === null) return null;
  const expected = owner?.get(path);
  owner?.delete(path);
  if (!expected) return { code: 'extra', path, message: 'is no part of the batch: neither manifest.json nor a files.jsonl names it' };
  check.count.progress.files += 1;
  if (expected.sizeBytes !== null && expected.sizeBytes !== object.sizeBytes) {
    return { code: 'size', path, message: `has ${object.sizeBytes} bytes, and ${job!.prefix}files.jsonl says ${expected.sizeBytes}` };
  }
  return checkHash(check, object, path, expected.sha256, owner === guarded ? 'manifest.json' : `${job!.prefix}files.jsonl`);
}

async function checkHash({ store, count }: FilesCheck, { key }: StoredObject, path: string, sha256: string, witness: string): Promise<Problem | null> {
  try {
    const found = await digestOf(store, key, count.read);
    if (!found) return { code: 'missing', path, message: 'is no file that can be read' };
    if (found.sha256 === sha256) return null;
    return { code: 'hash', path, message: `has SHA-256 ${found.sha256}, and ${witness} says ${sha256}` };
  } catch (error) {
    const code = error instanceof StoreError ? error.code : (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    return { code: 'hash', path, message: `cannot be read (${code})` };
  }
}
