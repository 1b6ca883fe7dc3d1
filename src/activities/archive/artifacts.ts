import { createHash } from 'node:crypto';
import { artifactName } from '../../domain/artifact-name';
import { AuthError, BusyError, ContractError, CreditError, PlangrepError, RejectedError, TransportError } from '../../plangrep/errors';
import { readJsonLines } from '../../store/jsonl';
import { extractLineSchema } from './extract';
import { withDownload } from './result';
import { isGone, paced } from './run';
import type { ArchiveRun } from './run';

/** Downloads of one job at the same time. */
const width = 4;
/** So many failures in a row mean that the API is in trouble, not that some artifacts are. */
const failuresInRow = 8;
/** This near the deadline an artifact that still cannot be had is written down as missing, rather than losing the whole job's account. */
const lastHourMs = 3_600_000;

const digest = (text: string): string => BigInt(`0x${createHash('sha256').update(text).digest('hex').slice(0, 32)}`).toString(36).padStart(25, '0');

/** Where an artifact lies, relative to the job's folder. */
export const artifactFile = (path: string): string => `artifacts/${artifactName(path, digest)}`;

/**
 * Downloads every artifact that the result names and that is not archived yet, each path once.
 * What fails is asked for once more after the others. Of what fails again, artifacts that Plangrep refuses count as missing, as
 * long as the job itself is there; the rest is for the next attempt.
 * @returns for each missing path what Plangrep said
 */
export async function archiveArtifacts(run: ArchiveRun): Promise<Map<string, string>> {
  const failed = new Map<string, PlangrepError>();
  try {
    await downloadAll(run, namedPaths(run), failed);
    const again = [...failed.keys()];
    failed.clear();
    await downloadAll(run, again, failed);
  } finally {
    if (!run.signal.aborted) await run.files.save();
  }
  if (failed.size === 0) return new Map();
  const later = [...failed.values()].find((error) => !isRefusal(error));
  if (later && Date.now() < Date.parse(run.remote.expiresAt) - lastHourMs) throw later;
  await askForJob(run);
  return new Map([...failed].map(([path, error]) => [path, error.message]));
}

async function* namedPaths({ deps, keys }: ArchiveRun): AsyncGenerator<string> {
  for await (const line of readJsonLines(deps.store, keys.extract, extractLineSchema)) {
    if (line.kind === 'artifact' && line.path !== null) yield line.path;
  }
}

/** Repeating the call does not help, but only this one artifact is concerned. */
const isRefusal = (error: PlangrepError): boolean => error instanceof RejectedError || (error instanceof ContractError && !error.unreadable);
/** One artifact cannot be had, and the others may well be. */
const isOfOne = (error: unknown): error is PlangrepError => error instanceof PlangrepError && !(error instanceof AuthError || error instanceof CreditError);

/** A 404 for an artifact says nothing about the artifact when the whole job is gone. @throws RejectedError, Expired */
const askForJob = (run: ArchiveRun) => paced(run, () => run.deps.plangrep.getJob(run.remote.jobId, { signal: run.signal }));

/** A few lanes that share one list of paths. After an error that is not of one artifact no lane starts another. */
async function downloadAll(run: ArchiveRun, paths: Iterable<string> | AsyncIterable<string>, failed: Map<string, PlangrepError>): Promise<void> {
  const underWay = new Set<string>();
  const state: { stopped: unknown; inRow: number; jobAsked: Promise<unknown> | null } = { stopped: null, inRow: 0, jobAsked: null };
  const iterator = Symbol.asyncIterator in paths ? paths[Symbol.asyncIterator]() : paths[Symbol.iterator]();

  async function attemptOne(path: string): Promise<void> {
    try {
      await archiveArtifact(run, path);
      state.inRow = 0;
    } catch (error) {
      if (run.signal.aborted || !isOfOne(error)) throw error;
      failed.set(path, error);
      if (isGone(error)) await (state.jobAsked ??= askForJob(run));
      state.inRow = error instanceof TransportError || error instanceof BusyError ? state.inRow + 1 : 0;
      if (state.inRow >= failuresInRow) throw error;
    }
  }

  async function lane(): Promise<void> {
    for (let next = await iterator.next(); !next.done && state.stopped === null; next = await iterator.next()) {
      const path = next.value;
      // The same path twice at once would be downloaded twice; later on it is found in place.
      if (underWay.has(path) || failed.has(path)) continue;
      underWay.add(path);
      await attemptOne(path).catch((error: unknown) => (state.stopped ??= error));
      underWay.delete(path);
    }
  }

  try {
    await Promise.all(Array.from({ length: width }, lane));
  } finally {
    // Ends a list that is still being read.
    await iterator.return?.();
  }
  if (state.stopped !== null) throw state.stopped as Error;
}

async function archiveArtifact(run: ArchiveRun, path: string): Promise<void> {
  const { deps, files, progress, remote, signal } = run;
  const name = artifactFile(path);
  if (await files.find(name)) return;
  const written = await paced(run, async () => {
    const download = await deps.plangrep.getArtifact(remote.jobId, path, { signal });
    return withDownload(download, 'An artifact', (bytes) => files.write(name, bytes));
  });
  progress.files += 1;
  progress.bytes += written.sizeBytes;
}
