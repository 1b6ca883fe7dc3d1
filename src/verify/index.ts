import { manifestSchema, type Manifest } from '../contract/archive';
import { batchFolder, batchKeys } from '../contract/keys';
import { isBatchId } from '../contract/messages';
import { manifestBodyText, manifestText } from '../domain/manifest';
import { NotFoundError, type Store } from '../store';
import { sha256 } from '../store/digest';
import { BrokenFileError, maxJsonBytes, readBytes } from '../store/jsonl';
import { checkAccounts } from './accounts';
import { checkFiles } from './files';
import { Findings, type Problem } from './findings';

/** What {@link verifyBatch} found; the JSON of `verify --json`. */
export interface VerifyReport {
  batchId: string;
  /** No problem was found. */
  ok: boolean;
  /** Lines of the manifest. */
  documents: number;
  /** Files that were read, of those that belong to the batch. */
  files: number;
  /** Bytes in them. */
  bytes: number;
  /** At most {@link maxProblems} and one that counts the rest. */
  problems: Problem[];
}

/** How far a verification is. */
export type VerifyProgress = Pick<VerifyReport, 'files' | 'bytes'>;

/** Options of {@link verifyBatch}. */
export interface VerifyOptions {
  /** Hears of the progress after each chunk of up to 256 KiB; must be quick. */
  onProgress?: (progress: VerifyProgress) => void;
}

/** The archive has no batch of this id. */
export class UnknownBatchError extends Error {
  override readonly name = 'UnknownBatchError';
  constructor(
    readonly batchId: string,
    location: string,
  ) {
    super(`there is no batch ${JSON.stringify(batchId)} in the archive ${location}`);
  }
}

/**
 * Reads a batch in the archive again, every byte, and compares: each file with its hash and size, each count with what it counts, every
 * document from the plan to the manifest. Changes nothing. Memory is bounded by the largest job, and a few bytes a job.
 * @throws UnknownBatchError, StoreError when the archive cannot be read
 */
export async function verifyBatch(store: Store, batchId: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  if (!isBatchId(batchId) || !(await hasBatch(store, batchId))) throw new UnknownBatchError(batchId, store.location);
  const findings = new Findings();
  const progress: VerifyProgress = { files: 0, bytes: 0 };
  const count = { progress, read: (bytes: number) => tell(progress, bytes, options) };
  const manifest = await readManifest(store, batchId, findings, count.read);
  let documents = manifest?.counts.documents ?? 0;
  if (manifest) {
    progress.files += 1;
    await checkFiles({ store, batchId, findings, manifest, count });
    documents = (await checkAccounts({ store, batchId, findings, manifest })) ?? documents;
  }
  const problems = findings.list();
  return { batchId, ok: problems.length === 0, documents, ...progress, problems };
}

function tell(progress: VerifyProgress, bytes: number, { onProgress }: VerifyOptions): void {
  progress.bytes += bytes;
  onProgress?.({ ...progress });
}

async function hasBatch(store: Store, batchId: string): Promise<boolean> {
  for await (const object of store.list(batchFolder(batchId))) return object.key !== '';
  return false;
}

/** manifest.json, which guards itself: it is what its checksum says, byte for byte. Null when nothing can be compared with it. */
async function readManifest(store: Store, batchId: string, findings: Findings, read: (bytes: number) => void): Promise<Manifest | null> {
  const path = 'manifest.json';
  let bytes: Buffer;
  try {
    bytes = await readBytes(store, batchKeys(batchId).manifest, maxJsonBytes);
    read(bytes.length);
  } catch (error) {
    if (error instanceof BrokenFileError) {
      findings.add('hash', path, error.message.slice(error.key.length).replace(/^:? /, ''));
      return null;
    }
    if (!(error instanceof NotFoundError)) throw error;
    findings.add('unfinished', path, 'is not there: the batch runs, or was ended before its manifest');
    return null;
  }
  const manifest = parseManifest(bytes.toString());
  if (!manifest) {
    findings.add('hash', path, 'is no manifest any more');
    return null;
  }
  if (!bytes.equals(manifest.canonical)) findings.add('hash', path, 'was changed: its checksum does not fit');
  if (manifest.value.batchId !== batchId) findings.add('count', path, `belongs to batch ${manifest.value.batchId}`);
  return manifest.value;
}

/** The manifest, and the bytes that it was written as if nobody changed it. */
function parseManifest(text: string): { value: Manifest; canonical: Buffer } | null {
  try {
    const json: unknown = JSON.parse(text);
    const parsed = manifestSchema.safeParse(json);
    if (!parsed.success) return null;
    // Of the text as it is: fields that this version does not know are under the checksum too.
    const { checksum: _, ...body } = json as Manifest;
    return { value: parsed.data, canonical: Buffer.from(manifestText(body, sha256(manifestBodyText(body)))) };
  } catch (error) {
    // No JSON, or nested deeper than anybody wrote it.
    if (error instanceof SyntaxError || error instanceof RangeError) return null;
    throw error;
  }
}
