import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Names this process in files that other processes may find after its death: `<place>-<pid>-<start>-<random>`.
 * The place is what process ids are unique in: a boot of a host, and in it a pid namespace (containers may share a host's name).
 */
const ownerPattern = /^([0-9a-f]{12})-(\d+)-(\d+)-[0-9a-f]{8}$/;

const place = createHash('sha256')
  .update([hostname(), readOr(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')), readOr(() => readlinkSync('/proc/self/ns/pid'))].join('\n'))
  .digest('hex')
  .slice(0, 12);
const start = Math.floor(performance.timeOrigin);

function readOr(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

/** A new name for something this process owns; no two are alike. */
export const newOwner = (): string => `${place}-${process.pid}-${start}-${randomBytes(4).toString('hex')}`;

/** Whether this is a name that {@link newOwner} makes. */
export const isOwner = (name: string): boolean => ownerPattern.test(name);

/** Whether the owner is known to be gone. False for one of another host or container: nobody can tell from here. */
export function isGone(owner: string): boolean {
  const match = ownerPattern.exec(owner);
  if (!match || match[1] !== place) return false;
  const pid = Number(match[2]);
  if (pid === process.pid) return Number(match[3]) !== start;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
