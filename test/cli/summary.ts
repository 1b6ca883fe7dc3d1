import type { BatchSummary } from '../../src/client';

/** A batch in the middle of its work. */
export const summary = (more: Partial<BatchSummary> = {}): BatchSummary => ({
  type: 'summary',
  batchId: 'b1',
  workflowId: 'batch/b1',
  runId: 'r1',
  status: 'running',
  gate: null,
  warning: null,
  trouble: null,
  documents: 10,
  documentsDone: 2,
  counts: { processed: 2 },
  jobs: { planned: 3, open: 2, done: 1 },
  bytes: 1234,
  pages: 20,
  credits: 200,
  nextExpiresAt: null,
  startedAt: '2026-01-01T00:00:00.000Z',
  closedAt: null,
  retryOf: null,
  archive: '/srv/archive',
  webUrl: null,
  error: null,
  ...more,
});
