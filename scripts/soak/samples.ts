import { appendFile, open, readdir, readFile, stat } from 'node:fs/promises';
import { usageOf } from '../bench/usage';

/** A process whose use is followed. */
export interface Watched {
  name: string;
  pid: number;
  /** Where Node's own report of its collections goes, when it makes one. */
  gcLog?: string;
}

/** What a process uses at one moment. */
export interface ProcessSample {
  pid: number;
  /** Resident, in bytes. */
  rss: number;
  /** Resident and of no file, in bytes: what the process allocated. */
  anonymous: number;
  /** Live objects after the last full collection of the thread that has most of them, in bytes; null when nothing reports it. */
  heap: number | null;
  descriptors: number;
  threads: number;
  cpuSeconds: number;
}

/** One line of the samples' file. */
export interface Sample {
  /** Since the start. */
  minutes: number;
  processes: Record<string, ProcessSample>;
  databaseBytes: number;
  openBatches: number;
  endedBatches: number;
}

/** What a process of this machine uses now, by proc(5); null where there is none any more. */
export async function sampleProcess({ pid }: Watched, heap: number | null): Promise<ProcessSample | null> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
    return { pid, rss: field('VmRSS') * 1024, anonymous: field('RssAnon') * 1024, heap, descriptors, threads: field('Threads'), cpuSeconds: usageOf(pid)?.cpuSeconds ?? 0 };
  } catch {
    return null;
  }
}

/** Arguments of Node that make it report its full collections. */
export const gcReport = ['--trace-gc', '--trace-gc-ignore-scavenger'];

/** Reads what a log got since the last look: the live heap after the last full collection, and errors. */
export class LogTail {
  /** Lines of level `error` and above. */
  errors = 0;
  /** The last of them. */
  lastError: string | null = null;
  /** In bytes, by thread: threads come and go, and the most that one holds is what is followed. */
  readonly #heaps = new Map<string, number>();
  #offset = 0;
  #rest = '';

  constructor(readonly file: string) {}

  /** Live objects of the thread that has most; null until there was a full collection. */
  get heap(): number | null {
    return this.#heaps.size === 0 ? null : Math.max(...this.#heaps.values());
  }

  /** Reads on. */
  async look(): Promise<void> {
    const handle = await open(this.file, 'r').catch(() => null);
    if (!handle) return;
    try {
      const chunk = Buffer.alloc(64 * 1024);
      for (;;) {
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, this.#offset);
        if (bytesRead === 0) return;
        this.#offset += bytesRead;
        this.take(chunk.toString('utf8', 0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  }

  /** Takes a piece of the log. */
  take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    const [, thread, live] = /^\[(\d+:0x[0-9a-f]+)\].*Mark-Compact.*?-> ([\d.]+) \(/.exec(line) ?? [];
    // A process that was started again writes into the same log.
    if (thread !== undefined) this.#note(thread, Number(live) * 2 ** 20);
    else if (/"level":(50|60|"error"|"fatal")/.test(line)) [this.errors, this.lastError] = [this.errors + 1, line.slice(0, 600)];
  }

  #note(thread: string, bytes: number): void {
    const pid = thread.split(':')[0]!;
    if (![...this.#heaps.keys()].every((known) => known.startsWith(`${pid}:`))) this.#heaps.clear();
    this.#heaps.set(thread, bytes);
  }
}

/** What the source of samples has to tell. */
export interface SampledRun {
  /** Those that run now, under names that stay. */
  watched(): Watched[];
  database: string;
  batches(): Pick<Sample, 'openBatches' | 'endedBatches'>;
}

/** Takes samples, and writes each to a file at once: what was measured survives a crash of the script. */
export class Sampler {
  readonly samples: Sample[] = [];
  readonly tails = new Map<string, LogTail>();
  readonly #startedAt = performance.now();

  constructor(
    private readonly run: SampledRun,
    private readonly file: string,
  ) {}

  /** Since the start. */
  get minutes(): number {
    return (performance.now() - this.#startedAt) / 60_000;
  }

  /** Takes one. */
  async take(): Promise<Sample> {
    const processes: Sample['processes'] = {};
    for (const watched of this.run.watched()) {
      const taken = await sampleProcess(watched, await this.#heapOf(watched));
      if (taken) processes[watched.name] = taken;
    }
    const databaseBytes = (await Promise.all([this.run.database, `${this.run.database}-wal`].map(sizeOf))).reduce((sum, size) => sum + size, 0);
    const sample = { minutes: this.minutes, processes, databaseBytes, ...this.run.batches() };
    this.samples.push(sample);
    await appendFile(this.file, `${JSON.stringify(sample)}\n`);
    return sample;
  }

  async #heapOf({ name, gcLog }: Watched): Promise<number | null> {
    if (gcLog === undefined) return null;
    const tail = this.tails.get(name) ?? new LogTail(gcLog);
    this.tails.set(name, tail);
    await tail.look();
    return tail.heap;
  }
}

const sizeOf = async (file: string): Promise<number> => (await stat(file).catch(() => null))?.size ?? 0;
