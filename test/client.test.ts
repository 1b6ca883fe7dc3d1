import { Client, Connection } from '@temporalio/client';
import { BatchClient, InvalidInputError, type BatchInputOptions } from '../src/client';

/** Nothing listens there: what is refused here was refused before anyone was asked. */
const unreachable = Connection.lazy({ address: '127.0.0.1:1' });
const batches = new BatchClient({ client: new Client({ connection: unreachable }) });
afterAll(() => unreachable.close());

const good: BatchInputOptions = { project: 'Tower', source: { folder: '/data' } };

async function refused(input: unknown, id?: string): Promise<string[]> {
  const error: unknown = await batches.start(input as BatchInputOptions, id === undefined ? {} : { id }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InvalidInputError);
  return (error as InvalidInputError).problems.map(({ field }) => field);
}

describe('BatchClient.start refuses, before it contacts anyone,', () => {
  it.each(['../x', 'a..b', '', '.x', 'a/b', 'x'.repeat(121), 'ü', ' a'])('the id "%s"', async (id) => expect(await refused(good, id)).toEqual(['id']));

  it('all bad fields at once, unknown ones by name', async () => {
    const fields = await refused({ project: '', source: { folder: '/data' }, priority: 9, maxCredit: 1, limits: { maxFiles: 101 } }, 'a/b');
    expect(fields.sort()).toEqual(['id', 'limits.maxFiles', 'maxCredit', 'priority', 'project']);
  });

  it('an input that Temporal could not take', async () => {
    const documents = Array.from({ length: 1000 }, (_, n) => ({ path: `/${'x'.repeat(2000)}${n}` }));
    expect(await refused({ project: 'Tower', source: { documents } })).toEqual(['(input)']);
  });
});

describe.each(['..', 'a/b', ''])('the id "%s"', (id) => {
  it.each(['status', 'wait', 'pause', 'resume', 'cancel', 'retry', 'input'] as const)('is refused by %s', (order) => expect(batches[order](id)).rejects.toBeInstanceOf(InvalidInputError));
});

test('wait ends at once with the reason of a signal that was given before', async () => {
  const reason = new Error('enough');
  await expect(batches.wait('b1', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
