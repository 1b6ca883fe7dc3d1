import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { ContractError, RejectedError, TransportError } from '../../plangrep/errors';
import type { Download } from '../../plangrep/client';
import { BrokenFileError, readJsonLines } from '../../store/jsonl';
import { addToTally, emptyTally } from '../../domain/page-credits';
import type { PageTally } from '../../domain/page-credits';
import { pagesOf } from '../../domain/outcome';
import { resultName } from './archived-files';
import { extractLineSchema } from './extract';
import type { ExtractedEnd } from './extract';
import { NotJsonError } from './json-scanner';
import { ResultScan } from './result-scan';
import { isGone, paced } from './run';
import type { ArchiveRun } from './run';

/**
 * Attempts in which a result that is no JSON counts as damaged on its way, such as a proxy's page with status 200; about
 * a quarter of an hour with the activity's retry policy. The result is paid for, so it is not given up over one bad answer.
 */
const patientAttempts = 20;

/** What the extract of an archived result says about the whole of it. */
export interface ResultSurvey {
  end: ExtractedEnd;
  tally: PageTally;
}

/**
 * Sees to it that result.json and its extract are in the store, and downloads only if they are not.
 * @throws ContractError when the result is not what is documented; what is valid JSON is archived all the same
 */
export async function archiveResult(run: ArchiveRun): Promise<ResultSurvey> {
  const survey = (await archivedSurvey(run)) ?? (await downloadResult(run));
  const { problems, jobId } = survey.end;
  const isOther = jobId !== null && jobId !== run.remote.jobId;
  if (isOther && run.attempt < patientAttempts) throw await otherJob(run);
  const wrong = isOther ? ['job.id: is another job', ...problems] : problems;
  if (wrong.length > 0) throw new ContractError('Result', wrong);
  return survey;
}

/** A cache may have mixed it up: this job's own is paid for, so it is asked for again. */
async function otherJob({ deps: { store }, keys }: ArchiveRun): Promise<TransportError> {
  await store.remove(keys.result);
  await store.remove(keys.extract);
  return new TransportError('The result is that of another job', { code: 'DAMAGED' });
}

/** The survey of a result that is archived already; its extract is made again when it was lost. */
async function archivedSurvey(run: ArchiveRun): Promise<ResultSurvey | null> {
  const { deps, keys, files } = run;
  if (!(await files.find(resultName))) return null;
  const survey = await readSurvey(run);
  if (survey) return survey;
  try {
    await extractFrom(run, (await deps.store.openRead(keys.result)) as AsyncIterable<Buffer>, readToEnd);
    return await readSurvey(run);
  } catch (error) {
    // Not what was written once: only a new download helps.
    if (!(error instanceof NotJsonError)) throw error;
    files.markBroken(resultName);
    return null;
  }
}

async function downloadResult(run: ArchiveRun): Promise<ResultSurvey> {
  const { deps, files, keys, remote, signal } = run;
  try {
    const download = await paced(run, () => deps.plangrep.getResult(remote.jobId, { signal }));
    await withDownload(download, 'The result', (checked) =>
      extractFrom(run, checked, async (bytes) => {
        await files.write(resultName, bytes, { secret: true });
        // Unread when somebody else's is there already; the extract is made all the same.
        await readToEnd(bytes);
      }),
    );
    await files.save();
  } catch (error) {
    throw error instanceof RejectedError ? await missing(run, error) : damaged(error, run.attempt);
  }
  const survey = await readSurvey(run);
  if (!survey) throw new BrokenFileError(keys.extract, null, 'went away while it was in use');
  return survey;
}

/**
 * A finished job without a result is asked again until its deadline: it is paid for, and holds up no other job. So is one whose result is
 * refused, as it may be before all of Plangrep knows that the job is done. A job that is not there either is another matter.
 * @throws RejectedError when it is not
 */
async function missing(run: ArchiveRun, refusal: RejectedError): Promise<TransportError> {
  await paced(run, () => run.deps.plangrep.getJob(run.remote.jobId, { signal: run.signal }));
  const what = isGone(refusal) ? 'does not find its result' : `refuses its result: ${refusal.message}`;
  return new TransportError(`The job is there, but Plangrep ${what}`, { code: 'MISSING' });
}

/** Too early to give up: what came may have been damaged on its way. */
function damaged(error: unknown, attempt: number): unknown {
  if (!(error instanceof NotJsonError) && !(error instanceof ContractError)) return error;
  const message = error instanceof NotJsonError ? `The result ${error.message}` : error.message;
  const isPage = error instanceof ContractError && error.unreadable;
  return isPage || attempt < patientAttempts ? new TransportError(message, { code: 'DAMAGED' }) : new ContractError('Result', [message]);
}

async function readToEnd(bytes: AsyncIterable<unknown>): Promise<void> {
  const iterator = bytes[Symbol.asyncIterator]();
  while (!(await iterator.next()).done);
}

/** Hands over a download's bytes, which fail when they are not as many as announced; its connection is free afterwards, come what may. */
export async function withDownload<T>(download: Download, what: string, use: (bytes: AsyncIterable<Buffer>) => Promise<T>): Promise<T> {
  // It may break while the file it goes to is still being opened; whoever reads it is told then.
  download.body.on('error', () => undefined);
  try {
    return await use(checkedBytes(download, what));
  } finally {
    download.body.destroy();
  }
}

async function* checkedBytes({ body, sizeBytes }: Download, what: string): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    seen += chunk.length;
    yield chunk;
  }
  if (sizeBytes !== null && seen !== sizeBytes) throw new TransportError(`${what} has ${seen} of ${sizeBytes} bytes`, { code: 'WRONG_LENGTH' });
}

/**
 * Hands a result's bytes to `consume` and writes the extract beside it, from the same pass. Either fails when the other does,
 * and then neither is written.
 */
async function extractFrom<T>(run: ArchiveRun, source: AsyncIterable<Buffer>, consume: (bytes: AsyncIterable<Buffer>) => Promise<T>): Promise<T> {
  const lines = new PassThrough();
  // It may break before anyone listens, and an error event that nobody hears ends the process.
  lines.on('error', () => undefined);
  const written = run.deps.store.write(run.keys.extract, lines);
  // The first failure is the one to tell; this one is looked at below.
  written.catch(() => undefined);
  try {
    const consumed = await consume(scanned(run, source, lines, written));
    await written;
    return consumed;
  } catch (error) {
    lines.destroy(error as Error);
    await written.catch(() => undefined);
    throw error;
  }
}

async function* scanned(run: ArchiveRun, source: AsyncIterable<Buffer>, lines: PassThrough, written: Promise<unknown>): AsyncGenerator<Buffer> {
  let found = '';
  const scan = new ResultScan((line) => (found += `${JSON.stringify(line)}\n`));
  const flush = async () => {
    const text = found;
    found = '';
    // A writer that failed drains nothing; its error ends the wait.
    if (text !== '' && !lines.write(text)) await Promise.race([once(lines, 'drain'), written]);
  };
  for await (const chunk of source) {
    await scan.write(chunk);
    await flush();
    run.progress.bytes += chunk.length;
    yield chunk;
  }
  await scan.end();
  await flush();
  lines.end();
}

/** The sums over the extract; null when it is not there, not whole, or of an earlier version. */
async function readSurvey({ deps, keys }: ArchiveRun): Promise<ResultSurvey | null> {
  if (!(await deps.store.stat(keys.extract))) return null;
  let tally = emptyTally;
  try {
    for await (const line of readJsonLines(deps.store, keys.extract, extractLineSchema)) {
      if (line.kind === 'document') tally = addToTally(tally, { successful: pagesOf(line).good, sheets: line.sheets, classification: line.classification });
      if (line.kind === 'end') return { end: line, tally };
    }
  } catch (error) {
    if (!(error instanceof BrokenFileError)) throw error;
  }
  return null;
}
