import { FolderStore } from '../../../src/store/folder';
import { verifyBatch } from '../../../src/verify';
import { answer, measure, type Measured } from './measure';

/** A batch to verify. */
export interface VerifyRequest {
  archive: string;
  batchId: string;
}

/** What was read. */
export interface VerifyAnswer {
  documents: number;
  files: number;
  bytes: number;
}

answer<VerifyRequest, Measured<VerifyAnswer>>(({ archive, batchId }) =>
  measure(async () => {
    const { documents, files, bytes, problems } = await verifyBatch(new FolderStore(archive, { blockingReads: true }), batchId);
    if (problems.length > 0) throw new Error(`the archive has problems: ${JSON.stringify(problems.slice(0, 3))}`);
    return { documents, files, bytes };
  }),
);
