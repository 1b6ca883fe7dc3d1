/** A process that archives and closes the job of a test's batch, as one attempt; run by hostile-attempts.test.ts. Prints how it ended. */
import { DefaultLogger } from '@temporalio/worker';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createArchiveActivities } from '../../../src/activities/archive';
import { createPace } from '../../../src/activities/pace';
import { PlangrepClient } from '../../../src/plangrep/client';
import { FolderStore } from '../../../src/store/folder';
import { apiKey, remote } from './fake-api';

const [url, folder, attempt] = process.argv.slice(2);
const plangrep = new PlangrepClient({ baseUrl: url!, apiKey: () => apiKey, version: '0' });
const { archiveJob } = createArchiveActivities({ store: new FolderStore(folder!), plangrep, pace: createPace(100_000) });
const env = new MockActivityEnvironment({ attempt: Number(attempt) }, { logger: new DefaultLogger('ERROR') });
void env
  .run(archiveJob, { batchId: 'b', job: 1, projectId: 'p', remote, warnAt: null })
  .then((closed) => JSON.stringify(closed), (error: Error) => JSON.stringify({ failed: error.message }))
  .then(async (line) => {
    console.log(line);
    await plangrep.close();
  });
