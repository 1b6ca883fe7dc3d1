import type { PlanLine } from '../../contract/archive';
import { BodyLengthError, needsNewRegistration, RejectedError, TransportError } from '../../plangrep/errors';
import type { RegisterFile } from '../../plangrep/client';
import { UnsendableError } from './file';
import type { SourceFile } from './file';
import { isOurs, settleSent, settleUnsent, streamsPerJob, withFile } from './job-upload';
import type { JobUpload } from './job-upload';
import type { Registration } from './ledger';
import { runPool } from './pool';
import { sliceLength, unknownPace } from './slices';

/** How often a document is sent again when storage says its bytes did not arrive as they were. */
const maxRefusals = 3;
/** A signed URL is not used in its last moments, in ms. */
const expiryMarginMs = 30_000;

/** A document that is ready to be registered. */
interface Hashed {
  line: PlanLine;
  sha256: string;
}

/** Sends documents by registered upload: a slice is hashed while the one before it is sent. */
export async function uploadSigned(upload: JobUpload, lines: PlanLine[]): Promise<void> {
  const pace = unknownPace();
  let rest = lines;
  const hashNext = () => {
    const slice = rest.slice(0, sliceLength(rest.map(({ sizeBytes }) => sizeBytes ?? 0), pace));
    rest = rest.slice(slice.length);
    return hashSlice(upload, slice);
  };
  let ahead = hashNext();
  for (let slice = await ahead; slice.length > 0 || rest.length > 0; slice = await ahead) {
    await registerMissing(upload, slice, pace);
    ahead = hashNext();
    // The next slice's failure is thrown when its turn comes.
    ahead.catch(() => {});
    const startedAt = Date.now();
    await runPool(slice, streamsPerJob, (hashed) => sendDocument(upload, hashed));
    const bytes = slice.reduce((sum, { line }) => sum + (line.sizeBytes ?? 0), 0);
    pace.bytesPerSecond = Math.max(1, (bytes * 1000) / Math.max(1, Date.now() - startedAt));
  }
}

/** Those of the slice that are still to be sent, with their digests, each claimed. One that is registered already is not read again. */
async function hashSlice(upload: JobUpload, slice: PlanLine[]): Promise<Hashed[]> {
  const hashed: Hashed[] = [];
  await runPool(slice, streamsPerJob, async (line) => {
    const known = upload.ledger.registrations.get(line.seq);
    if (known) {
      if (!(await isOurs(upload, line, known.sha256))) return;
      if (await upload.ledger.sentDocument(line.seq)) return settleSent(upload, line, known.instruction.documentId, known.sha256);
      return void hashed.push({ line, sha256: known.sha256 });
    }
    await withFile(upload, line, async (file) => {
      const sha256 = await file.sha256(upload.signal);
      if (await isOurs(upload, line, sha256)) hashed.push({ line, sha256 });
    });
  });
  return hashed.sort((a, b) => a.line.seq - b.line.seq);
}

/** Registers those that have no instructions that can still be used. */
async function registerMissing(upload: JobUpload, slice: Hashed[], pace: { urlLifeMs: number }): Promise<void> {
  const missing = slice.filter(({ line }) => !isUsable(upload.ledger.registrations.get(line.seq)));
  if (missing.length > 0) await register(upload, missing, pace);
}

function isUsable(registration: Registration | undefined): boolean {
  const expiresAt = registration?.instruction.expiresAt;
  return registration !== undefined && (!expiresAt || Date.parse(expiresAt) - Date.now() > expiryMarginMs);
}

/** One registration call; its answer is sealed and kept before the first byte is sent. Those that the job's limits leave no room for are given up. */
async function register(upload: JobUpload, wanted: Hashed[], pace?: { urlLifeMs: number }): Promise<void> {
  const { deps, ref, remote, ledger, signal } = upload;
  const fitting = withinLimits(upload, wanted);
  if (fitting.length === 0) return;
  await deps.pace.wait(signal);
  const askedAt = Date.now();
  const { uploads } = await deps.plangrep.registerUploads(remote.jobId, fitting.map(toRegisterFile), { signal });
  if (uploads.length !== fitting.length) throw new Error(`Job ${ref.job}: ${fitting.length} files registered, ${uploads.length} instructions came back`);
  await ledger.register(fitting.map(({ line, sha256 }, index) => ({ seq: line.seq, sha256, sizeBytes: line.sizeBytes ?? 0, instruction: uploads[index]! })));
  const ends = uploads.flatMap(({ expiresAt }) => (expiresAt ? Date.parse(expiresAt) - askedAt : []));
  if (pace && ends.length > 0) pace.urlLifeMs = Math.max(1, Math.min(...ends));
}

const toRegisterFile = ({ line, sha256 }: Hashed): RegisterFile => ({
  fileName: line.fileName,
  contentType: line.contentType,
  fileSize: line.sizeBytes ?? 0,
  sha256,
  ...(line.classification && { classification: line.classification }),
});

/** Registrations are not idempotent and abandoned ones may count, so a second one must fit beside the first. */
function withinLimits(upload: JobUpload, wanted: Hashed[]): Hashed[] {
  let { files, bytes } = upload.ledger.registered();
  return wanted.filter(({ line, sha256 }) => {
    const fits = files + 1 <= upload.limits.maxFiles && bytes + (line.sizeBytes ?? 0) <= upload.limits.maxBytes;
    if (fits) {
      files += 1;
      bytes += line.sizeBytes ?? 0;
      return true;
    }
    const message = 'The signed URL expired before the document was sent, and the job has no room to register it again';
    settleUnsent(upload, line, { code: 'remote_error', message }, sha256);
    return false;
  });
}

/** Sends one document; a URL that storage refuses as expired leads to one new registration. */
async function sendDocument(upload: JobUpload, hashed: Hashed): Promise<void> {
  const { line, sha256 } = hashed;
  if (upload.records.has(line.seq)) return;
  await withFile(upload, line, async (file) => {
    for (let refusals = 0; ; refusals += 1) {
      const registration = upload.ledger.registrations.get(line.seq)!;
      try {
        await sendRegistered(upload, file, registration);
        await upload.ledger.markSent(line.seq, { documentId: registration.instruction.documentId, etag: null, sha256 });
        return settleSent(upload, line, registration.instruction.documentId, sha256);
      } catch (error) {
        await explain(file, error, refusals);
        if (needsNewRegistration(error)) await register(upload, [hashed]);
        if (upload.records.has(line.seq)) return;
      }
    }
  });
}

/** Passes what is worth another try in place; throws the rest. */
async function explain(file: SourceFile, error: unknown, refusals: number): Promise<void> {
  if (error instanceof BodyLengthError) throw new UnsendableError({ code: 'changed', message: 'The file changed while it was sent' });
  if (!(error instanceof RejectedError) || error.origin !== 'storage') throw error;
  await file.check();
  if (refusals + 1 >= maxRefusals) {
    throw new UnsendableError({ code: 'remote_error', message: `Storage refused the document ${maxRefusals} times: ${error.message}` });
  }
}

async function sendRegistered(upload: JobUpload, file: SourceFile, registration: Registration): Promise<void> {
  const { deps, signal, ledger } = upload;
  const { instruction } = registration;
  if (instruction.mode === 'direct_put') {
    if (instruction.url !== null) {
      await deps.plangrep.putSigned(instruction.url, { headers: instruction.headers, body: file.read(), sizeBytes: file.sizeBytes, signal });
    }
    return file.check();
  }
  const done = new Set((await ledger.sentParts(registration)).map(({ partNumber }) => partNumber));
  for (const { partNumber, url, startByte, endByte } of instruction.parts) {
    if (done.has(partNumber)) continue;
    const body = file.read(startByte, endByte);
    const { etag } = await deps.plangrep.putSigned(url, { headers: {}, body, sizeBytes: endByte - startByte + 1, signal });
    await file.check();
    if (etag === null) throw new TransportError(`Storage took part ${partNumber} without an ETag, which its completion needs`);
    await ledger.markPart(registration, { partNumber, etag });
  }
}
