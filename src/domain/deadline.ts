/** A job's life: from its creation to the moment when it and its result are gone. ISO. */
export interface Lifespan {
  createdAt: string;
  expiresAt: string;
}

/** Percent of a job's life that are left when it warns. */
export const warningMarks = [50, 10] as const;

/** The instant at which so many percent of the life are left, in ms since 1970. */
function leftAt({ createdAt, expiresAt }: Lifespan, percent: number): number {
  const end = Date.parse(expiresAt);
  return end - ((end - Date.parse(createdAt)) * percent) / 100;
}

/** When the next warning is due, given how many are behind; null when there is none. */
export function nextWarningAt(life: Lifespan, warnings: number): string | null {
  const percent = warningMarks[warnings];
  return percent === undefined ? null : new Date(leftAt(life, percent)).toISOString();
}

/** How many warnings are due at this time. */
export const warningsDue = (life: Lifespan, nowMs: number): number => warningMarks.filter((percent) => nowMs >= leftAt(life, percent)).length;

/** Priority of archiving by the time left: 1 (first) under a tenth, 2 under a half, else 3. */
export const archivePriority = (life: Lifespan, nowMs: number): 1 | 2 | 3 => (3 - warningsDue(life, nowMs)) as 1 | 2 | 3;
