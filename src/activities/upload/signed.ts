import type { PlanLine } from '../../contract/archive';
import type { RegisterFile, UploadInstruction } from '../../plangrep/client';
import type { HashedState } from './file';
import { digestOf, isOurs, settleSent, settleUnsent, watch, withFile } from './job-upload';
import type { JobUpload } from './job-upload';
import type { Registration } from './ledger';
import { runPool } from './pool';
import { sendDocument } from './send';
import { observe, sliceLength, unknownPace } from './slices';
import { streamsPerJob } from './streams';

/** A signed URL is not used in its last moments, in ms. */
const expiryMarginMs = 30_000;

/** A document that is ready to be registered. */
export interface Hashed {
  line: PlanLine;
  sha256: string;
  /** In which the file was hashed; null when it does not show a change. */
  state: HashedState | null;
}

/** A document that is hashed, or will be in its turn; null when it was settled instead. */
interface Ahead {
  line: PlanLine;
  hashed: Promise<Hashed | null>;
}

/**
 * Sends documents by registered upload. Slices follow one another, each sized by what was seen of those before it; hashing does not
 * wait for them.
 */
export async function uploadSigned(upload: JobUpload, lines: PlanLine[]): Promise<void> {
  const pace = unknownPace();
  const rest = await hashAhead(upload, lines);
  while (rest.length > 0) {
    const length = sliceLength(rest.map(({ line }) => line.sizeBytes ?? 0), pace);
    const slice = (await Promise.all(rest.splice(0, length).map(({ hashed }) => hashed))).flatMap((one) => one ?? []);
    await registerMissing(upload, slice, pace);
    const startedAt = performance.now();
    await runPool(slice, streamsPerJob, (hashed) => sendDocument(upload, hashed, () => register(upload, [hashed])));
    observe(pace, slice.reduce((sum, { line }) => sum + (line.sizeBytes ?? 0), 0), performance.now() - startedAt);
  }
}

/** Begins to hash, in their order, all documents that are still to be sent. One that is registered already is not read again. */
async function hashAhead(upload: JobUpload, lines: PlanLine[]): Promise<Ahead[]> {
  const ahead: Ahead[] = [];
  for (const line of lines) {
    const known = upload.ledger.registrations.get(line.seq);
    if (!known) ahead.push({ line, hashed: hash(upload, line) });
    else if (!(await isOurs(upload, line, known.sha256))) continue;
    else if (upload.ledger.sentDocument(line.seq)) settleSent(upload, line, known.instruction.documentId, known.sha256);
    else ahead.push({ line, hashed: Promise.resolve({ line, sha256: known.sha256, state: known.state ?? null }) });
  }
  // A failure is thrown when its document's turn comes.
  for (const { hashed } of ahead) hashed.catch(() => undefined);
  return ahead;
}

async function hash(upload: JobUpload, line: PlanLine): Promise<Hashed | null> {
  let hashed: Hashed | null = null;
  await upload.engine.hashing.run(upload, upload.signal, () =>
    withFile(upload, line, null, async (file) => {
      const sha256 = await digestOf(upload, line, file);
      if (await isOurs(upload, line, sha256)) hashed = { line, sha256, state: file.state };
    }),
  );
  return hashed;
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
  await watch(upload, { what: 'Making room for a registration', awaits: 'archive' }, () => ledger.makeRoom(fitting.length));
  await deps.pace.wait(signal);
  const askedAt = Date.now();
  const { uploads } = await deps.plangrep.registerUploads(remote.jobId, fitting.map(toRegisterFile), { signal });
  if (uploads.length !== fitting.length) throw new Error(`Job ${ref.job}: ${fitting.length} files registered, ${uploads.length} instructions came back`);
  const instructions = uploads.map(believable);
  const slice = fitting.map(({ line, sha256, state }, index) => ({ seq: line.seq, sha256, state, sizeBytes: line.sizeBytes ?? 0, instruction: instructions[index]! }));
  await watch(upload, { what: 'Writing down a registration', awaits: 'archive' }, () => ledger.register(slice));
  const ends = instructions.flatMap(({ expiresAt }) => (expiresAt ? Date.parse(expiresAt) - askedAt : []));
  if (pace && ends.length > 0) pace.urlLifeMs = Math.max(1, Math.min(...ends));
}

/** No URL is born expired: the clocks differ, and only its use will tell. Else every attempt would register anew what it has registered. */
const believable = (instruction: UploadInstruction): UploadInstruction =>
  instruction.expiresAt !== null && Date.parse(instruction.expiresAt) - Date.now() <= expiryMarginMs ? { ...instruction, expiresAt: null } : instruction;

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
    settleUnsent(upload, line, { code: 'remote_error', message }, { sha256 });
    return false;
  });
}
