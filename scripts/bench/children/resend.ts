import { ActivityRunner, type Api } from './activity-runner';
import { answer } from './measure';

/** A job to send, or to go on with when another process was killed over it. */
export interface ResendRequest extends Api {
  /** The archive is in it. */
  folder: string;
  batchId: string;
  source: string;
  /** What both processes seal with: 32 bytes, hex. */
  sealKey: string;
}

answer<ResendRequest, number>(async ({ folder, batchId, source, sealKey, ...api }) => {
  const runner = new ActivityRunner(api, folder, { sealKey: Buffer.from(sealKey, 'hex') });
  try {
    return await runner.upload(batchId, await runner.createJob(batchId, source));
  } finally {
    await runner.close();
  }
});
