import { writeFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { readTemporalSettings } from '../src/temporal-connection';
import { readHistory } from './record-histories/files';

const usage = `Saves the history of a workflow, for instance one that runs in production, as the replay tests have it. The catalogue of histories is made by
scripts/record-histories.ts.

  node --import tsx scripts/record-history.ts WORKFLOW_ID FILE [RUN_ID]

For example: node --import tsx scripts/record-history.ts batch/nightly test/replay/histories/plain-batch.json
Temporal is found as everywhere: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE and the other variables.`;

async function main([workflowId, file, runId]: string[]): Promise<void> {
  if (!workflowId || !file) throw new Error(usage);
  const { connectionOptions, namespace } = readTemporalSettings(process.env, null);
  const connection = await Connection.connect(connectionOptions);
  try {
    const client = new Client({ connection, namespace });
    const history = await readHistory(client, workflowId, runId);
    await writeFile(file, `${JSON.stringify(history, null, 1)}\n`);
    console.log(`${file}: ${history.history.events.length} events`);
  } finally {
    await connection.close();
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
