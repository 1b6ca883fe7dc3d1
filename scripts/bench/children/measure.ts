import { readFileSync, writeFileSync } from 'node:fs';

/** Memory of this process while something ran, as the kernel counts it. */
export interface MemoryUse {
  /** Resident before it began, in bytes. */
  beforeBytes: number;
  /** The most that was resident at any moment of it, in bytes. */
  peakBytes: number;
  /** The most since the process began, the runtime and its loader included, in bytes. */
  processPeakBytes: number;
}

/** What came out, how long it took, and what it took. */
export interface Measured<T> {
  value: T;
  seconds: number;
  /** Of the processor, all threads together: hardly longer when the machine has other work. */
  cpuSeconds: number;
  memory: MemoryUse;
}

/**
 * Runs `work` and measures it. On Linux the kernel's own high-water mark is set back before, so that no peak between two looks
 * is missed; elsewhere the mark of the whole process counts, which is never too low.
 */
export async function measure<T>(work: () => Promise<T>): Promise<Measured<T>> {
  const earlierPeakBytes = peakBytes();
  // By the same count as the peak, where there is one: that of `memoryUsage` can differ by megabytes.
  const beforeBytes = resetPeak() ? peakBytes() : process.memoryUsage.rss();
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const value = await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const peak = peakBytes();
  return { value, seconds, cpuSeconds: (cpu.user + cpu.system) / 1_000_000, memory: { beforeBytes, peakBytes: peak, processPeakBytes: Math.max(peak, earlierPeakBytes) } };
}

/** Answers the parent: one line of JSON on stdout, the last one. A failure goes to stderr, and the exit code says so. */
export function answer<Request, Answer>(work: (request: Request) => Promise<Answer>): void {
  work(JSON.parse(process.argv[2] ?? 'null') as Request).then(
    (value) => process.stdout.write(`${JSON.stringify(value)}\n`),
    (error: Error) => {
      process.stderr.write(`${error.stack ?? error.message}\n`);
      process.exitCode = 1;
    },
  );
}

/** `VmHWM` of proc(5). */
function peakBytes(): number {
  try {
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    if (kibibytes) return Number(kibibytes) * 1024;
  } catch {
    // No proc file system here.
  }
  return process.resourceUsage().maxRSS * 1024;
}

/** Sets the mark to what is resident now. False: not Linux, or not allowed; the mark of the whole process remains. */
function resetPeak(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return true;
  } catch {
    return false;
  }
}
