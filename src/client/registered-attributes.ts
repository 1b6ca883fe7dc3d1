import type { ConnectionLike } from '@temporalio/client';
import { searchAttributes, type SearchAttributeName } from '../contract/messages';

/** Temporal's numbers for the kinds that we use. */
export const attributeKinds = { KEYWORD: 2, INT: 3, DATETIME: 6 } as const;

/** Those of our search attributes that the namespace knows with the kind we mean; none when it cannot be asked. */
export async function registeredAttributes(connection: ConnectionLike, namespace: string): Promise<SearchAttributeName[]> {
  const answer = await connection.operatorService.listSearchAttributes({ namespace });
  const known = answer.customAttributes ?? {};
  return (Object.keys(searchAttributes) as SearchAttributeName[]).filter((name) => known[name] === attributeKinds[searchAttributes[name]]);
}
