import type { Reason } from '../../contract/batch';
import { parsePath, pathBytes } from '../../domain/source-path';
import type { BytePath } from '../../domain/source-path';
import { countPages as countPdfPages } from '../../pdf/page-count';
import { openInside, unreadableReason } from './look';
import type { SourceRoot } from './root';
import type { DocumentTable } from './table';

/** Counts the pages of a file; see src/pdf/page-count. Pages stay unknown for what is no PDF, damaged or encrypted. */
export type CountPages = (path: Buffer) => Promise<{ pages: number } | { problem: string; message: string }>;

/** Files that are counted at the same time. */
const portion = 4;

/** Counts the pages of all documents that may be sent. */
export async function countTablePages(
  table: DocumentTable,
  root: SourceRoot,
  options: { countPages: CountPages; signal: AbortSignal | undefined; onProgress: (documents: number) => void },
): Promise<void> {
  const pages = new Int32Array(table.count).fill(-1);
  table.pages = pages;
  let done = 0;
  const countOne = async (document: number) => {
    pages[document] = await pagesOf(table, root, document, options.countPages);
    options.onProgress(done);
  };
  let documents: number[] = [];
  for (let document = 0; document < table.count; document += 1) {
    if (table.isOpen(document)) documents.push(document);
    if (documents.length < portion && document < table.count - 1) continue;
    options.signal?.throwIfAborted();
    await Promise.all(documents.map(countOne));
    done = document + 1;
    options.onProgress(done);
    documents = [];
  }
}

async function pagesOf(table: DocumentTable, root: SourceRoot, document: number, countPages: CountPages): Promise<number> {
  const counted = await countFile(root, table.path(document), countPages);
  if (typeof counted === 'number') return counted;
  table.reject(document, counted);
  return -1;
}

/** Pages of documents, by their sources as the plan spells them; -1 for one whose pages cannot be told. @throws SourceUnavailable */
export async function countPagesOf(root: SourceRoot, sources: string[], options: { countPages: CountPages | undefined; signal: AbortSignal }): Promise<number[]> {
  const pages: number[] = [];
  for (let start = 0; start < sources.length; start += portion) {
    options.signal.throwIfAborted();
    const counted = await Promise.all(sources.slice(start, start + portion).map((source) => countFile(root, parsePath(source), options.countPages ?? countPdfPages)));
    pages.push(...counted.map((count) => (typeof count === 'number' ? count : -1)));
  }
  return pages;
}

/** Pages of one file, -1 when they stay unknown; why it cannot be read when it cannot. */
async function countFile(root: SourceRoot, path: BytePath, countPages: CountPages): Promise<number | Reason> {
  const opened = await openInside(root, path);
  if ('code' in opened) return opened;
  await opened.handle.close();
  try {
    const counted = await countPages(pathBytes(opened.real));
    return 'pages' in counted ? counted.pages : -1;
  } catch (error) {
    return unreadableReason(root, error);
  }
}
