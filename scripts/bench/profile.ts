import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The parts of V8's CPU profile that are read here. */
interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  /** In microseconds. */
  timeDeltas: number[];
}

/** Time that a function took itself, without those it called. */
export interface Entry {
  name: string;
  seconds: number;
}

/** Waiting is no work. */
const waiting = new Set(['(idle)', '(root)']);

/** The functions of a process that took the most time, over all its threads, from the profiles that Node's --cpu-prof left in a folder. */
export async function topEntries(folder: string, count: number): Promise<{ entries: Entry[]; busySeconds: number }> {
  const seconds = new Map<string, number>();
  for (const file of await readdir(folder)) addProfile(seconds, JSON.parse(await readFile(join(folder, file), 'utf8')) as CpuProfile);
  const entries = [...seconds].map(([name, own]) => ({ name, seconds: own })).sort((a, b) => b.seconds - a.seconds);
  return { entries: entries.slice(0, count), busySeconds: entries.reduce((sum, entry) => sum + entry.seconds, 0) };
}

function addProfile(seconds: Map<string, number>, { nodes, samples, timeDeltas }: CpuProfile): void {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)] as const));
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? '(unknown)';
    if (!waiting.has(name)) seconds.set(name, (seconds.get(name) ?? 0) + (timeDeltas[index] ?? 0) / 1_000_000);
  }
}

/** A name that means the same on every machine: paths begin at the package or at lib/. */
function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const place = url.replace(/^file:\/\//, '').replace(/^.*\/node_modules\//, '').replace(/^.*\/(?=lib\/)/, '');
  const name = functionName || '(anonymous)';
  return place === '' ? name : `${name} ${place}:${lineNumber + 1}`;
}
