import { exitCodes } from './exit-codes';

/** Flags of `simulator`: what the simulator itself takes, which is loaded only when it runs. */
export type SimulatorFlags = NonNullable<Parameters<typeof import('../simulator/main.js').runSimulator>[0]>;

/** `simulator`: serves the stand-in for Plangrep until SIGINT or SIGTERM; its first line of standard output says where. */
export async function simulator(flags: SimulatorFlags): Promise<number> {
  const { runSimulator } = await import('../simulator/main.js');
  await runSimulator(flags);
  return exitCodes.ok;
}
