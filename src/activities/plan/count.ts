import { pathBytes } from '../../domain/source-path';
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
  const countOne = async (document: number) => {
    pages[document] = await pagesOf(table, root, document, options.countPages);
  };
  let documents: number[] = [];
  for (let document = 0; document < table.count; document += 1) {
    if (table.isOpen(document)) documents.push(document);
    if (documents.length < portion && document < table.count - 1) continue;
    options.signal?.throwIfAborted();
    await Promise.all(documents.map(countOne));
    options.onProgress(document + 1);
    documents = [];
  }
}

async function pagesOf(table: DocumentTable, root: SourceRoot, document: number, countPages: CountPages): Promise<number> {
  const opened = await openInside(root, table.path(document));
  if ('code' in opened) {
    table.reject(document, opened);
    return -1;
  }
  await opened.handle.close();
  try {
    const counted = await countPages(pathBytes(opened.real));
    return 'pages' in counted ? counted.pages : -1;
  } catch (error) {
    table.reject(document, unreadableReason(root, error));
    return -1;
  }
}
