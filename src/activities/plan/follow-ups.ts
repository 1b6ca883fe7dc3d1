import type { JobRef } from '../../contract/activities';
import type { FollowUp, PlanRange } from '../../contract/archive';
import { batchKeys } from '../../contract/keys';
import type { Store } from '../../store';
import { jsonText } from '../../store/jsonl';
import { readFollowUps } from './read';
import type { PlacedLine } from './read';

/** Parts of a job that become jobs of their own. */
export interface FollowUpRequest extends JobRef {
  /** The first number that may be free. */
  next: number;
  /** How often the documents have been sent again, and how often their job was refused, this time included. */
  tries: Pick<FollowUp, 'resends' | 'refusals'>;
  /** Documents of each part, in the order of the plan. */
  parts: PlacedLine[][];
}

/**
 * Makes follow-up jobs of a job's parts. Those that the job has already stay as they are, under their numbers, whatever is asked now:
 * they may have run. Documents that none of them has go into new ones, in the parts asked for. Answers all of the job's, in order.
 */
export async function makeFollowUps(store: Store, request: FollowUpRequest): Promise<FollowUp[]> {
  const { batchId, job, next, tries, parts } = request;
  const all = await readFollowUps(store, batchId);
  const made = all.filter(({ parent }) => parent === job);
  let number = Math.max(next, (all.at(-1)?.job ?? 0) + 1);
  for (const part of parts) {
    const open = part.filter((line) => !made.some((followUp) => holds(followUp, line)));
    if (open.length === 0) continue;
    const followUp: FollowUp = { job: number, parent: job, ranges: joined(open), ...tries };
    // Somebody else took the number since: what they made it for is to be looked at first.
    if (!(await store.createIfAbsent(batchKeys(batchId).followUp(number), jsonText(followUp)))) return makeFollowUps(store, request);
    made.push(followUp);
    number += 1;
  }
  return made;
}

/** What a job's documents have been through before it. */
export async function triesBefore(store: Store, { batchId, job }: JobRef): Promise<FollowUpRequest['tries']> {
  const { resends = 0, refusals = 0 } = (await readFollowUps(store, batchId)).find((followUp) => followUp.job === job) ?? {};
  return { resends, refusals };
}

/** The follow-up jobs that a job has already. */
export const followUpsOf = async (store: Store, { batchId, job }: JobRef): Promise<FollowUp[]> => (await readFollowUps(store, batchId)).filter(({ parent }) => parent === job);

/** Whether a follow-up job has this line of the plan. */
export const holds = ({ ranges }: FollowUp, { offset }: PlacedLine): boolean => ranges.some((range) => offset >= range.offset && offset < range.offset + range.length);

/** Ranges of the lines, in the order of the plan, neighbours in one. */
function joined(lines: PlacedLine[]): PlanRange[] {
  const ranges: PlanRange[] = [];
  for (const { line, offset, length } of lines) {
    let range = ranges.at(-1);
    if (!range || range.offset + range.length !== offset) {
      range = { offset, length: 0, documents: 0, sizeBytes: 0, pages: null };
      ranges.push(range);
    }
    range.length += length;
    range.documents += 1;
    range.sizeBytes += line.sizeBytes ?? 0;
    if (line.pages !== null) range.pages = (range.pages ?? 0) + line.pages;
  }
  return ranges;
}
