import { lstat, stat } from 'node:fs/promises';
import type { Reason } from '../../contract/batch';
import type { Selection } from '../../domain/classify';
import { pathBytes, pathText } from '../../domain/source-path';
import type { BytePath } from '../../domain/source-path';
import type { Candidate } from './candidate';
import { DigestMap } from './digest-map';
import { isInside, lookAt, namesInside, outsideSource, unreadableReason } from './look';
import type { Look } from './look';
import { below, realPath, sourceUnavailable, explain } from './root';
import type { SourceRoot } from './root';

/** Names that are looked at together. */
const portion = 256;

/** A folder or file: how it was reached, and where it really is, both below the root. */
interface Place {
  path: BytePath;
  real: BytePath;
}

type Finding = { place: Place } & ({ kind: 'folder' | 'linkedFolder' } | { kind: 'document'; look: Look });

/** What a walk needs to know. */
export interface WalkOptions {
  selection: Selection;
  /** Absolute folders that are no input: the archive. */
  leftOut: readonly BytePath[];
  signal: AbortSignal | undefined;
}

/**
 * Every document below a folder: first the files of a folder in the order of their bytes, then its folders. Links are
 * followed inside the root only. What a link leads to is there under its own path already, so it counts only when globs
 * select the link's path and not the real one; each real file is one document.
 */
export class FolderWalk {
  private readonly linkedFolders: Place[] = [];
  /** Real files that links have led to. */
  private readonly reached = new DigestMap();
  private findings = 0;

  constructor(
    private readonly root: SourceRoot,
    private readonly options: WalkOptions,
  ) {}

  /** @throws SourceUnavailable */
  async *candidates(): AsyncGenerator<Candidate[]> {
    yield* this.walk({ path: '', real: '' }, new Set());
    if (this.options.selection.everything) return;
    // Each link's own walk visits a folder once, so that links in circles come to an end.
    for (const link of this.linkedFolders.splice(0)) yield* this.walk(link, new Set([link.real]));
  }

  private async *walk(start: Place, visited: Set<BytePath>): AsyncGenerator<Candidate[]> {
    const open = [start];
    for (let place = open.pop(); place; place = open.pop()) {
      const names = await this.names(place);
      if (!Array.isArray(names)) {
        yield names ? [names] : [];
        continue;
      }
      const folders: Place[] = [];
      for (let at = 0; at < names.length; at += portion) {
        this.options.signal?.throwIfAborted();
        const findings = await this.examine(place, names.slice(at, at + portion));
        yield findings.flatMap((finding) => this.candidate(finding) ?? []);
        for (const finding of findings) this.collectFolders(finding, { start, visited, folders });
      }
      open.push(...folders.reverse());
    }
  }

  /** The folder's names in the order of their bytes; a rejected document, or nothing, when it cannot be read. */
  private async names(place: Place): Promise<string[] | Candidate | null> {
    try {
      const names = await namesInside(this.root, place.real);
      return names ?? this.selectedFolder(place, outsideSource);
    } catch (error) {
      if (place.real === '') throw sourceUnavailable(this.root.path, explain(error));
      return this.selectedFolder(place, unreadableReason(this.root, error));
    }
  }

  /** A folder that is not read, unless it is no input. */
  private selectedFolder({ path }: Place, reason: Reason): Candidate | null {
    return this.options.selection.excludes(pathText(path)) ? null : candidateOf(path, { state: null, reason });
  }

  private async examine(folder: Place, names: string[]): Promise<Finding[]> {
    const within = (path: BytePath, name: string) => (path === '' ? name : `${path}/${name}`);
    const found = await Promise.all(names.map((name) => this.examineOne({ path: within(folder.path, name), real: within(folder.real, name) })));
    return found.filter((finding) => finding !== null);
  }

  private async examineOne(place: Place): Promise<Finding | null> {
    const path = below(this.root, place.real);
    if (this.options.leftOut.includes(path)) return null;
    try {
      const stats = await lstat(pathBytes(path));
      if (stats.isDirectory()) return { kind: 'folder', place };
      if (!this.selects(place.path) && !stats.isSymbolicLink()) return null;
      if (stats.isSymbolicLink()) return await this.follow(place);
      return { kind: 'document', place, look: await lookAt(this.root, path, stats) };
    } catch (error) {
      return this.problem(place, unreadableReason(this.root, error));
    }
  }

  private async follow(place: Place): Promise<Finding | null> {
    const target = await realPath(below(this.root, place.real));
    if (target === this.root.real || (this.root.real === '' && target === '/')) return null;
    if (!isInside(this.root, target)) return this.problem(place, outsideSource);
    if (this.options.leftOut.some((folder) => target === folder || target.startsWith(`${folder}/`))) return null;
    const stats = await stat(pathBytes(target));
    const reached = { path: place.path, real: target.slice(this.root.real.length + 1) };
    if (stats.isDirectory()) return { kind: 'linkedFolder', place: reached };
    return { kind: 'document', place: reached, look: await lookAt(this.root, target, stats) };
  }

  /** What leads to nothing inside counts as itself: where it lies. */
  private problem(place: Place, reason: Reason): Finding {
    return { kind: 'document', place, look: { state: null, reason } };
  }

  private candidate(finding: Finding): Candidate | null {
    if (finding.kind !== 'document' || !this.selects(finding.place.path)) return null;
    const { path, real } = finding.place;
    if (path !== real && (this.selects(real) || this.reached.claim(real, (this.findings += 1)) !== this.findings)) return null;
    return candidateOf(path, finding.look);
  }

  private collectFolders(finding: Finding, walk: { start: Place; visited: Set<BytePath>; folders: Place[] }): void {
    const { start, visited, folders } = walk;
    const fromLink = start.path !== start.real;
    if (finding.kind === 'linkedFolder' && !fromLink) this.linkedFolders.push(finding.place);
    else if (finding.kind === 'folder' && !fromLink) folders.push(finding.place);
    else if (finding.kind !== 'document' && !visited.has(finding.place.real)) {
      visited.add(finding.place.real);
      folders.push(finding.place);
    }
  }

  private selects(path: BytePath): boolean {
    return this.options.selection.selects(pathText(path));
  }
}

const candidateOf = (path: BytePath, { state, reason }: Look): Candidate => ({
  path,
  fileName: null,
  contentType: null,
  classification: null,
  sha256: null,
  sizeBytes: state?.sizeBytes ?? null,
  mtimeMs: state?.mtimeMs ?? null,
  inode: state?.inode ?? null,
  reason,
});
