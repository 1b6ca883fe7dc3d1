import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A temporary file; {@link ScratchFile.remove} is safe to repeat. */
export interface ScratchFile {
  readonly path: string;
  readonly handle: FileHandle;
  remove(): Promise<void>;
}

/** Temporary files in one folder, which is made when the first is asked for and goes when the simulator ends. */
export class Scratch {
  #folder: Promise<string> | null = null;
  #files = 0;
  readonly #left = new Set<ScratchFile>();

  /** Where the files are; null as long as there was none. */
  async folder(): Promise<string | null> {
    return this.#folder;
  }

  /** An empty file, open for reading and writing. */
  async file(): Promise<ScratchFile> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'plangrep-simulator-'));
    const path = join(await this.#folder, String(++this.#files));
    const handle = await open(path, 'wx+', 0o600);
    let removed: Promise<void> | null = null;
    const remove = async (): Promise<void> => {
      await handle.close();
      await rm(path, { force: true });
    };
    const file = { path, handle, remove: () => (this.#left.delete(file), (removed ??= remove())) };
    this.#left.add(file);
    return file;
  }

  /** Removes everything, also what belongs to uploads that never came to an end. */
  async close(): Promise<void> {
    await Promise.all([...this.#left].map((file) => file.remove()));
    if (this.#folder !== null) await rm(await this.#folder, { recursive: true, force: true });
    this.#folder = null;
  }
}
