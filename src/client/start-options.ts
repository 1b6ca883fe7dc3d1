import { createHash, randomInt } from 'node:crypto';
import type { WorkflowStartOptions } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import type { BatchInput, Source } from '../contract/batch';
import { batchWorkflowId, taskQueues, type BatchArguments, type SearchAttributeName } from '../contract/messages';

/** The memo field that names the batch whose documents this one sends again. */
export const retryOfMemo = 'retryOf';

/** Largest input that is handed to Temporal; its own limit of 2 MB would be met with retries instead of an answer. */
export const maxInputBytes = 1_000_000;

/** `YYYYMMDDTHHMMSSZ-` and six random letters. */
export function defaultBatchId(now: Date): string {
  const stamp = now.toISOString().replace(/\.\d+Z$/, 'Z').replace(/[-:]/g, '');
  const letters = Array.from({ length: 6 }, () => String.fromCharCode(97 + randomInt(26))).join('');
  return `${stamp}-${letters}`;
}

/** The fairness key of a batch without a tenant: short, and its own. */
export const fairnessKeyOf = (batchId: string): string => createHash('sha256').update(batchId).digest('hex').slice(0, 32);

/** One digest for one meaning: equal inputs give equal digests whatever the order of their fields. */
export function inputDigest(input: BatchInput): string {
  const sorted = JSON.stringify(input, (_key, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash('sha256').update(sorted).digest('hex');
}

function sourceText(source: Source): string {
  if ('folder' in source) return source.folder;
  if ('list' in source) return source.list;
  return 'retryOf' in source ? `what ${source.retryOf} did not process` : `${source.documents.length} listed documents`;
}

function summaryOf({ project, source }: BatchInput): string {
  const from = sourceText(source);
  // Temporal takes 400 bytes; a long path is cut in front, since its end tells more.
  const shown = from.length > 120 ? `…${from.slice(-119)}` : from;
  return Buffer.from(`${shown} → ${project}`).subarray(0, 400).toString();
}

/** How Temporal is asked to start the batch: under its own id, never beside a running one, over a terminated one only. */
export function startOptions(
  batchId: string,
  input: BatchInput,
  registered: readonly SearchAttributeName[],
): WorkflowStartOptions<(...args: BatchArguments) => Promise<unknown>> {
  const attributes = { BatchId: batchId, BatchStatus: 'planning' } as const;
  const pairs = (Object.keys(attributes) as (keyof typeof attributes)[])
    .filter((name) => registered.includes(name))
    .map((name) => ({ key: defineSearchAttributeKey(name, 'KEYWORD'), value: attributes[name] }));
  return {
    workflowId: batchWorkflowId(batchId),
    taskQueue: taskQueues.batch,
    args: [input],
    workflowIdConflictPolicy: 'FAIL',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    memo: { labels: input.labels, inputSha256: inputDigest(input), ...('retryOf' in input.source && { [retryOfMemo]: input.source.retryOf }) },
    staticSummary: summaryOf(input),
    priority: { ...(input.priority && { priorityKey: input.priority }), fairnessKey: input.tenant ?? fairnessKeyOf(batchId) },
    typedSearchAttributes: new TypedSearchAttributes(pairs),
  };
}
