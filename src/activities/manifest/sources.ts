import { documentOutcomeSchema, followUpSchema, planLineSchema, type DocumentOutcome, type FollowUp } from '../../contract/archive';
import { batchKeys, jobKeys } from '../../contract/keys';
import { addOutcome, type ManifestTally, type Settled } from '../../domain/manifest';
import { JobTree, type PlacedLine } from '../../domain/manifest-lines';
import { NotFoundError, type Store } from '../../store';
import type { Digest } from '../../store/digest';
import { readJobFile } from '../job-file';
import { BrokenFileError, parseJson, readJson, readJsonLines, splitLines } from '../../store/jsonl';

/** The plan's lines with their offsets; `digest` sees every byte. @throws NotFoundError, BrokenFileError */
export async function* placedLines(store: Store, batchId: string, digest: Digest): AsyncGenerator<PlacedLine> {
  const key = batchKeys(batchId).planLines;
  let offset = 0;
  let number = 0;
  for await (const text of splitLines(digest.through(await store.openRead(key)), key)) {
    number += 1;
    yield { line: parseJson(text.toString(), planLineSchema, key, number), offset };
    offset += text.length + 1;
  }
}

// Inside a JSON string the quotes would be escaped, so this occurs only where it is meant.
const noDuplicate = '"duplicateOf":null';

/** `seq` of every document that another one of the plan equals. @throws NotFoundError, BrokenFileError */
export async function findOriginals(store: Store, batchId: string): Promise<Set<number>> {
  const key = batchKeys(batchId).planLines;
  const originals = new Set<number>();
  let number = 0;
  for await (const text of splitLines(await store.openRead(key), key)) {
    number += 1;
    // Most lines are no duplicates and need no parsing.
    if (text.includes(noDuplicate)) continue;
    const { duplicateOf } = parseJson(text.toString(), planLineSchema, key, number);
    if (duplicateOf !== null) originals.add(duplicateOf);
  }
  return originals;
}

/** The batch's jobs, those of the plan and those that were made of them. */
export async function readJobTree(store: Store, batchId: string, planned: number): Promise<JobTree> {
  const followUps: FollowUp[] = [];
  for await (const { key } of store.list(batchKeys(batchId).followUps)) followUps.push(await readJson(store, key, followUpSchema));
  return new JobTree(planned, followUps);
}

/** Whether a document that was sent again has lost pages that an earlier job brought home. */
const isWorse = (outcome: DocumentOutcome, before: DocumentOutcome | undefined): boolean =>
  before?.outcome === 'partial' && outcome.outcome !== 'partial' && outcome.outcome !== 'processed';

/**
 * What these jobs say of their documents. One that was sent again occurs in several: the last has the last word, unless it has less
 * than an earlier one that was partial, and what each cost joins `tally`. A job without documents.jsonl says nothing. @throws BrokenFileError
 */
export async function readOutcomes(store: Store, batchId: string, jobs: number[], tally: ManifestTally): Promise<Map<number, Settled>> {
  const settled = new Map<number, Settled>();
  for (const job of jobs) {
    try {
      let count = 0;
      for await (const outcome of readJsonLines(store, jobKeys(batchId, job).documents, documentOutcomeSchema)) {
        count += 1;
        addOutcome(tally, job, outcome);
        if (!isWorse(outcome, settled.get(outcome.seq)?.outcome)) settled.set(outcome.seq, { job, outcome });
      }
      await checkCount(store, batchId, job, count);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
  }
  return settled;
}

/** Whole lines may be missing: their documents would be called lost. A job that was never closed does not know how many it has. @throws BrokenFileError */
async function checkCount(store: Store, batchId: string, job: number, count: number): Promise<void> {
  const documents = (await readJobFile(store, { batchId, job }))?.documents ?? 0;
  if (documents > 0 && documents !== count) throw new BrokenFileError(jobKeys(batchId, job).documents, null, `has ${count} of the ${documents} documents that job.json counts`);
}
