import type { BatchActivities, ClosedJob, JobEnding, JobRef } from '../../contract/activities';
import { followUpSchema, jobFileSchema, resultRecordSchema, uploadRecordSchema } from '../../contract/archive';
import type { DocumentOutcome, JobFile, PlanLine, ResultRecord, UploadRecord } from '../../contract/archive';
import { batchKeys, jobKeys } from '../../contract/keys';
import { hasResult, isTerminal } from '../../domain/job-state';
import { documentOutcome } from '../../domain/outcome';
import type { Store } from '../../store';
import { BrokenFileError, findJson, jsonLines, jsonText, parseJson, readJsonLines, splitLines } from '../../store/jsonl';
import type { LineRange } from '../../store/jsonl';
import { readJobFile } from '../job-file';
import { recordProcessed } from '../ledger';
import { readJobLines } from '../plan';
import { ArchivedFiles, resultName } from './archived-files';
import type { JobKeys } from './archived-files';
import { closedJob, readDocuments } from './totals';

type CloseRequest = Parameters<BatchActivities['closeJob']>[0];

/**
 * Writes what became of each document of a job that is over, and removes its working files. Safe to repeat and to kill: a job whose
 * documents.jsonl is there keeps it, and only what comes after it is done again.
 */
export async function closeJob(store: Store, request: CloseRequest): Promise<ClosedJob> {
  const { batchId, job, projectId } = request;
  const keys = jobKeys(batchId, job);
  if (!(await store.stat(keys.documents))) {
    await accountForFiles(store, keys);
    // Only if nobody was faster: an attempt that was given up and wakes now finds the working files gone, and would say that nothing was sent.
    await store.createIfAbsent(keys.documents, jsonLines(outcomes(store, keys, request)));
  }
  const documents = (await readDocuments(store, batchId, job))!;
  await finishJobFile(store, keys, request, documents.length);
  await recordProcessed(store, { projectId, batchId, job }, documents);
  await store.removeAll(keys.work);
  return closedJob(store, { batchId, job }, documents);
}

/** A job that ended before its archive was complete keeps what there is, and files.jsonl says what that is. */
async function accountForFiles(store: Store, keys: JobKeys): Promise<void> {
  if (await store.stat(keys.files)) return;
  const files = await ArchivedFiles.open(store, keys, 0);
  for (const path of [resultName, ...files.stored()]) await files.find(path);
  if (files.totals.files > 0) await files.writeFiles();
}

async function* outcomes(store: Store, keys: JobKeys, request: CloseRequest): AsyncGenerator<DocumentOutcome> {
  const { batchId, job, remote, ending } = request;
  const lines = await readJobLines(store, batchId, job);
  const uploads = await readUploads(store, keys, lines.length).catch((error: unknown) => unknownUploads(lines, request, error));
  const debited = await debitedCredits(store, request);
  const alone = lines.filter(({ seq }) => couldBeSent(uploads.get(seq))).length === 1;
  const results = ending.kind === 'archived' ? await indexResults(store, keys) : new Map<string, PlacedRecord[]>();
  const seen = new Set<string>();
  for (const line of lines.sort((a: PlanLine, b: PlanLine) => a.seq - b.seq)) {
    const upload = uploads.get(line.seq) ?? null;
    const documentId = upload?.sent === true ? upload.documentId : null;
    // A form upload that an earlier attempt made is known by its name alone, which is unique in its job.
    const place = upload?.sent === true ? results.get(documentId ?? nameKey(line.fileName)) : undefined;
    const records = await readRecords(store, keys.results, place ?? []);
    const paidBefore = documentId !== null && seen.has(documentId);
    if (documentId !== null) seen.add(documentId);
    yield documentOutcome({ line, upload, records, jobId: remote?.jobId ?? null, ending, debited, alone, resultPath: `${keys.relative}/${resultName}`, paidBefore });
  }
}

/** Sent, or not sent for a reason that another try may not meet. */
const couldBeSent = (upload: UploadRecord | undefined): boolean => !upload || upload.sent || upload.reason?.code === 'remote_error';

/** What a job that ended without a result was debited, as it said at its end; null when it did not say. */
async function debitedCredits(store: Store, request: CloseRequest): Promise<number | null> {
  const { remote, ending } = request;
  if (ending.kind === 'failed') return ending.creditsDebited;
  const seen = await readJobFile(store, request);
  const isEnd = ending.kind === 'ended' && seen !== null && seen.jobId === remote?.jobId && seen.status !== null && isTerminal(seen.status) && !hasResult(seen.status);
  return isEnd ? seen.creditsDebited : null;
}

/** Upload's account by `seq`; none when nothing was sent. */
async function readUploads(store: Store, keys: JobKeys, documents: number): Promise<Map<number, UploadRecord>> {
  const uploads = new Map<number, UploadRecord>();
  if (!(await store.stat(keys.uploads))) return uploads;
  for await (const upload of readJsonLines(store, keys.uploads, uploadRecordSchema)) uploads.set(upload.seq, upload);
  // It says something of every document; whole lines may be missing.
  if (uploads.size !== documents) throw new BrokenFileError(keys.uploads, null, `has ${uploads.size} of the job's ${documents} documents`);
  return uploads;
}

/**
 * What stands for a damaged account of a job without a result: any document may have been sent, and paid for. With a result only the account
 * says which document is which, so that the job is closed as one without.
 */
function unknownUploads(lines: PlanLine[], { remote, ending }: CloseRequest, error: unknown): Map<number, UploadRecord> {
  if (!(error instanceof BrokenFileError) || ending.kind === 'archived') throw error;
  return new Map(lines.map(({ seq, sha256, sizeBytes }) => [seq, { seq, documentId: null, sha256, sizeBytes: sizeBytes ?? 0, sent: remote !== null, reason: null }]));
}

/** Bytes of results.jsonl whose records are kept; a hundred ordinary documents have a tenth of it. */
const keptBytes = 4 * 1024 * 1024;

/** A record, or where it stands in results.jsonl. */
type PlacedRecord = ResultRecord | LineRange;

/** What results.jsonl says of each document, by its id and by its name. Lines may be large, so that past the first few MB only their places are kept. */
async function indexResults(store: Store, keys: JobKeys): Promise<Map<string, PlacedRecord[]>> {
  const index = new Map<string, PlacedRecord[]>();
  let offset = 0;
  for await (const line of splitLines((await store.openRead(keys.results)) as AsyncIterable<Buffer>, keys.results)) {
    const record = parseJson(line.toString(), resultRecordSchema, keys.results, null);
    const { documentId, fileName } = record;
    const placed = offset + line.length <= keptBytes ? record : { offset, length: line.length };
    for (const name of fileName === null ? [documentId] : [documentId, nameKey(fileName)]) index.set(name, [...(index.get(name) ?? []), placed]);
    offset += line.length + 1;
  }
  return index;
}

/** A file name among document ids, which hold no slash. */
const nameKey = (fileName: string): string => `name/${fileName}`;

async function readRecords(store: Store, key: string, places: PlacedRecord[]): Promise<ResultRecord[]> {
  const records: ResultRecord[] = [];
  for (const place of places) {
    if (!('offset' in place)) records.push(place);
    else for await (const record of readJsonLines(store, key, resultRecordSchema, place)) records.push(record);
  }
  return records;
}

/** job.json as it stays: what was last seen of the remote job, and which job of the batch it is. */
async function finishJobFile(store: Store, keys: JobKeys, { batchId, job, remote, ending }: CloseRequest, documents: number): Promise<void> {
  const known = await readJobFile(store, { batchId, job });
  const parent = known?.parent ?? (await parentOf(store, { batchId, job }));
  const nothing = { jobId: null, externalId: null, status: null, error: null, creditsDebited: null, pageCount: null, createdAt: null, expiresAt: null, completedAt: null };
  // What was seen of an earlier remote job says nothing about this one.
  const seen = remote && known?.jobId !== remote.jobId ? remote : known;
  const last = { ...nothing, ...seen };
  const file: JobFile = { ...last, ...failure(ending, last.status), job, batchId, parent, documents };
  await store.write(keys.job, jsonText(jobFileSchema.parse(file)));
}

/** How the job failed, as its outcomes were decided by; a repeat with another ending does not make a finished job failed. */
function failure(ending: JobEnding, status: string | null): Partial<Pick<JobFile, 'status' | 'error' | 'creditsDebited'>> {
  if (ending.kind !== 'failed' || (status !== null && status !== 'failed' && isTerminal(status))) return {};
  return { status: 'failed', error: ending.error, creditsDebited: ending.creditsDebited };
}

/** The job that this one is a part of; null for a job of the plan. */
const parentOf = async (store: Store, { batchId, job }: JobRef): Promise<number | null> =>
  (await findJson(store, batchKeys(batchId).followUp(job), followUpSchema))?.parent ?? null;
