import { dirname } from 'node:path';
import type { BatchInput, ListedDocument } from '../../contract/batch';
import { selection } from '../../domain/classify';
import { fromText, parsePath } from '../../domain/source-path';
import type { BytePath } from '../../domain/source-path';
import type { Store } from '../../store';
import { BrokenLines, invalidInput } from './broken-lines';
import type { Candidate } from './candidate';
import { FolderWalk } from './folder';
import { compileGlob } from './globs';
import { readList } from './list';
import { listedCandidates } from './listed';
import { RetriedBatch } from './retry';
import { openRoot, realPath } from './root';
import type { SourceRoot } from './root';

/** A batch's source, ready to be read once. */
export interface OpenSource {
  root: SourceRoot;
  /** @throws SourceUnavailable; InvalidInput at the end of a list with broken lines */
  candidates: AsyncIterable<Candidate[]>;
  /** Can two documents have one path? Not in a folder. */
  repeats: boolean;
  /** Says why there is no document, once there was none. */
  whyEmpty: () => string;
  /** Of a batch that is retried: documents that may have been paid for, once all were read. */
  leftOut?: () => number;
}

/** What a store keeps in its folder, for an archive that is the source's root itself. */
const archiveFolders = ['batches', 'work', 'ledger', '.locks'];

/**
 * @param archive left out when it lies inside the source
 * @param store holds the batch that `retryOf` names
 * @throws SourceUnavailable when its root is not there, InvalidInput when it can never be read
 */
export async function openSource(input: BatchInput, archive: string | undefined, signal: AbortSignal | undefined, store?: Store): Promise<OpenSource> {
  const { source } = input;
  if ('documents' in source) {
    return openList(await openRoot('/'), [inlineDocuments(source.documents)], signal, () => 'The list of documents is empty');
  }
  if ('list' in source) {
    const root = await openRoot(dirname(source.list));
    return openList(root, completeList(source.list), signal, () => `The list ${source.list} has no document`);
  }
  if ('retryOf' in source) {
    if (!store) throw invalidInput('source.retryOf needs the archive that holds the batch');
    const retried = await RetriedBatch.open(store, source.retryOf, { retryPartial: input.retryPartialDocuments, signal });
    const opened = openList(await openRoot(retried.root ?? '/'), retried.documents(), signal, () => retried.whyEmpty);
    return { ...opened, leftOut: () => retried.leftOut };
  }
  const root = await openRoot(source.folder);
  const { include = [], exclude = [] } = source;
  const leftOut = archive === undefined ? [] : await archiveIn(root, archive);
  const walk = new FolderWalk(root, { selection: selection(include, exclude, compileGlob), leftOut, signal });
  return { root, candidates: walk.candidates(), repeats: false, whyEmpty: () => `No file below ${source.folder} matches` };
}

const openList = (
  root: SourceRoot,
  documents: Iterable<ListedDocument[]> | AsyncIterable<ListedDocument[]>,
  signal: AbortSignal | undefined,
  whyEmpty: () => string,
): OpenSource => ({ root, candidates: listedCandidates(root, documents, signal), repeats: true, whyEmpty });

async function* completeList(path: string): AsyncGenerator<ListedDocument[]> {
  const broken = new BrokenLines();
  yield* readList(path, broken);
  broken.throwIfAny(path);
}

function inlineDocuments(documents: ListedDocument[]): ListedDocument[] {
  for (const [at, { path }] of documents.entries()) {
    const problem = !path.startsWith('/') ? 'must be absolute' : parsePath(path).includes('\0') ? 'must not contain a NUL character' : null;
    if (problem) throw invalidInput(`source.documents.${at}.path ${problem}`, [{ field: `source.documents.${at}.path`, message: problem }]);
  }
  return documents;
}

/** The archive's folders, absolute: it is no input of its own batches. */
async function archiveIn(root: SourceRoot, archive: string): Promise<BytePath[]> {
  const real = await realPath(fromText(archive)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
  if (real === null) return [];
  return real === (root.real || '/') ? archiveFolders.map((name) => `${root.real}/${name}`) : [real];
}
