import type { Client } from '@temporalio/client';
import { liveness } from '../../../src/activities/ledger';
import { entry, fakeTemporal } from './entries';

const batch = 'batch/old';
const job = 'batch/old/job/00001';

describe('liveness', () => {
  test('of a claim is that of its batch or of its job', async () => {
    const live = (statuses: Parameters<typeof fakeTemporal>[0]) => liveness(fakeTemporal(statuses).temporal)(entry());
    expect(await live({ [batch]: 'RUNNING' })).toBe(true);
    expect(await live({ [batch]: 'TERMINATED', [job]: 'RUNNING' })).toBe(true);
    expect(await live({ [batch]: 'COMPLETED', [job]: 'COMPLETED' })).toBe(false);
  });

  test('of what Temporal has forgotten is none', async () => {
    expect(await liveness(fakeTemporal({}).temporal)(entry())).toBe(false);
  });

  test('is asked once for a batch and once for a job, however many documents they claim', async () => {
    const { temporal, asked } = fakeTemporal({});
    const isLive = liveness(temporal);
    await Promise.all(Array.from({ length: 50 }, (_, seq) => isLive(entry({ seq }))));
    await isLive(entry({ job: 2 }));
    expect(asked).toEqual([batch, job, 'batch/old/job/00002']);
  });

  test('is asked again for another run of a job: its batch was started again', async () => {
    const statuses: Parameters<typeof fakeTemporal>[0] = {};
    const isLive = liveness(fakeTemporal(statuses).temporal);
    expect(await isLive(entry())).toBe(false);
    statuses[batch] = statuses[job] = 'RUNNING';
    expect(await isLive(entry({ runId: 'run-2' }))).toBe(true);
  });

  test('that cannot be told is no answer', async () => {
    const temporal = { workflow: { getHandle: () => ({ describe: () => Promise.reject(new Error('no connection')) }) } } as unknown as Client;
    await expect(liveness(temporal)(entry())).rejects.toThrow('no connection');
  });
});
