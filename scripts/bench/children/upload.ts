import { ActivityRunner, type Api } from './activity-runner';
import { answer, measure, type Measured } from './measure';

/** Files to send as one job. */
export interface UploadRequest extends Api {
  /** The archive is made in it. */
  folder: string;
  /** New to the simulator: a job that it knows is the same job, and what that has is not sent again. */
  batchId: string;
  /** The files are in it. */
  source: string;
  /** A few small files, sent as a job of its own first, so that what Node loads and keeps once is there already. */
  warmUp: string;
}

answer<UploadRequest, Measured<number>>(async ({ folder, batchId, source, warmUp, ...api }) => {
  const runner = new ActivityRunner(api, folder);
  try {
    const first = `${batchId}-warm-up`;
    await runner.upload(first, await runner.createJob(first, warmUp));
    const remote = await runner.createJob(batchId, source);
    return await measure(() => runner.upload(batchId, remote));
  } finally {
    await runner.close();
  }
});
