import { setTimeout as delay } from 'node:timers/promises';
import { BodyLengthError, BusyError, needsNewRegistration, RejectedError, TransportError } from '../../plangrep/errors';
import { UnsendableError, type SourceFile } from './file';
import { onStream, prove, settleSent, watch, withFile, type JobUpload } from './job-upload';
import type { Registration } from './ledger';
import { runPool } from './pool';
import type { Hashed } from './signed';
import { streamsPerJob } from './streams';

/** How often a document is sent again when storage says its bytes did not arrive as they were. */
const maxRefusals = 3;
/** How often storage may ask for patience about one document or part before the attempt ends. */
const maxPatience = 4;
/** The first wait when storage does not say how long, in ms; each further one is twice as long. */
const firstWaitMs = 1_000;
/** Longer waits are the activity's retry policy's business, in ms. */
const longestWaitMs = 15_000;

type Instruction<Mode> = Extract<Registration['instruction'], { mode: Mode }>;
type Part = Instruction<'multipart'>['parts'][number];

/** Sends one registered document, opening it once. When storage refuses its URL as expired, `registerAgain` gives it another one, or settles it. */
export async function sendDocument(upload: JobUpload, { line, sha256, state }: Hashed, registerAgain: () => Promise<void>): Promise<void> {
  if (upload.records.has(line.seq)) return;
  await withFile(upload, line, state, async (file) => {
    for (let refusals = 0; ; refusals += 1) {
      const registration = upload.ledger.registrations.get(line.seq)!;
      const { instruction } = registration;
      try {
        await (instruction.mode === 'direct_put' ? sendWhole(upload, file, registration, instruction) : sendParts(upload, file, registration, instruction));
        return settleSent(upload, line, instruction.documentId, sha256);
      } catch (error) {
        await explain(upload, file, { error, refusals, sha256 });
        if (needsNewRegistration(error)) await registerAgain();
        if (upload.records.has(line.seq)) return;
      }
    }
  });
}

/** Passes what is worth another try in place; throws the rest. */
async function explain(upload: JobUpload, file: SourceFile, { error, refusals, sha256 }: { error: unknown; refusals: number; sha256: string }): Promise<void> {
  if (error instanceof BodyLengthError) throw new UnsendableError({ code: 'changed', message: 'The file changed while it was sent' });
  if (!(error instanceof RejectedError) || error.origin !== 'storage') throw error;
  await prove(upload, file, sha256);
  if (refusals + 1 >= maxRefusals) {
    throw new UnsendableError({ code: 'remote_error', message: `Storage refused the document ${maxRefusals} times: ${error.message}` });
  }
}

function sendWhole(upload: JobUpload, file: SourceFile, { sha256 }: Registration, { documentId, url, headers }: Instruction<'direct_put'>): Promise<void> {
  return patiently(upload, () =>
    onStream(upload, { line: file.line, to: 'storage' }, async (movement) => {
      const { signal } = movement;
      const body = (): AsyncGenerator<Buffer> => (file.vouched ? file.read(movement) : file.readProven(movement, sha256));
      if (url !== null) await upload.deps.plangrep.putSigned(url, { headers, body: body(), sizeBytes: file.sizeBytes, signal });
      await (file.vouched ? file.prove(movement, sha256) : file.check());
      // The stream goes on only when the record is there, so that a kill has at most one document a stream sent again.
      await movement.awaiting('archive', upload.ledger.markSent(file.line.seq, { documentId, etag: null, sha256 }));
    }),
  );
}

async function sendParts(upload: JobUpload, file: SourceFile, registration: Registration, { parts, documentId }: Instruction<'multipart'>): Promise<void> {
  const { line } = file;
  const archive = { what: line.fileName, awaits: 'archive' } as const;
  const sent = new Set((await watch(upload, archive, () => upload.ledger.sentParts(registration))).map(({ partNumber }) => partNumber));
  const missing = parts.filter(({ partNumber }) => !sent.has(partNumber));
  await runPool(missing, streamsPerJob, (part) => patiently(upload, () => sendPart(upload, file, registration, part)));
  // Parts have no digests of their own, and earlier attempts may have sent some of them.
  await prove(upload, file, registration.sha256);
  await watch(upload, archive, () => upload.ledger.markSent(line.seq, { documentId, etag: null, sha256: registration.sha256 }));
}

function sendPart(upload: JobUpload, file: SourceFile, registration: Registration, { partNumber, url, startByte, endByte }: Part): Promise<void> {
  return onStream(upload, { line: file.line, to: 'storage' }, async (movement) => {
    const body = file.read(movement, startByte, endByte);
    const { etag } = await upload.deps.plangrep.putSigned(url, { headers: {}, body, sizeBytes: endByte - startByte + 1, signal: movement.signal });
    await file.check();
    if (etag === null) throw new TransportError(`Storage took part ${partNumber} without an ETag, which its completion needs`);
    await movement.awaiting('archive', upload.ledger.markPart(registration, { partNumber, etag }));
  });
}

/**
 * Sends again, in place and after a bounded wait, what storage was too busy for. The one exception to retries being the activity's policy's:
 * an attempt that ended would stop the other streams and wait for longer with every busy moment of a long upload. No stream is held meanwhile.
 */
async function patiently(upload: JobUpload, send: () => Promise<void>): Promise<void> {
  for (let waits = 0; ; waits += 1) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof BusyError) || error.origin !== 'storage' || waits === maxPatience) throw error;
      const waitMs = error.retryAfterMs ?? firstWaitMs * 2 ** waits;
      if (waitMs > longestWaitMs) throw error;
      await delay(waitMs, undefined, { signal: upload.signal });
    }
  }
}
