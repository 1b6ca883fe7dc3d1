import type { SimulatorOptions } from './options';
import { startSimulator } from './server';

/**
 * Runs a simulator until SIGINT or SIGTERM. The first line on stdout is JSON: `{"api", "storage", "control", "apiKey"}`.
 *
 * @throws the error of a port that is taken
 */
export async function runSimulator(options: SimulatorOptions = {}): Promise<void> {
  const asked = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  const simulator = await startSimulator(options);
  const { apiUrl, storageUrl, controlUrl, apiKey } = simulator;
  process.stdout.write(`${JSON.stringify({ api: apiUrl, storage: storageUrl, control: controlUrl, apiKey })}\n`);
  await asked;
  await simulator.close();
}
