import type { JobRef, RemoteJob } from '../../contract/activities';
import { uploadRecordSchema } from '../../contract/archive';
import type { UploadRecord } from '../../contract/archive';
import { jobKeys } from '../../contract/keys';
import { idempotencyKey } from '../../contract/messages';
import type { CompleteUploads } from '../../plangrep/client';
import { BrokenFileError, readJsonLines } from '../../store/jsonl';
import type { Dependencies } from '../dependencies';
import { readJobLines } from '../plan';
import { Ledger } from './ledger';

/**
 * The completion call of a job, a pure function of its ledger: which documents are in, how each was sent, and which were
 * registered but will not come, so that Plangrep does not wait for them (/api-reference/uploads/complete-uploads).
 */
export async function completionOf(
  deps: Pick<Dependencies, 'store' | 'seal'>,
  { batchId, job, remote }: JobRef & { remote: RemoteJob },
): Promise<{ body: CompleteUploads; idempotencyKey: string }> {
  const ledger = await Ledger.open(deps, { batchId, job });
  const records: UploadRecord[] = [];
  for await (const record of readJsonLines(deps.store, jobKeys(batchId, job).uploads, uploadRecordSchema)) records.push(record);
  // It says something of every document; one that is not declared would be left out of the job without a word.
  const { length } = await readJobLines(deps.store, batchId, job);
  if (records.length !== length) throw new BrokenFileError(jobKeys(batchId, job).uploads, null, `has ${records.length} of the job's ${length} documents`);
  return { body: await bodyOf(ledger, records), idempotencyKey: idempotencyKey('complete', remote.externalId) };
}

async function bodyOf(ledger: Ledger, records: UploadRecord[]): Promise<CompleteUploads> {
  const sent = records.filter((record) => record.sent);
  const failed = failedUploads(ledger, records);
  // After form uploads alone, an empty body completes everything stored; ids are named only when something must be left out.
  if (ledger.registrations.size === 0 && failed.length === 0) return {};
  // Without the id of one that is to be processed, a list of ids would leave it out: rather one too many is processed.
  if (ledger.registrations.size === 0 && sent.some(({ documentId }) => documentId === null)) return {};
  const body: CompleteUploads = { documentIds: [...new Set(sent.flatMap(({ documentId }) => documentId ?? []))] };
  const direct = [];
  const multipart = [];
  for (const { seq } of sent) {
    const registration = ledger.registrations.get(seq);
    if (!registration) continue;
    const { documentId, uploadToken, ...instruction } = registration.instruction;
    if (instruction.mode === 'multipart') {
      const parts = await ledger.sentParts(registration);
      multipart.push({ documentId, uploadToken, multipartUploadId: instruction.multipartUploadId, parts });
    } else if (instruction.url !== null) {
      direct.push({ documentId, uploadToken });
    }
  }
  if (direct.length > 0) body.directUploads = direct;
  if (multipart.length > 0) body.multipartUploads = multipart;
  if (failed.length > 0) body.failedUploads = failed;
  return body;
}

function failedUploads(ledger: Ledger, records: UploadRecord[]): { documentId: string; error: string }[] {
  const inside = new Set(records.filter(({ sent }) => sent).map(({ documentId }) => documentId));
  const unsent = records.filter(({ sent, documentId }) => !sent && documentId !== null);
  const given = [
    ...unsent.map(({ documentId, reason }) => ({ documentId: documentId!, error: reason?.code ?? 'not_sent' })),
    ...ledger.superseded.map(({ instruction }) => ({ documentId: instruction.documentId, error: 'replaced' })),
  ];
  return given.filter(({ documentId }, index) => !inside.has(documentId) && given.findIndex((one) => one.documentId === documentId) === index);
}
