/** A disk that a test can fill and free: a small tmpfs where this user may mount one, else calls that fail as they would on a full disk. */
import { execFile } from 'node:child_process';
import fs, { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const real = { open: fs.open, mkdir: fs.mkdir };

/** An error as the file system makes it. */
export const systemError = (code: string, syscall: string): Error => Object.assign(new Error(`${code} of a test, ${syscall}`), { code, syscall });

/** Why a disk takes nothing: it is full, a quota is used up, or it is read-only. */
export type Refusal = 'ENOSPC' | 'EDQUOT' | 'EROFS';

/** See the file's head. One at a time. */
export class SmallDisk {
  #refusal: Refusal | null = null;

  private constructor(
    readonly folder: string,
    /** Whether it is a real one. */
    readonly isMounted: boolean,
  ) {}

  /** @param isReal false: calls fail, though a real disk could be had */
  static async at(folder: string, isReal = true): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true });
    const isMounted = isReal && (await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]).then(() => true, () => false));
    const disk = new SmallDisk(folder, isMounted);
    if (!isMounted) disk.#takeOver();
    return disk;
  }

  /** From now on nothing can be written. A mounted one has no quota. */
  async fill(why: Refusal = 'ENOSPC'): Promise<void> {
    this.#refusal = why;
    if (!this.isMounted) return;
    if (why === 'EROFS') await run('mount', ['-o', 'remount,ro', this.folder]);
    else await writeFile(this.#filler, Buffer.alloc(4 * 1024 * 1024)).catch(() => undefined);
  }

  /** There is room again. */
  async free(): Promise<void> {
    const before = this.#refusal;
    this.#refusal = null;
    if (this.isMounted && before === 'EROFS') await run('mount', ['-o', 'remount,rw', this.folder]);
    if (this.isMounted) await rm(this.#filler, { force: true });
  }

  async close(): Promise<void> {
    Object.assign(fs, real);
    if (this.isMounted) await run('umount', ['-l', this.folder]);
  }

  get #filler(): string {
    return join(this.folder, '.filler');
  }

  #takeOver(): void {
    const isHere = (path: unknown) => String(path).startsWith(this.folder + sep) || path === this.folder;
    const refuse = (syscall: string) => (this.#refusal ? Promise.reject(systemError(this.#refusal, syscall)) : null);
    const open: typeof fs.open = async (path, flags, mode) => {
      // On a full disk a file can still be made, as a name.
      if (this.#refusal === 'EROFS' && flags !== 'r' && isHere(path)) throw systemError('EROFS', 'open');
      const file = await real.open(path, flags, mode);
      if (!isHere(path)) return file;
      const write = file.write.bind(file) as (...args: unknown[]) => Promise<unknown>;
      return Object.assign(file, { write: (...args: unknown[]) => refuse('write') ?? write(...args) });
    };
    const makeFolder = (path: string, options?: object) => (isHere(path) && refuse('mkdir')) || real.mkdir(path, options);
    Object.assign(fs, { open, mkdir: makeFolder });
  }
}
