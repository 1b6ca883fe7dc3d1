import { InvalidInputError } from '../../src/client/errors';
import { checkSchedule, overlapOf, scheduleOverlaps, temporalOverlap, temporalSchedule, type ScheduleOptions } from '../../src/client/schedule-definition';
import { fairnessKeyOf, inputDigest } from '../../src/client/start-options';
import type { BatchInputOptions } from '../../src/contract/batch';
import { isBatchId } from '../../src/contract/messages';

const good: BatchInputOptions = { project: 'Tower', source: { folder: '/data' } };
const daily: ScheduleOptions = { cron: '0 2 * * *' };

function refused(id: string, input: unknown = good, options: unknown = daily): Record<string, string> {
  try {
    checkSchedule(id, input as BatchInputOptions, options as ScheduleOptions);
    return {};
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return Object.fromEntries((error as InvalidInputError).problems.map(({ field, message }) => [field, message]));
  }
}

describe('a schedule id', () => {
  it('leaves room for the time that names each batch', () => {
    const longest = 'x'.repeat(98);
    expect(refused(longest)).toEqual({});
    expect(isBatchId(`${longest}-2026-11-24T20:37:25Z`)).toBe(true);
    expect(refused(`${longest}x`)).toEqual({ scheduleId: expect.stringMatching(/99 characters, at most 98/) as string });
  });

  it.each(['', 'a/b', '../x', 'a..b', ' a'])('is not "%s"', (id) => expect(refused(id)).toEqual({ scheduleId: expect.stringContaining('1 to 98 letters') as string }));
});

describe('a time zone', () => {
  it.each(['Europe/Berlin', 'UTC', 'America/Argentina/Buenos_Aires', 'Asia/Kolkata', 'Etc/GMT+5'])('is %s', (timeZone) => expect(refused('s', good, { ...daily, timeZone })).toEqual({}));
  it.each(['Europe/Nowhere', '+01:00', '', 'Local', 'Berlin', '../etc/passwd'])('is not "%s"', (timeZone) =>
    expect(refused('s', good, { ...daily, timeZone })).toEqual({ timeZone: expect.stringContaining('is no IANA time zone') as string }));
  it('has its own spelling', () => expect(refused('s', good, { ...daily, timeZone: 'europe/berlin' })['timeZone']).toContain('must be written Europe/Berlin'));
});

describe('refused', () => {
  it.each([['0 2 * *'], [''], ['0 2 * * * * * *'], ['daily']])('cron "%s"', (cron) => expect(Object.keys(refused('s', good, { cron: ['0 1 * * *', cron] }))).toEqual(['cron.1']));

  it('a time zone inside a cron expression', () => expect(refused('s', good, { cron: 'TZ=Europe/Paris 0 2 * * *' })['cron.0']).toContain('a field of its own'));

  it('all that is wrong at once, by name', () => {
    const fields = refused('a/b', { source: { folder: '/data' }, maxCredit: 1 }, { cron: [], jitterMs: -1, catchupWindowMs: 9_999, overlap: 'maybe', jitter: 5 });
    expect(Object.keys(fields).sort()).toEqual(['catchupWindowMs', 'cron', 'jitter', 'jitterMs', 'maxCredit', 'overlap', 'project', 'scheduleId']);
  });

  it('a source that a worker could not find, or that makes no sense', () => {
    expect(refused('s', { ...good, source: { folder: 'data' } })).toEqual({ 'source.folder': 'must be absolute, as the worker sees it' });
    expect(refused('s', { ...good, source: { documents: [{ path: '/a' }, { path: 'b' }] } })).toEqual({ 'source.documents.1.path': 'must be absolute, as the worker sees it' });
    expect(refused('s', { ...good, source: { retryOf: 'b1' } })).toEqual({ 'source.retryOf': expect.any(String) as string });
    expect(refused('s', null)).toHaveProperty('(input)');
  });

  it('an input that Temporal could not take', () => {
    const documents = Array.from({ length: 1000 }, (_, n) => ({ path: `/${'x'.repeat(2000)}${n}` }));
    expect(Object.keys(refused('s', { ...good, source: { documents } }))).toEqual(['(input)']);
  });
});

test('a sweep is quiet about nothing and takes only what is new, unless it is told otherwise', () => {
  expect(checkSchedule('s', good, daily)).toMatchObject({
    input: { allowEmpty: true, skipProcessed: true },
    options: { cron: ['0 2 * * *'], timeZone: 'UTC', jitterMs: 0, overlap: 'skip', catchupWindowMs: 3_600_000, paused: false, pauseOnFailure: false },
  });
  expect(checkSchedule('s', { ...good, allowEmpty: false, skipProcessed: false }, daily).input).toMatchObject({ allowEmpty: false, skipProcessed: false });
});

test('what Temporal is asked for: one queue, one name, everything that people find a batch by', () => {
  const checked = checkSchedule('nightly', { ...good, labels: { owner: 'ann' }, priority: 2 }, { cron: ['0 2 * * *', '@every 6h'], timeZone: 'Europe/Berlin', jitterMs: 300_000, overlap: 'buffer-one', paused: true, note: 'not yet' });
  const { action, ...rest } = temporalSchedule(checked, ['BatchId', 'BatchStatus']);
  expect(rest).toEqual({
    scheduleId: 'nightly',
    spec: { cronExpressions: ['0 2 * * *', '@every 6h'], timezone: 'Europe/Berlin', jitter: 300_000 },
    policies: { overlap: 'BUFFER_ONE', catchupWindow: 3_600_000, pauseOnFailure: false },
    state: { paused: true, note: 'not yet' },
  });
  expect(action).toMatchObject({
    type: 'startWorkflow',
    workflowType: 'batchWorkflow',
    workflowId: 'batch/nightly',
    taskQueue: 'plangrep-batch',
    args: [checked.input],
    memo: { labels: { owner: 'ann' }, inputSha256: inputDigest(checked.input), scheduleId: 'nightly' },
    staticSummary: '/data → Tower',
    priority: { priorityKey: 2, fairnessKey: fairnessKeyOf('nightly') },
  });
  expect(JSON.stringify(action.typedSearchAttributes)).toContain('BatchStatus');
  expect(JSON.stringify(action.typedSearchAttributes)).not.toContain('BatchId');
});

it.each(scheduleOverlaps)('overlap %s is the same there and back', (overlap) => expect(overlapOf(temporalOverlap(overlap)!)).toBe(overlap));
