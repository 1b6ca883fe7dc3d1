import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Processes } from '../processes';
import { findTemporalCli } from '../temporal-binaries';
import type { Figures } from './figures';
import { load, machine, versions, type Machine, type Versions } from './machine';
import type { Benchmark } from './registry';

/** What one benchmark gave. */
export interface BenchmarkReport {
  title: string;
  /** Null when it ran to its end. */
  error: string | null;
  /** All of it, preparations included. */
  totalSeconds: number;
  /** Load average of the last minute before and after. */
  load: { before: number; after: number };
  figures: Figures;
}

/** The one document that `npm run bench` prints. */
export interface Report {
  startedAt: string;
  /** Whether the sizes were tiny. */
  smoke: boolean;
  /** Whether they were those of the design's budgets, where these take long. */
  full: boolean;
  machine: Machine;
  versions: Versions;
  totalSeconds: number;
  benchmarks: Record<string, BenchmarkReport>;
}

/** How benchmarks are run. */
export interface RunOptions {
  processes: Processes;
  smoke: boolean;
  full: boolean;
  progress: (line: string) => void;
}

/** Runs benchmarks one after another; one that fails leaves its error in the report. */
export async function runBenchmarks(benchmarks: Record<string, Benchmark>, options: RunOptions): Promise<Report> {
  const { processes, smoke, full, progress } = options;
  const startedAt = new Date();
  const needsTemporal = Object.values(benchmarks).some(({ temporal }) => temporal);
  const temporal = needsTemporal ? (await findTemporalCli({ processes, print: progress })).path : null;
  const reports: Record<string, BenchmarkReport> = {};
  for (const [name, benchmark] of Object.entries(benchmarks)) {
    if (processes.stopping) break;
    reports[name] = await runBenchmark(benchmark, { ...options, temporal });
    const { error, totalSeconds } = reports[name];
    progress(`${name}: ${error ?? 'done'} (${totalSeconds} s)`);
  }
  return {
    startedAt: startedAt.toISOString(),
    smoke,
    full,
    machine: machine(),
    versions: await versions(processes, temporal),
    totalSeconds: secondsSince(startedAt.getTime()),
    benchmarks: reports,
  };
}

async function runBenchmark(benchmark: Benchmark, options: RunOptions & { temporal: string | null }): Promise<BenchmarkReport> {
  const startedAt = Date.now();
  const before = load();
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const report = (error: string | null, figures: Figures): BenchmarkReport => ({
    title: benchmark.title,
    error,
    totalSeconds: secondsSince(startedAt),
    load: { before, after: load() },
    figures,
  });
  try {
    const run = await benchmark.load();
    return report(null, await run({ ...options, folder }));
  } catch (error) {
    return report(error instanceof Error ? error.message : String(error), {});
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const secondsSince = (startedAt: number): number => Math.round((Date.now() - startedAt) / 100) / 10;

/** Names of the figures that are over their budget, as `benchmark figure`. */
export function overBudget({ benchmarks }: Report): string[] {
  return Object.entries(benchmarks).flatMap(([name, { figures }]) => Object.entries(figures).flatMap(([figure, { ok }]) => (ok === false ? [`${name} ${figure}`] : [])));
}
