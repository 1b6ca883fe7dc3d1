import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { BrokenLines } from '../activities/plan/broken-lines';
import { readList } from '../activities/plan/list';
import { openSource } from '../activities/plan/source';
import { batchInputSchema, type Source } from '../contract/batch';
import { CliError } from './cli-error';
import type { InputFlags } from './input-flags';

/** Names of list files. */
const lists = /\.(jsonl|ndjson|csv)$/i;

/**
 * SOURCE as an absolute source that is there and has something in it, so that nothing is started for nothing. The worker reads it again.
 * @param archive left out when it lies inside the folder
 * @param options.mayBeEmpty lets a source pass that has nothing in it yet
 * @throws CliError
 */
export async function checkSource(argument: string, flags: Pick<InputFlags, 'include' | 'exclude'>, archive: string | null, { mayBeEmpty = false } = {}): Promise<Source> {
  if (/^s3:\/\//i.test(argument)) throw new CliError({ code: 'not_supported', message: `${argument}: s3:// is not supported in this version.`, fix: 'Name a folder or a list file.' });
  const path = resolve(argument);
  if (await isFolder(path, argument)) {
    const source = { folder: path, ...(flags.include && { include: flags.include }), ...(flags.exclude && { exclude: flags.exclude }) };
    if (!mayBeEmpty && !(await hasDocument(source, archive))) throw withoutMatch(source);
    return source;
  }
  if (!lists.test(path)) {
    throw new CliError({ code: 'source_unsupported', message: `${argument} is neither a folder nor a list file.`, fix: 'A list file ends in .jsonl, .ndjson or .csv; for one document name its folder and add --include.' });
  }
  if (flags.include || flags.exclude) throw new CliError({ code: 'usage', message: '--include and --exclude choose among the files of a folder; a list says itself what is in it.' });
  await checkList(path, mayBeEmpty);
  return { list: path };
}

async function isFolder(path: string, argument: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new CliError({ code: 'source_missing', message: `${argument} does not exist (looked for ${path}).` });
    throw new CliError({ code: 'source_unreadable', message: `${argument} cannot be read: ${message}` });
  }
}

/** The archive as planning leaves it out: a folder that is there. What else is wrong with it is told by those who write into it. */
export async function archiveFolder(archive: string | null): Promise<string | undefined> {
  const isThere = archive !== null && (await stat(archive).then((found) => found.isDirectory(), () => false));
  return isThere ? archive : undefined;
}

async function hasDocument(source: Source, archive: string | null): Promise<boolean> {
  return readable(async () => {
    const { candidates } = await openSource(batchInputSchema.parse({ project: 'any', source }), await archiveFolder(archive), undefined);
    for await (const found of candidates) if (found.length > 0) return true;
    return false;
  });
}

function withoutMatch({ folder, include, exclude }: { folder: string; include?: string[]; exclude?: string[] }): CliError {
  const chosen = include || exclude;
  return new CliError({
    code: 'source_empty',
    message: chosen ? `No file in ${folder} matches.` : `${folder} holds no file.`,
    fix: chosen ? 'Globs match the path below the folder: "**/*.pdf" finds PDFs at any depth, "*.pdf" only at the top.' : null,
  });
}

async function checkList(path: string, mayBeEmpty: boolean): Promise<void> {
  const broken = new BrokenLines();
  let documents = 0;
  await readable(async () => {
    for await (const read of readList(path, broken)) documents += read.length;
    broken.throwIfAny(path);
  });
  if (documents === 0 && !mayBeEmpty) throw new CliError({ code: 'source_empty', message: `The list ${path} names no document.` });
}

/** Planning's failures as this command's errors. @throws CliError */
export async function readable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ApplicationFailure)) throw error;
    const lines = error.details?.[0];
    const fix = Array.isArray(lines) ? 'Put these lines right; each is a JSON object, or a CSV record, with at least "path".' : null;
    throw new CliError({ code: fix ? 'list_broken' : 'source_unreadable', message: `${error.message}.`, fix });
  }
}
