import { archivedFileSchema } from '../../contract/archive';
import type { ArchivedFile } from '../../contract/archive';
import type { jobKeys } from '../../contract/keys';
import type { Store } from '../../store';
import { Digest, digestOf } from '../../store/digest';
import { BrokenFileError, jsonLines, readJsonLines } from '../../store/jsonl';

/** Names of one job's files in the store. */
export type JobKeys = ReturnType<typeof jobKeys>;

/** `result.json`, as files.jsonl spells it. */
export const resultName = 'result.json';

/** Downloads between two slices of the ledger: what a killed process may have to hash again, never to download again. */
const sliceFiles = 256;

/**
 * What is archived of a job: files.jsonl once it is written, before that a ledger in `work/`. An object in the store is whole
 * (a write is atomic) and its name depends on the remote path alone, so one that no ledger names is hashed, not downloaded.
 * Memory: about 250 bytes a file.
 */
export class ArchivedFiles {
  private readonly known = new Map<string, ArchivedFile>();
  private readonly present = new Set<string>();
  /** Artifacts that were in the store when this was opened, with their sizes; each until it is looked for. */
  private readonly unseen = new Map<string, number>();
  /** Files that are there and are not what was written. */
  private readonly broken = new Set<string>();
  private unsaved: ArchivedFile[] = [];
  private slices = 0;
  /** Paths in files.jsonl; null when it is not there, or says something else of one of them. */
  private listed: Set<string> | null = null;

  private constructor(
    private readonly store: Store,
    private readonly keys: JobKeys,
    /** Slices of attempts that overlap must not replace each other. */
    private readonly attempt: number,
  ) {}

  /** As earlier attempts left it. */
  static async open(store: Store, keys: JobKeys, attempt: number): Promise<ArchivedFiles> {
    const files = new ArchivedFiles(store, keys, attempt);
    const folders = new Set<string>();
    for await (const { key, sizeBytes } of store.list(keys.artifacts)) {
      files.unseen.set(key.slice(keys.folder.length + 1), sizeBytes);
      folders.add(key.slice(0, key.lastIndexOf('/')));
    }
    // Where all has its place already nothing is written, which would clear away what a killed attempt left beside it.
    for (const folder of folders) await store.tidy?.(folder);
    for await (const { key } of store.list(keys.archived)) await files.load(key);
    const listed = new Set<string>();
    if ((await store.stat(keys.files)) && (await files.load(keys.files, listed))) files.listed = listed;
    return files;
  }

  /** Number and bytes of the files seen to be there. */
  get totals(): { files: number; bytes: number } {
    let bytes = 0;
    for (const path of this.present) bytes += this.known.get(path)!.sizeBytes;
    return { files: this.present.size, bytes };
  }

  /** A file seen to be there, or null. `path` is relative to the job's folder. */
  get(path: string): ArchivedFile | null {
    return this.present.has(path) ? this.known.get(path)! : null;
  }

  /** Artifacts that were in the store at the beginning and were not looked for yet. */
  stored(): string[] {
    return [...this.unseen.keys()];
  }

  /**
   * Looks whether a file is there, whole; hashes it when no ledger names it. What came into the store since the beginning counts only
   * by {@link write}: a look for each of thousands of artifacts would cost as much as many of them.
   */
  async find(path: string): Promise<ArchivedFile | null> {
    if (this.present.has(path)) return this.known.get(path)!;
    const key = `${this.keys.folder}/${path}`;
    const sizeBytes = path === resultName ? (await this.store.stat(key))?.sizeBytes : this.unseen.get(path);
    this.unseen.delete(path);
    if (sizeBytes === undefined) return null;
    const known = this.known.get(path);
    if (known && known.sizeBytes !== sizeBytes) {
      this.broken.add(path);
      return null;
    }
    if (known) {
      this.present.add(path);
      return known;
    }
    const digest = await digestOf(this.store, key);
    if (!digest) return null;
    await this.add({ path, ...digest });
    return this.known.get(path)!;
  }

  /**
   * Writes a file that {@link find} did not find whole, and notes it. What somebody else put there since stays: an attempt that was given up may
   * still be at work beside this one, and what either has noted must be what lies there.
   */
  async write(path: string, content: AsyncIterable<Uint8Array>, options?: { secret?: boolean }): Promise<{ sizeBytes: number; sha256: string }> {
    const key = `${this.keys.folder}/${path}`;
    const digest = new Digest();
    const written = this.broken.has(path)
      ? await this.store.write(key, content, options)
      : (await this.store.createIfAbsent(key, digest.through(content), options))
        ? { sizeBytes: digest.sizeBytes, sha256: digest.hex() }
        : await this.hashOther(key);
    this.broken.delete(path);
    await this.add({ path, ...written });
    return written;
  }

  private async hashOther(key: string): Promise<{ sizeBytes: number; sha256: string }> {
    const digest = await digestOf(this.store, key);
    if (!digest) throw new BrokenFileError(key, null, 'came and went away while it was archived');
    return digest;
  }

  /** Notes that a file is not what was written once, so that {@link write} replaces it. */
  markBroken(path: string): void {
    this.broken.add(path);
  }

  /** Notes a file that is there as it should be. */
  async add(file: ArchivedFile): Promise<void> {
    const before = this.known.get(file.path);
    if (before?.sha256 !== file.sha256 || before.sizeBytes !== file.sizeBytes) this.listed = null;
    this.known.set(file.path, file);
    this.present.add(file.path);
    this.unsaved.push(file);
    if (this.unsaved.length >= sliceFiles) await this.save();
  }

  /** Writes what the ledger lacks. */
  async save(): Promise<void> {
    const slice = this.unsaved;
    if (slice.length === 0) return;
    this.unsaved = [];
    this.slices += 1;
    const name = [this.attempt, this.slices].map((number) => String(number).padStart(6, '0')).join('-');
    await this.store.write(`${this.keys.archived}/${name}.jsonl`, jsonLines(slice));
  }

  /** Writes files.jsonl, in the order of the names, unless it says the same already. */
  async writeFiles(): Promise<void> {
    const paths = [...this.present].sort();
    if (this.listed?.size === paths.length && paths.every((path) => this.listed!.has(path))) return;
    await this.store.write(this.keys.files, jsonLines(this.lines(paths)));
    this.listed = new Set(paths);
  }

  private *lines(paths: string[]): Generator<ArchivedFile> {
    for (const path of paths) yield this.known.get(path)!;
  }

  /** False: the list is not what was written once. What it would have said is found out again. */
  private async load(key: string, listed?: Set<string>): Promise<boolean> {
    try {
      for await (const file of readJsonLines(this.store, key, archivedFileSchema)) {
        this.known.set(file.path, file);
        listed?.add(file.path);
      }
      return true;
    } catch (error) {
      if (error instanceof BrokenFileError) return false;
      throw error;
    }
  }
}
