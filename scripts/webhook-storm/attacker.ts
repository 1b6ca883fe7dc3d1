import { Attack } from './attack';

/** What one attacker process does; the texts of `floods` are sent in turns. */
export interface Orders {
  port: number;
  seconds: number;
  floods: { connections: number; requests: string[]; pipelined?: number }[];
  holds: { connections: number; text: string }[];
  pours: { connections: number; path: string }[];
}

/** Started as a process with the orders as its argument; prints the damage as JSON. */
async function main({ port, seconds, floods, holds, pours }: Orders): Promise<void> {
  const attack = new Attack(port);
  for (const { connections, requests, pipelined } of floods) {
    let turn = 0;
    attack.flood(connections, () => requests[turn++ % requests.length]!, pipelined);
  }
  for (const { connections, text } of holds) attack.hold(connections, text);
  for (const { connections, path } of pours) attack.pour(connections, path);
  await new Promise((over) => setTimeout(over, seconds * 1000));
  process.stdout.write(JSON.stringify(await attack.stop()));
}

void main(JSON.parse(process.argv[2]!) as Orders);
