/** What a figure counts in. */
export type Unit = 'actions' | 'bytes' | 'bytes/s' | 'documents' | 'documents/s' | 'events' | 'files' | 'jobs' | 'lines' | 'ratio' | 'requests' | 'runs' | 's' | 'tasks';

/** One measured number. */
export interface Figure {
  /** Null when it could not be measured; `note` says why. */
  value: number | null;
  unit: Unit;
  /** Most that the design allows. Only counts and memory have one: times belong to the machine. */
  budget?: number;
  /** Whether `value` keeps the budget. */
  ok?: boolean;
  /** What must be known to read the number. */
  note?: string;
}

/** A benchmark's figures by name; names of parts have a slash. */
export type Figures = Record<string, Figure>;

/** A measured number, rounded to what is worth reading, and compared with its budget when it has one. */
export function figure(value: number | null, unit: Unit, { budget, note }: { budget?: number; note?: string } = {}): Figure {
  const digits = unit === 's' || unit === 'ratio' ? 3 : 0;
  const rounded = value === null ? null : Number(value.toFixed(digits));
  return {
    value: rounded,
    unit,
    ...(budget !== undefined && { budget, ok: value !== null && value <= budget }),
    ...(note !== undefined && { note }),
  };
}

/** Counts by name as figures below `prefix`, in the order of their names. */
export function counted(prefix: string, counts: Record<string, number>, unit: Unit): Figures {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => [`${prefix}/${name}`, figure(count, unit)]));
}

/** The middle of some numbers; of an even number the mean of the two in the middle. @throws when there is none */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  if (low === undefined || high === undefined) throw new Error('there is no median of nothing');
  return (low + high) / 2;
}

/** The number that the share `q` of them does not exceed: 0.5 for half of them, 1 for all. @throws when there is none */
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
  if (value === undefined) throw new Error('there is no quantile of nothing');
  return value;
}
