import type { Client } from '@temporalio/client';
import { searchAttributes } from '../contract/messages';
import type { SearchAttributeName } from '../contract/messages';

/**
 * Of our search attributes, those that the client's namespace knows. A server that does not tell has none of them, as far
 * as a batch is concerned: the web UI's lists then show less, and nothing breaks.
 */
export async function registeredAttributes({ connection, options }: Client): Promise<SearchAttributeName[]> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: options.namespace });
    return (Object.keys(searchAttributes) as SearchAttributeName[]).filter((name) => name in (customAttributes ?? {}));
  } catch {
    return [];
  }
}
