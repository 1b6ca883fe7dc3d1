import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { ApplicationFailure, type ActivityFunction } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createActivities, type Activities } from '../../../src/activities';
import { archiveFiles } from '../../../src/activities/archive/archive-files';
import type { Dependencies } from '../../../src/activities/dependencies';
import { createPace } from '../../../src/activities/pace';
import { createUploadEngine } from '../../../src/activities/upload/engine';
import { Streams } from '../../../src/activities/upload/streams';
import type { RemoteJob } from '../../../src/contract/activities';
import { batchInputSchema } from '../../../src/contract/batch';
import { failureTypes } from '../../../src/contract/failures';
import { batchKeys } from '../../../src/contract/keys';
import { PlangrepClient } from '../../../src/plangrep/client';
import type { Store } from '../../../src/store';
import { FolderStore } from '../../../src/store/folder';
import { jsonText } from '../../../src/store/jsonl';
import { Seal } from '../../../src/store/seal';
import { packageVersion } from '../../../src/version';

const quiet = new DefaultLogger('ERROR');
const projectId = 'proj_quickstart';

/** Where the archive lies. */
export const archiveIn = (folder: string): string => join(folder, 'archive');

/** Where a simulator listens, and its key. */
export interface Api {
  api: string;
  apiKey: string;
}

/** The worker's activities over a simulator and a folder, without Temporal: batches of one job each, as many at once as are asked for. */
export class ActivityRunner {
  readonly activities: Activities;
  readonly #deps: Dependencies;

  /**
   * @param folder the archive lies in it
   * @param given what is not as usual: `sealKey`, 32 bytes that a process has in common with the one it goes on for (random); `store` (that folder);
   * `streams`, with which uploads begin and which they never exceed
   */
  constructor({ api, apiKey }: Api, folder: string, given: { sealKey?: Buffer; store?: Store; streams?: number } = {}) {
    this.#deps = {
      store: given.store ?? new FolderStore(archiveIn(folder)),
      plangrep: new PlangrepClient({ baseUrl: api, apiKey: () => apiKey, version: packageVersion }),
      seal: new Seal(given.sealKey ?? randomBytes(32)),
      pace: createPace(1000),
      ...(given.streams !== undefined && { uploads: createUploadEngine({ streams: new Streams({ start: given.streams, most: given.streams }) }) }),
      temporal: {} as Client, // none of the activities used here asks Temporal
      settings: { minPollMs: 1000, projectPollMs: 1000, transferRequestsPerSecond: 1000, creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 },
    };
    this.activities = createActivities(this.#deps);
  }

  /** Plans the files of a folder as one job and creates that. @throws when they need more than one */
  async createJob(batchId: string, source: string): Promise<RemoteJob> {
    const input = batchInputSchema.parse({ project: 'Quickstart', source: { folder: source } });
    await this.#deps.store.write(batchKeys(batchId).input, jsonText({ batchId, input, acceptedAt: new Date().toISOString() }));
    const { jobs } = await this.run(this.activities.transfer.planBatch, { batchId, projectId: null });
    if (jobs !== 1) throw new Error(`${source} needs ${jobs} jobs instead of one`);
    const created = await this.run(this.activities.api.createJob, { batchId, job: 1, projectId });
    if (!created) throw new Error(`${batchId} was closed already`);
    const { jobId, externalId, createdAt, expiresAt } = created;
    return { jobId, externalId, createdAt, expiresAt };
  }

  /** Sends the job's documents. @throws when one of them could not be sent */
  async upload(batchId: string, remote: RemoteJob): Promise<number> {
    const { notSent, bytes } = await this.run(this.activities.transfer.uploadDocuments, { batchId, job: 1, projectId, remote, warnAt: null, upload: 'signed', skipProcessed: false });
    if (notSent > 0) throw new Error(`${notSent} documents were not sent`);
    return bytes;
  }

  /** Closes the upload and waits until the job has a result. */
  async complete(batchId: string, remote: RemoteJob): Promise<void> {
    const ref = { batchId, job: 1, remote, warnAt: null };
    await this.run(this.activities.api.completeUploads, ref);
    for (;;) {
      try {
        await this.run(this.activities.api.awaitJob, { ...ref, until: [] });
        return;
      } catch (error) {
        if (!(error instanceof ApplicationFailure) || error.type !== failureTypes.notYet) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }

  /** Archives the job's result and artifacts, as `archiveJob` does before it closes the job. */
  archive(batchId: string, remote: RemoteJob): Promise<{ files: number; bytes: number }> {
    return this.run((request: Parameters<typeof archiveFiles>[1]) => archiveFiles(this.#deps, request), { batchId, job: 1, remote });
  }

  /** Runs one activity, as its first attempt. */
  run<P extends unknown[], R>(activity: (...args: P) => Promise<R>, request: P[0]): Promise<R> {
    return new MockActivityEnvironment({ attempt: 1 }, { logger: quiet }).run(activity as unknown as ActivityFunction<[P[0]], R>, request);
  }

  async close(): Promise<void> {
    await this.#deps.plangrep.close();
  }
}
