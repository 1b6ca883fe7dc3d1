import type { Counts } from '../counts';
import { countDuring } from '../simulator';
import { ActivityRunner, type Api } from './activity-runner';
import { answer, measure, type Measured } from './measure';

/** Files to send, all jobs at once. */
export interface UploadRequest extends Api {
  control: string;
  /** The archive is made in it. */
  folder: string;
  /** Each is one job. A batch id is new to the simulator: a job that it knows is the same job, and what that has is not sent again. */
  batches: { batchId: string; source: string }[];
  /** Streams with which the process begins, and which it never exceeds. Default: the usual ones. */
  streams?: number;
  /** A few small files, sent as a job of its own first, so that what Node loads and keeps once is there already. */
  warmUp: string;
}

/** What was sent, and what the simulator received of it. */
export interface UploadAnswer {
  bytes: number;
  requests: Counts;
  bytesReceived: number;
}

answer<UploadRequest, Measured<UploadAnswer>>(async ({ control, folder, batches, warmUp, streams, ...api }) => {
  const runner = new ActivityRunner(api, folder, streams === undefined ? {} : { streams });
  try {
    const first = `${batches[0]!.batchId}-warm-up`;
    await runner.upload(first, await runner.createJob(first, warmUp));
    const jobs: (() => Promise<number>)[] = [];
    for (const { batchId, source } of batches) {
      const remote = await runner.createJob(batchId, source);
      jobs.push(() => runner.upload(batchId, remote));
    }
    const { value: measured, requests, bytesReceived } = await countDuring(control, () => measure(() => Promise.all(jobs.map((job) => job()))));
    return { ...measured, value: { bytes: measured.value.reduce((sum, bytes) => sum + bytes, 0), requests, bytesReceived } };
  } finally {
    await runner.close();
  }
});
