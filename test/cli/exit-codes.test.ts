import type { BatchSummary } from '../../src/client';
import { exitCodeOf } from '../../src/cli/exit-codes';

type Ended = Pick<BatchSummary, 'status' | 'counts'>;

test.each<[Ended['status'], Ended['counts'], number]>([
  ['completed', { processed: 3 }, 0],
  ['completed', { processed: 3, duplicate: 1, skipped: 2 }, 0],
  ['completed', {}, 0],
  ['completed_with_errors', { processed: 1, duplicate: 1 }, 3],
  ['completed', { processed: 1, rejected: 1 }, 3],
  ['completed', { partial: 1 }, 3],
  ['completed', { failed: 1 }, 3],
  ['completed', { cancelled: 1 }, 3],
  ['completed', { expired: 1 }, 3],
  ['failed', { processed: 3 }, 2],
  ['cancelled', { processed: 3 }, 2],
])('%s with %j exits with %i', (status, counts, code) => expect(exitCodeOf({ status, counts })).toBe(code));
