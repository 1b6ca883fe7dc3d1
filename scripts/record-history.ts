import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { readTemporalSettings } from '../src/temporal-connection';
import { runScript } from './entry';
import { readHistory } from './record-histories/files';

const usage = `Saves the history of a workflow, for instance one that runs in production, as the replay tests have it. The catalogue of histories is made by
scripts/record-histories.ts.

  node --import tsx scripts/record-history.ts WORKFLOW_ID FILE [RUN_ID]

For example: node --import tsx scripts/record-history.ts batch/nightly test/replay/histories/plain-batch.json
Temporal is found as everywhere: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE and the other variables.`;

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } });
  const [workflowId, file, runId] = positionals;
  if (values.help) return console.log(usage);
  if (!workflowId || !file) throw new Error('a WORKFLOW_ID and a FILE are needed; --help tells more');
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

runScript(main);
