import { join, resolve } from 'node:path';
import { startStack } from './local-stack';
import { interruption, Processes } from './processes';
import { newRunFolder, quickstartCache, writeEnvironment } from './run-folder';
import { findTemporalCli } from './temporal-binaries';

/** Temporal, the simulator, a webhook receiver and a worker in one terminal, until Ctrl-C; the built code of lib/ runs. */
async function main(): Promise<void> {
  const processes = new Processes();
  const interrupted = interruption(processes);
  interrupted.addEventListener('abort', () => void processes.stop().then(() => process.exit(interrupted.reason as number)));
  const print = (line: string): void => console.log(line);
  try {
    const folder = await newRunFolder();
    const temporal = await findTemporalCli({ processes, print });
    const archive = resolve(__dirname, '../plangrep-archive');
    const stack = await startStack({ processes, temporal: temporal.path, folder, archive, secretKeyFile: join(quickstartCache, 'secret-key'), print });
    print(`Logs        ${folder}\nRunning until Ctrl-C. In another terminal: . ${await writeEnvironment(folder, stack.env)}`);
    await stack.failure;
  } finally {
    await processes.stop();
  }
}

main().catch((error: Error) => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
