import type { FaultOptions } from '../../../src/simulator/faults';
import { FolderStore } from '../../../src/store/folder';
import type { Counts } from '../counts';
import { countDuring, setFaults } from '../simulator';
import { ActivityRunner, archiveIn, type Api } from './activity-runner';
import { answer, measure, type Measured } from './measure';

/** A job to archive. */
export interface ArchiveRequest extends Api {
  control: string;
  /** The archive is made in it. */
  folder: string;
  batchId: string;
  /** Its documents are in it. */
  source: string;
  /** A document or two, archived as a job of its own first, so that what Node loads and keeps once is there already. */
  warmUp: string;
  /** What is special about the job that is measured. */
  fault: Extract<FaultOptions, { kind: 'job' }>;
}

/** What was archived, and what it took. */
export interface ArchiveAnswer {
  files: number;
  bytes: number;
  requests: Counts;
  /** Objects that were written into the archive, its own records included. */
  storeWrites: number;
}

/** The archive, watched. */
class WatchedStore extends FolderStore {
  writes = 0;

  override write(...args: Parameters<FolderStore['write']>): ReturnType<FolderStore['write']> {
    this.writes += 1;
    return super.write(...args);
  }
}

answer<ArchiveRequest, Measured<ArchiveAnswer>>(async ({ control, folder, batchId, source, warmUp, fault, ...api }) => {
  const store = new WatchedStore(archiveIn(folder));
  const runner = new ActivityRunner(api, folder, { store });
  const finish = async (id: string, from: string) => {
    const remote = await runner.createJob(id, from);
    await runner.upload(id, remote);
    await runner.complete(id, remote);
    return remote;
  };
  try {
    await runner.archive(`${batchId}-warm-up`, await finish(`${batchId}-warm-up`, warmUp));
    await setFaults(control, [{ ...fault, times: 1 }]);
    const remote = await finish(batchId, source);
    const writesBefore = store.writes;
    const { value: measured, requests } = await countDuring(control, () => measure(() => runner.archive(batchId, remote)));
    return { ...measured, value: { ...measured.value, requests, storeWrites: store.writes - writesBefore } };
  } finally {
    await runner.close();
  }
});
