import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';

/**
 * `sdk-download.ts dev-server|time-skipping FOLDER` has the Temporal SDK download a server into FOLDER and prints the file's path.
 * A program of its own, so that the time limit can end it: the download itself cannot be cancelled. The SDK starts what it has downloaded; it is stopped at once.
 */
async function main([kind, folder]: string[]): Promise<void> {
  if (!folder) throw new Error('usage: sdk-download.ts dev-server|time-skipping FOLDER');
  const server = { executable: { type: 'cached-download', downloadDir: folder } } as const;
  const environment = await (kind === 'dev-server' ? TestWorkflowEnvironment.createLocal({ server }) : TestWorkflowEnvironment.createTimeSkipping({ server }));
  await environment.teardown();
  const [file] = await readdir(folder);
  if (!file) throw new Error('the SDK left no file');
  console.log(join(folder, file));
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message.split('\n').at(0) : error);
  process.exitCode = 1;
});
