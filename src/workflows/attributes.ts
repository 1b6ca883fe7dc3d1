import { upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { SearchAttributePair } from '@temporalio/common';
import { searchAttributes } from '../contract/messages';
import type { SearchAttributeName } from '../contract/messages';

/** Values by name; `ResultExpiresAt` as an ISO string. */
export type AttributeValues = Partial<Record<SearchAttributeName, string | number>>;

/** Those of the values whose name is registered: an unregistered one would stop the workflow for good. */
export function attributePairs(registered: readonly SearchAttributeName[], values: AttributeValues): SearchAttributePair[] {
  return (Object.keys(values) as SearchAttributeName[])
    .filter((name) => registered.includes(name))
    .map((name) => pair(name, values[name]!));
}

function pair(name: SearchAttributeName, value: string | number): SearchAttributePair {
  const kind = searchAttributes[name];
  if (kind === 'DATETIME') return { key: defineSearchAttributeKey(name, kind), value: new Date(value) };
  if (kind === 'INT') return { key: defineSearchAttributeKey(name, kind), value: Number(value) };
  return { key: defineSearchAttributeKey(name, kind), value: String(value) };
}

/** Shows the values in the web UI's lists; costs one action. */
export function recordAttributes(registered: readonly SearchAttributeName[], values: AttributeValues): void {
  const pairs = attributePairs(registered, values);
  if (pairs.length > 0) upsertSearchAttributes(pairs);
}
