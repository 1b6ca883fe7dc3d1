import fc from 'fast-check';
import { isPastUploads, afterEvent, blockedStatus, hasResult, isTerminal, newWatch, readUntil, takesUploads, terminalStatuses } from '../../src/domain/job-state';
import type { JobEvent, JobWatch, TerminalStatus } from '../../src/domain/job-state';

test.each([
  ['provisioning', false, false, false],
  ['awaiting_uploads', false, true, false],
  ['uploading', false, true, false],
  ['preflighting', false, false, false],
  ['processing', false, false, false],
  [blockedStatus, false, false, false],
  ['completed', true, false, true],
  ['completed_with_errors', true, false, true],
  ['failed', true, false, false],
  ['cancelled', true, false, false],
  ['expired', true, false, false],
  ['a_status_of_tomorrow', false, false, false],
])('%s: terminal %p, takes uploads %p, has a result %p', (status, terminal, uploads, result) => {
  expect([isTerminal(status), takesUploads(status), hasResult(status)]).toEqual([terminal, uploads, result]);
});

/** What a read finds in a job of this status, as `awaitJob` answers; nothing when it goes on waiting. */
function found(status: string, watch: JobWatch): JobEvent[] {
  const until = readUntil(watch);
  if (isTerminal(status)) return [{ kind: 'read', found: status }];
  if (status === blockedStatus && until.includes('blocked')) return [{ kind: 'read', found: 'blocked' }];
  if (status === 'processing' && until.includes('working')) return [{ kind: 'read', found: 'working' }];
  return [];
}

/** A job's life at Plangrep: it works and is blocked any number of times, and then it ends. */
const life = fc.tuple(fc.array(fc.constantFrom('preflighting', 'processing', blockedStatus, 'unheard_of'), { maxLength: 12 }), fc.constantFrom(...terminalStatuses));
/** What reaches the workflow at one moment of that life. */
const moment = fc.array(fc.constantFrom('webhook', 'read', 'resumed'), { maxLength: 4 });

/** The watch after a life of which each moment was, or was not, told in some order; a last read comes in any case, since polls go on. */
function watchOver([statuses, end]: [string[], TerminalStatus], moments: string[][]): JobWatch {
  let watch = newWatch();
  for (const [index, status] of [...statuses, end].entries()) {
    for (const kind of moments[index] ?? []) {
      const events: JobEvent[] = kind === 'read' ? [{ kind: 'reading' }, ...found(status, watch)] : kind === 'webhook' ? [{ kind: 'webhook' }] : [{ kind: 'resumed' }];
      watch = events.reduce(afterEvent, watch);
    }
  }
  return found(end, watch).reduce(afterEvent, watch);
}

test('the end is the same under any loss, repetition and order of webhooks and polls, and with none at all', () => {
  fc.assert(
    fc.property(life, fc.array(moment, { maxLength: 13 }), (course, moments) => {
      const bare = watchOver(course, []);
      expect(bare).toEqual({ phase: 'ended', status: course[1], hinted: false });
      expect(watchOver(course, moments)).toEqual(bare);
      expect(watchOver(course, moments.toReversed())).toEqual(bare);
    }),
  );
});

const anyEvent = fc.oneof(
  fc.constant<JobEvent>({ kind: 'webhook' }),
  fc.constant<JobEvent>({ kind: 'reading' }),
  fc.constant<JobEvent>({ kind: 'resumed' }),
  fc.constantFrom('blocked', 'working', ...terminalStatuses).map((status): JobEvent => ({ kind: 'read', found: status })),
);

test('what comes after the end changes nothing, and a repeat of a read changes nothing', () => {
  fc.assert(
    fc.property(fc.array(anyEvent), fc.constantFrom(...terminalStatuses), fc.array(anyEvent), (before, end, after) => {
      const ended = afterEvent(before.reduce(afterEvent, newWatch()), { kind: 'read', found: end });
      expect(after.reduce(afterEvent, ended)).toEqual(ended);
      const watch = before.filter((event) => event.kind !== 'read' || !isTerminal(event.found)).reduce(afterEvent, newWatch());
      for (const sight of ['blocked', 'working'] as const) {
        const once = afterEvent(watch, { kind: 'read', found: sight });
        expect(afterEvent(once, { kind: 'read', found: sight })).toEqual(once);
      }
    }),
  );
});

test('news that comes while a read is under way is not taken for read', () => {
  const reading = afterEvent(afterEvent(newWatch(), { kind: 'webhook' }), { kind: 'reading' });
  expect(reading.hinted).toBe(false);
  expect(afterEvent(reading, { kind: 'webhook' }).hinted).toBe(true);
});

test('only a blocked job is resumed, and blocked again it is blocked', () => {
  const blocked = afterEvent(newWatch(), { kind: 'read', found: 'blocked' });
  expect(afterEvent(newWatch(), { kind: 'resumed' })).toEqual(newWatch());
  const resuming = afterEvent(blocked, { kind: 'resumed' });
  expect(resuming.phase).toBe('resuming');
  expect(readUntil(resuming)).toEqual(['blocked', 'working']);
  expect(afterEvent(resuming, { kind: 'read', found: 'blocked' }).phase).toBe('blocked');
  expect(afterEvent(resuming, { kind: 'read', found: 'working' }).phase).toBe('waiting');
});

test.each([
  ['provisioning', 'before'],
  ['pondering', 'before'],
  ['awaiting_uploads', 'open'],
  ['uploading', 'open'],
  ['preflighting', 'behind'],
  ['blocked_insufficient_credits', 'behind'],
  ['processing', 'behind'],
  ['completed', 'behind'],
  ['completed_with_errors', 'behind'],
  ['failed', 'behind'],
  ['cancelled', 'behind'],
  ['expired', 'behind'],
])('of a job that is %s the upload window is %s', (status, window) => {
  expect([takesUploads(status), isPastUploads(status)]).toEqual([window === 'open', window === 'behind']);
});
