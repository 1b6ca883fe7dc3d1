import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createActivities } from '../src/activities';
import { readConfig } from '../src/config';
import { failureTypes } from '../src/contract/failures';
import { startSimulator, type Simulator } from '../src/simulator/server';
import { workerDependencies } from '../src/worker';

describe('what a worker process works with', () => {
  let simulator: Simulator;
  let folder: string;
  let deps: ReturnType<typeof workerDependencies>;
  beforeEach(async () => {
    [simulator, folder] = await Promise.all([startSimulator(), mkdtemp(join(tmpdir(), 'worker-'))]);
    await mkdir(join(folder, 'archive'));
    await writeFile(join(folder, 'key'), `${simulator.apiKey}\n`);
  });
  afterEach(async () => {
    await Promise.all([simulator.close(), deps.plangrep.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  const start = (more: Record<string, string> = {}) => {
    const env = {
      PLANGREP_API_KEY_FILE: join(folder, 'key'),
      PLANGREP_BASE_URL: simulator.apiUrl,
      PLANGREP_ARCHIVE: join(folder, 'archive'),
      PLANGREP_SECRET_KEY: randomBytes(32).toString('base64'),
      ...more,
    };
    deps = workerDependencies(readConfig(env, ['plangrep', 'archive', 'secretKey']), {} as Client);
    return createActivities(deps).api;
  };

  test('a key that is rotated in its file counts from the next call on, without a restart', async () => {
    const { findProject } = start();
    const call = () => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(findProject, { project: 'Quickstart', orFail: true });
    await expect(call()).resolves.toEqual({ projectId: 'proj_quickstart' });
    const { keys } = simulator.state;
    keys.set('pgk_rotated', keys.get(simulator.apiKey)!);
    keys.delete(simulator.apiKey);
    await expect(call()).rejects.toMatchObject({ type: failureTypes.unauthorized, nonRetryable: true });
    await writeFile(join(folder, 'key'), 'pgk_rotated\n');
    await expect(call()).resolves.toEqual({ projectId: 'proj_quickstart' });
  });

  test('an address for webhooks reaches the activities; without one jobs are polled', () => {
    start({ PLANGREP_WEBHOOK_URL: 'https://hooks.example.com/plangrep/' });
    expect(deps.settings.webhookUrl).toBe('https://hooks.example.com/plangrep');
    void deps.plangrep.close();
    start();
    expect(deps.settings).not.toHaveProperty('webhookUrl');
  });
});
