import { posix } from 'node:path';
import type { ListedDocument } from '../../contract/batch';
import { parsePath } from '../../domain/source-path';
import type { BytePath } from '../../domain/source-path';
import type { Candidate } from './candidate';
import { lookInside, lookSpared, outsideSource } from './look';
import type { Look } from './look';
import type { SourceRoot } from './root';

/** Files that are looked at together. */
const portion = 256;

/** The documents of a list below its root, looked at unless the list gives their sizes. @throws SourceUnavailable */
export async function* listedCandidates(
  root: SourceRoot,
  documents: AsyncIterable<ListedDocument[]> | Iterable<ListedDocument[]>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Candidate[]> {
  for await (const listed of documents) {
    for (let at = 0; at < listed.length; at += portion) {
      signal?.throwIfAborted();
      const some = listed.slice(at, at + portion);
      const spared = some.every((document) => document.sizeBytes !== undefined);
      yield spared ? some.map((document) => spare(root, document)) : await Promise.all(some.map((document) => look(root, document)));
    }
  }
}

async function look(root: SourceRoot, document: ListedDocument): Promise<Candidate> {
  if (document.sizeBytes !== undefined) return spare(root, document);
  const place = resolve(root, document.path);
  return candidateOf(document, place, place.inside ? await lookInside(root, place.path) : { state: null, reason: outsideSource });
}

function spare(root: SourceRoot, document: ListedDocument): Candidate {
  const place = resolve(root, document.path);
  return candidateOf(document, place, place.inside ? lookSpared(document.sizeBytes!) : { state: null, reason: outsideSource });
}

interface Place {
  /** Relative to the root when it is inside. */
  path: BytePath;
  inside: boolean;
}

/** Parts that mean nothing, or something else than a name. */
const needsNormalizing = /^\/|(?:^|\/)\.{0,2}(?:\/|$)/;

/** Where a path leads, as text: links are followed when the file is looked at or opened. */
function resolve(root: SourceRoot, spelling: string): Place {
  const listed = parsePath(spelling);
  if (!needsNormalizing.test(listed)) return { path: listed, inside: true };
  const folder = root.named.replace(/\/+$/, '');
  const path = posix.normalize(listed.startsWith('/') ? listed : `${folder}/${listed}`).replace(/(?<=.)\/$/, '');
  if (path === folder) return { path: '.', inside: true };
  return path.startsWith(`${folder}/`) ? { path: path.slice(folder.length + 1), inside: true } : { path: posix.normalize(listed), inside: false };
}

/** With a digest of the list's own, the file's time and inode are left out: planning has not seen that they belong to this content. */
function candidateOf(document: ListedDocument, { path }: Place, { state, reason }: Look): Candidate {
  const { fileName = null, contentType = null, classification = null, sha256 = null } = document;
  const seen = sha256 === null ? state : null;
  const sizeBytes = state?.sizeBytes ?? document.sizeBytes ?? null;
  return { path, fileName, contentType, classification, sha256, sizeBytes, mtimeMs: seen?.mtimeMs ?? null, inode: seen?.inode ?? null, reason };
}
