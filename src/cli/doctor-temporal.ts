import { setTimeout as delay } from 'node:timers/promises';
import { attributeKinds, registeredAttributes } from '../client/registered-attributes';
import { searchAttributes, taskQueues, type SearchAttributeName } from '../contract/messages';
import type { TemporalConnection } from '../temporal-connection';
import { unpolledQueues } from '../client/pollers';
import type { Check } from './doctor';

/** Kinds as people and Temporal's own tools spell them. */
const kindNames = { KEYWORD: 'Keyword', INT: 'Int', DATETIME: 'Datetime' } as const;
const isCloud = (address: string): boolean => /\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$/.test(address);

/** Whether the namespace knows our search attributes; `fix` registers them, except on Temporal Cloud, which has its own tool for that. */
export async function checkSearchAttributes({ client, settings }: TemporalConnection, fix: boolean): Promise<Check> {
  const names = Object.keys(searchAttributes) as SearchAttributeName[];
  const missingNow = async () => {
    const known = await registeredAttributes(client.connection, settings.namespace);
    return names.filter((name) => !known.includes(name));
  };
  const name = 'search attributes';
  let missing = await missingNow();
  if (missing.length === 0) return { name, ok: true, message: `all ${names.length} are registered`, fix: null };
  if (fix && !isCloud(settings.address)) {
    const added = Object.fromEntries(missing.map((attribute) => [attribute, attributeKinds[searchAttributes[attribute]]]));
    await client.connection.operatorService.addSearchAttributes({ namespace: settings.namespace, searchAttributes: added });
    missing = await settled(missingNow);
    if (missing.length === 0) return { name, ok: true, message: `registered ${Object.keys(added).join(', ')}`, fix: null };
  }
  const message = `not registered: ${missing.map((attribute) => `${attribute} (${kindNames[searchAttributes[attribute]]})`).join(', ')}; lists in the web UI and by command show less without them`;
  return { name, ok: false, message, fix: isCloud(settings.address) ? cloudCommand(settings.namespace, missing) : 'plangrep-batch doctor --fix' };
}

/** A server with several frontends learns of new attributes within seconds. */
async function settled(missingNow: () => Promise<SearchAttributeName[]>): Promise<SearchAttributeName[]> {
  for (let attempt = 0; ; attempt++) {
    const missing = await missingNow();
    if (missing.length === 0 || attempt === 10) return missing;
    await delay(500);
  }
}

const cloudCommand = (namespace: string, missing: SearchAttributeName[]): string =>
  `tcld namespace search-attributes add --namespace ${namespace} ${missing.map((name) => `--sa "${name}=${kindNames[searchAttributes[name]]}"`).join(' ')}`;

/** Temporal's API does not tell whether fairness is on, so this check only says where to look. */
export function checkFairness({ settings }: TemporalConnection): Check {
  const where = isCloud(settings.address)
    ? 'it is a setting of the namespace in the Temporal Cloud console'
    : 'a self-hosted server has it off unless its dynamic configuration sets matching.enableFairness to true';
  return { name: 'fairness', ok: true, message: `cannot be read from the server: ${where}; without it batches of one priority are served in order of arrival`, fix: null };
}

/** Whether every task queue has a worker. */
export async function checkWorkers({ client }: TemporalConnection): Promise<Check> {
  const unpolled = await unpolledQueues(client);
  if (unpolled.length === 0) return { name: 'workers', ok: true, message: 'every task queue is polled', fix: null };
  const message = `nobody polls ${unpolled.map((queue) => taskQueues[queue]).join(', ')}`;
  return { name: 'workers', ok: false, message, fix: 'plangrep-batch worker' };
}
