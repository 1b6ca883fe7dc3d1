import { readFileSync } from 'node:fs';

/** Ticks a second of proc(5): 100 on every Linux that Node supports. */
const ticksPerSecond = 100;

/** What a process has used since it began. */
export interface Usage {
  /** Of the processor, all threads together. */
  cpuSeconds: number;
  /** The most that was resident, in bytes. */
  peakBytes: number;
}

/** What a process of this machine has used, by proc(5); null where there is none. */
export function usageOf(pid: number): Usage | null {
  try {
    // The name, which may hold anything, ends at the last bracket; user and system time are the 14th and 15th fields.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [, kibibytes = '0'] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond, peakBytes: Number(kibibytes) * 1024 };
  } catch {
    return null;
  }
}
