import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { WorkflowNotFoundError, type Client, type HistoryAndWorkflowId } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { commandConfig } from '../src/cli/session';
import { dataConverterOf } from '../src/codec/data-converter';
import { workflowTypes } from '../src/contract/messages';
import { connectTemporal, readTemporalSettings } from '../src/temporal-connection';

const ours = `WorkflowType IN (${Object.values(workflowTypes).map((type) => `'${type}'`).join(', ')})`;
const running = `ExecutionStatus = 'Running'`;

const help = `Usage: node --import tsx scripts/replay-production.ts [--query QUERY] [--limit N] [--workflows FILE]

Before a deploy: downloads the histories of workflows that run, and replays them under the workflows of this checkout. One that does not
replay would stop at its next step when this checkout is deployed. Changes nothing, neither in Temporal nor in a batch.

  --query QUERY      which of our workflows, in Temporal's list filter. Default: ${running}
  --limit N          at most so many, the newest first. Default: all
  --workflows FILE   other workflows than src/workflows/index.ts

Temporal is found as everywhere: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE and the other variables. Where payloads are encrypted it
needs the workers' PLANGREP_PAYLOAD_KEY.
Exits with 1 when a workflow would break, and names each; 2 when that could not be found out.
`;

/** Of all that replayed: how many, and those that did not. */
interface Replayed {
  count: number;
  broken: string[];
}

async function main(args: string[]): Promise<number> {
  const options = { query: { type: 'string', default: running }, limit: { type: 'string' }, workflows: { type: 'string', default: resolve(__dirname, '../src/workflows/index.ts') }, help: { type: 'boolean', short: 'h' } } as const;
  const { values } = parseArgs({ args, options });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const limit = Number(values.limit ?? Infinity);
  if (!(limit >= 1)) throw new Error('--limit takes a number from 1 on');
  const dataConverter = dataConverterOf(commandConfig([]).payloadKeys);
  const { client, settings, close } = await connectTemporal(readTemporalSettings(process.env, null), { dataConverter });
  try {
    const histories = download(client, `${ours} AND (${values.query})`, limit);
    const { count, broken } = await replay(resolve(values.workflows), dataConverter, histories);
    for (const line of broken) console.log(line);
    console.log(`${count} workflows of ${settings.namespace} at ${settings.address} replayed${broken.length > 0 ? `, ${broken.length} of them would break` : ': none would break'}`);
    return broken.length > 0 ? 1 : 0;
  } finally {
    await close();
  }
}

/** One history at a time: a run that ends and is removed meanwhile is passed over. */
async function* download(client: Client, query: string, limit: number): AsyncGenerator<HistoryAndWorkflowId> {
  let count = 0;
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    if (count++ >= limit) return;
    try {
      yield { workflowId, history: await client.workflow.getHandle(workflowId, runId).fetchHistory() };
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
}

async function replay(workflowsPath: string, dataConverter: DataConverter, histories: AsyncIterable<HistoryAndWorkflowId>): Promise<Replayed> {
  // What the SDK says about each that breaks is in the result.
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined), telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } } });
  const { failureConverterPath } = dataConverter;
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR'), ...(failureConverterPath && { failureConverterPath }) });
  const replayed: Replayed = { count: 0, broken: [] };
  for await (const { workflowId, runId, error } of Worker.runReplayHistories({ workflowBundle, dataConverter }, histories)) {
    replayed.count += 1;
    if (error) replayed.broken.push(`${workflowId} ${runId}: ${error.message.split('\n')[0]}`);
  }
  return replayed;
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  },
);
