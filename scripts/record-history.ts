import { writeFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { readTemporalSettings } from '../src/temporal-connection';

const usage = `Saves the history of a finished workflow for the replay tests.

  node --import tsx scripts/record-history.ts WORKFLOW_ID FILE

For example: node --import tsx scripts/record-history.ts batch/nightly test/replay/histories/plain-batch.json
Temporal is found as everywhere: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE and the other variables.`;

async function main([workflowId, file]: string[]): Promise<void> {
  if (!workflowId || !file) throw new Error(usage);
  const { connectionOptions, namespace } = readTemporalSettings(process.env, null);
  const connection = await Connection.connect(connectionOptions);
  try {
    const client = new Client({ connection, namespace });
    const history = await client.workflow.getHandle(workflowId).fetchHistory();
    // Identities and stack traces name the host and its folders, which are nobody's business.
    const hidden: Record<string, string> = { identity: 'worker', stackTrace: '' };
    const text = JSON.stringify({ workflowId, history: JSON.parse(historyToJSON(history)) as unknown }, (key, value: unknown) => hidden[key] ?? value, 1);
    await writeFile(file, `${text}\n`);
    console.log(`${file}: ${history.events?.length ?? 0} events`);
  } finally {
    await connection.close();
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
