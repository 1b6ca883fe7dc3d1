import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { ledgerEntrySchema, type DocumentOutcome, type LedgerEntry } from '../../../src/contract/archive';
import { ledgerKey } from '../../../src/contract/keys';
import type { Store } from '../../../src/store';
import { FolderStore } from '../../../src/store/folder';
import { findJson, jsonText } from '../../../src/store/jsonl';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A store of its own in a folder that is gone after the test. */
export function temporaryStore(): FolderStore {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ledger-test-')));
  folders.push(folder);
  return new FolderStore(folder);
}

/** A digest that nothing has. */
export const digest = (number: number): string => number.toString(16).padStart(64, '0');

/** What a job says of a processed document. */
export const outcome = (rest: Partial<DocumentOutcome> = {}): DocumentOutcome => ({
  seq: 1, outcome: 'processed', reason: null, jobId: 'job_1', documentId: 'doc_1', sha256: digest(1), pages: 1,
  pagesFailed: null, pagesPaid: null, credits: null, result: null, artifacts: [], ...rest,
});

/** A claim of batch `old`. */
export const entry = (rest: Partial<LedgerEntry> = {}): LedgerEntry => ({
  sha256: digest(1), state: 'claimed', batchId: 'old', job: 1, seq: 1, jobId: null, documentId: null, runId: 'run-1', paid: false, at: '2026-01-01T00:00:00.000Z', ...rest,
});

/** The ledger's entry of a content in project `p`. */
export const read = (store: Store, sha256 = digest(1)): Promise<LedgerEntry | null> => findJson(store, ledgerKey('p', sha256), ledgerEntrySchema);
/** Puts an entry into project `p`. */
export const put = (store: Store, value: LedgerEntry): Promise<unknown> => store.write(ledgerKey('p', value.sha256), jsonText(value));

/** A Temporal that knows these workflows, and how often it was asked for each. */
export function fakeTemporal(statuses: Record<string, 'RUNNING' | 'COMPLETED' | 'TERMINATED'>): { temporal: Client; asked: string[] } {
  const asked: string[] = [];
  const getHandle = (workflowId: string) => ({
    describe: () => {
      asked.push(workflowId);
      const name = statuses[workflowId];
      return name ? Promise.resolve({ status: { name } }) : Promise.reject(new WorkflowNotFoundError('not found', workflowId, undefined));
    },
  });
  return { temporal: { workflow: { getHandle } } as unknown as Client, asked };
}
