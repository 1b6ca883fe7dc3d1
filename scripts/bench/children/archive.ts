import { setFaults } from '../simulator';
import { ActivityRunner, type Api } from './activity-runner';
import { answer, measure, type Measured } from './measure';

/** A result to archive. */
export interface ArchiveRequest extends Api {
  control: string;
  /** The archive is made in it. */
  folder: string;
  /** The document is in it. */
  source: string;
  resultBytes: number;
}

answer<ArchiveRequest, Measured<{ files: number; bytes: number }>>(async ({ folder, source, control, resultBytes, ...api }) => {
  const runner = new ActivityRunner(api, folder);
  const finish = async (batchId: string) => {
    const remote = await runner.createJob(batchId, source);
    await runner.upload(batchId, remote);
    await runner.complete(batchId, remote);
    return remote;
  };
  try {
    // A job with a small result first, so that what Node loads and keeps once is there already.
    await runner.archive('warm-up', await finish('warm-up'));
    await setFaults(control, [{ kind: 'job', resultBytes }]);
    const remote = await finish('measured');
    return await measure(() => runner.archive('measured', remote));
  } finally {
    await runner.close();
  }
});
