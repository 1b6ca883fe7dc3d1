import spdxSatisfies from 'spdx-satisfies';
import type { LockedPackage } from './lock-file';

/** May be part of, or used by, a work under Apache-2.0 without conditions beyond notices. */
const allowed = ['Apache-2.0', 'MIT', 'MIT-0', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0', 'CC0-1.0', 'Unlicense', 'Zlib', 'Python-2.0'];

/** What a package's own metadata do not say, or say of data alone; each was looked at. */
const readings: Record<string, { licence: string; reason: string }> = {
  unionfs: { licence: 'Unlicense', reason: 'its LICENSE file; package.json names none' },
  'png-js': { licence: 'MIT', reason: 'its LICENSE file; package.json names none' },
  'caniuse-lite': { licence: 'MIT', reason: 'CC-BY-4.0 is for its tables of browsers, which the bundler reads and nothing hands on' },
  'spdx-exceptions': { licence: 'MIT', reason: 'CC-BY-3.0 is for its list of names, which only the check of licences reads' },
  'spdx-ranges': { licence: 'MIT', reason: 'CC-BY-3.0 is for its list of names, which only the check of licences reads' },
};

/** A licence as it is counted, and whether it fits. */
export interface Judgement {
  licence: string;
  fits: boolean;
  /** Why it is not read as the package states it. */
  reason?: string;
}

/** Whether a package's licence is compatible with Apache-2.0. One that states none, or an unreadable one, does not fit. */
export function judge({ name, licence }: Pick<LockedPackage, 'name' | 'licence'>): Judgement {
  const reading = readings[name];
  const read = reading?.licence ?? licence;
  if (read === null) return { licence: 'none stated', fits: false };
  return { licence: read, fits: satisfies(read), ...(reading && { reason: reading.reason }) };
}

/** Readings of packages that are not there any more. */
export function uselessReadings(packages: LockedPackage[]): string[] {
  const names = new Set(packages.map(({ name }) => name));
  return Object.keys(readings).filter((name) => !names.has(name));
}

function satisfies(expression: string): boolean {
  try {
    return spdxSatisfies(expression, allowed);
  } catch {
    return false;
  }
}
