import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createActivities } from '../../../src/activities';
import { createPace } from '../../../src/activities/pace';
import type { UploadedJob } from '../../../src/contract/activities';
import { batchInputSchema } from '../../../src/contract/batch';
import { batchKeys } from '../../../src/contract/keys';
import { PlangrepClient } from '../../../src/plangrep/client';
import { FolderStore } from '../../../src/store/folder';
import { jsonText } from '../../../src/store/jsonl';
import { Seal } from '../../../src/store/seal';

/** What an attempt works with. */
export interface AttemptRequest {
  api: string;
  apiKey: string;
  /** Holds `source`, and `archive` once it began. */
  folder: string;
  /** Of the seal, base64. */
  secretKey: string;
}

/** One attempt to plan, create, upload and complete a job, in this process: it goes on with what earlier ones in others have left. */
export async function attemptUpload({ api, apiKey, folder, secretKey }: AttemptRequest): Promise<UploadedJob> {
  const [batchId, projectId] = ['killed', 'proj_quickstart'];
  const store = new FolderStore(join(folder, 'archive'));
  const plangrep = new PlangrepClient({ baseUrl: api, apiKey: () => apiKey, version: '0.0.0-test' });
  const settings = { minPollMs: 1000, projectPollMs: 1000, transferRequestsPerSecond: 1000, creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 };
  const { transfer, api: jobs } = createActivities({ store, plangrep, seal: new Seal(Buffer.from(secretKey, 'base64')), pace: createPace(1000), temporal: {} as never, settings });
  const run = <P, R>(activity: (request: P) => Promise<R>, request: P): Promise<R> => new MockActivityEnvironment({ attempt: 1 }, { logger: new DefaultLogger('ERROR') }).run(activity, request);
  try {
    const input = batchInputSchema.parse({ project: 'Quickstart', source: { folder: join(folder, 'source') } });
    await store.write(batchKeys(batchId).input, jsonText({ batchId, input, acceptedAt: new Date(0).toISOString() }));
    await run(transfer.planBatch, { batchId, projectId: null });
    const { lowered: _lowered, webhookSecret: _secret, ...remote } = (await run(jobs.createJob, { batchId, job: 1, projectId }))!;
    const onRemote = { batchId, job: 1, remote, warnAt: null };
    const uploaded = await run(transfer.uploadDocuments, { ...onRemote, projectId, upload: 'signed' as const, skipProcessed: false });
    await run(jobs.completeUploads, onRemote);
    return uploaded;
  } finally {
    await plangrep.close();
  }
}

if (require.main === module) void attemptUpload(JSON.parse(process.argv[2]!) as AttemptRequest);
