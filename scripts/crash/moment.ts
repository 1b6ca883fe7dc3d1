import { readdirSync, type Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Counters } from '../../src/simulator/counters';
import type { Simulator } from '../../src/simulator/server';
import type { Moment } from './plan';

/** Where moments can be seen from outside of the processes that are killed. */
export interface Scene {
  simulator: Simulator;
  archive: string;
}

/** How long a look at the archive or at the bytes is old at most, in ms. */
const lookMs = 5;

/**
 * Strikes at the moment, which is looked out for from this call on. True: it came, and `strike` was called, for a request
 * before its connection hears anything more. False: it was called off first.
 */
export function strikeAt(moment: Moment, scene: Scene, strike: () => void, calledOff: AbortSignal): Promise<boolean> {
  if (moment.on === 'request') return strikeAtRequest(moment, scene.simulator, strike, calledOff);
  if (moment.on === 'file') return strikeAtFile(moment, scene.archive, strike, calledOff);
  const { counters } = scene.simulator.state;
  const target = counters.bytesReceived + moment.bytes;
  return strikeWhen(async () => counters.bytesReceived >= target, strike, calledOff);
}

function strikeAtRequest(
  { operation, nth, phase }: Extract<Moment, { on: 'request' }>,
  { state: { counters, faults } }: Simulator,
  strike: () => void,
  calledOff: AbortSignal,
): Promise<boolean> {
  // A request that is cut is counted as dropped right before, and so can be told to the microsecond.
  if (phase !== 'answered') faults.add({ kind: 'request', operation, nth, drop: phase === 'arrived' ? 'before' : 'after' });
  let answers = 0;
  return new Promise((resolve) => {
    const unwatch = watch(counters, (counted, outcome) => {
      if (counted !== operation) return;
      if (phase === 'answered' ? typeof outcome !== 'number' || outcome >= 300 || ++answers < nth : outcome !== 'dropped') return;
      unwatch();
      strike();
      resolve(true);
    });
    calledOff.addEventListener('abort', () => {
      unwatch();
      resolve(false);
    });
  });
}

function watch(counters: Counters, see: Counters['count']): () => void {
  const count = counters.count.bind(counters);
  counters.count = (operation, outcome) => {
    count(operation, outcome);
    see(operation, outcome);
  };
  return () => {
    counters.count = count;
  };
}

function strikeAtFile({ path, nth }: Extract<Moment, { on: 'file' }>, archive: string, strike: () => void, calledOff: AbortSignal): Promise<boolean> {
  const pattern = new RegExp(path);
  const before = new Set(existingFiles(archive));
  const appeared = new Set<string>();
  const look = async (): Promise<boolean> => {
    for (const found of await filesOf(archive)) if (!before.has(found) && pattern.test(`/${found}`)) appeared.add(found);
    return appeared.size >= nth;
  };
  return strikeWhen(look, strike, calledOff);
}

async function strikeWhen(look: () => Promise<boolean>, strike: () => void, calledOff: AbortSignal): Promise<boolean> {
  while (!calledOff.aborted) {
    if (await look()) {
      strike();
      return true;
    }
    await pause(lookMs);
  }
  return false;
}

/** Files below a folder, relative to it, without those that are still being written. None while the folder changes under the look. */
async function filesOf(folder: string): Promise<string[]> {
  return whole(folder, await readdir(folder, options).catch(() => []));
}

/** {@link filesOf}, at this very moment. */
function existingFiles(folder: string): string[] {
  try {
    return whole(folder, readdirSync(folder, options));
  } catch {
    return [];
  }
}

const options = { recursive: true, withFileTypes: true } as const;

function whole(folder: string, entries: Dirent[]): string[] {
  return entries.flatMap((entry) => (entry.isFile() && !entry.name.startsWith('.tmp-') ? `${entry.parentPath.slice(folder.length + 1)}/${entry.name}` : []));
}
