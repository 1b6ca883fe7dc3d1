/** A value at a time of the run. */
export interface Point {
  minutes: number;
  value: number;
}

/** How a value went over the run, and whether it stayed where it was. */
export interface Course {
  /** Median of the first third after the warm-up. */
  first: number;
  /** Median of the last third. */
  last: number;
  /** Of the lower envelope, an hour. */
  slope: number;
  /** The highest value ever, the warm-up included. */
  peak: number;
  /** Null: too short to say. */
  flat: boolean | null;
}

/** How much a value may grow from the first to the last third: by a share of itself, or by an amount, whichever is more. */
export interface Allowance {
  ratio: number;
  growth: number;
}

/** The least length of what is judged, after the warm-up, in minutes: a process of Node takes some until its memory is what it will be. */
const leastMinutes = 15;

/** The part of a run that is no measure of the rest: caches fill, the collector finds its size. */
export const warmUpMinutes = (minutes: number): number => Math.min(10, minutes / 4);

/**
 * Judges a series by the lower envelope, its least value in each minute, so that what comes and goes with the work does not count. Null: no points.
 */
export function courseOf(points: readonly Point[], warmUp: number, { ratio, growth }: Allowance): Course | null {
  if (points.length === 0) return null;
  const peak = points.reduce((most, { value }) => Math.max(most, value), -Infinity);
  const envelope = minima(points.filter(({ minutes }) => minutes >= warmUp));
  const third = Math.max(1, Math.floor(envelope.length / 3));
  const values = envelope.map(({ value }) => value);
  if (values.length === 0) return { first: points[0]!.value, last: points.at(-1)!.value, slope: 0, peak, flat: null };
  const [first, last] = [median(values.slice(0, third)), median(values.slice(-third))];
  const flat = envelope.length < leastMinutes ? null : last <= Math.max(first * ratio, first + growth);
  return { first, last, slope: theilSen(envelope) * 60, peak, flat };
}

/** The least value of each minute. */
export function minima(points: readonly Point[]): Point[] {
  const least = new Map<number, Point>();
  for (const point of points) {
    const minute = Math.floor(point.minutes);
    const known = least.get(minute);
    if (!known || point.value < known.value) least.set(minute, point);
  }
  return [...least.values()];
}

/** The median of the slopes between all pairs: a few wild points do not move it. 0 for a single point. */
export function theilSen(points: readonly Point[]): number {
  const slopes = points.flatMap((a, index) => points.slice(index + 1).flatMap((b) => (b.minutes === a.minutes ? [] : [(b.value - a.value) / (b.minutes - a.minutes)])));
  return slopes.length === 0 ? 0 : median(slopes);
}

/** The middle value; of an even number the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
