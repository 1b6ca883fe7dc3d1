import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { judge, uselessReadings } from './supply-chain/licence-rules';
import { lockedPackages } from './supply-chain/lock-file';
import { runScript } from './entry';

const help = `Usage: npm run --silent licences

Lists the licences of all packages of the lock file, and checks that each is compatible with Apache-2.0. Exits with 1 when one is not.
`;

async function main(args: string[]): Promise<number> {
  if (parseArgs({ args, options: { help: { type: 'boolean', short: 'h' } } }).values.help) {
    process.stdout.write(help);
    return 0;
  }
  const packages = await lockedPackages(resolve(__dirname, '..'));
  const counts = new Map<string, { used: number; dev: number }>();
  const problems: string[] = [];
  for (const one of packages) {
    const { licence, fits, reason } = judge(one);
    const count = counts.get(licence) ?? { used: 0, dev: 0 };
    count[one.dev ? 'dev' : 'used'] += 1;
    counts.set(licence, count);
    if (reason) console.log(`${one.name} counts as ${licence}: ${reason}`);
    if (!fits) problems.push(`${one.path} (${one.version}): ${licence} is not known to be compatible with Apache-2.0; replace it, or say in scripts/supply-chain/licence-rules.ts how it is to be read`);
  }
  for (const name of uselessReadings(packages)) problems.push(`${name} is not installed any more: take its reading out of scripts/supply-chain/licence-rules.ts`);
  for (const [licence, { used, dev }] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) console.log(`${licence.padEnd(22)} ${String(used).padStart(4)} in use ${String(dev).padStart(4)} for development`);
  for (const problem of problems) console.error(`error: ${problem}`);
  return problems.length > 0 ? 1 : 0;
}

runScript(main);
