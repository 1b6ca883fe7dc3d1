import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runScript } from './entry';
import { answered, readAdvisories } from './supply-chain/advisories';

const help = `Usage: npm run --silent audit -- [--registry URL] [--when-possible]

Asks the package registry for known weaknesses of what the lock file installs. Each has to be gone, by an update, or answered: in a decision
record, and in scripts/supply-chain/advisories.ts.

  --registry URL   default: the one that npm is configured with
  --when-possible  a registry that does not answer this question is no failure; what it said is shown

Exit codes: 0 none, or all answered; 1 some are not; 4 the registry does not say.
`;

function main(args: string[]): number {
  const { values } = parseArgs({ args, options: { registry: { type: 'string' }, 'when-possible': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const registry = values.registry === undefined ? [] : [`--registry=${values.registry}`];
  const { stdout, stderr } = spawnSync('npm', ['audit', '--json', '--fetch-retries=1', '--fetch-timeout=20000', '--audit=true', ...registry], { cwd: resolve(__dirname, '..'), encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
  const advisories = readAdvisories(stdout);
  if (!advisories) {
    console.error(`The registry does not say which weaknesses are known: ${/"message": *"([^"]*)"/.exec(stdout)?.[1] ?? stderr.trim().split('\n')[0] ?? 'no answer'}`);
    return values['when-possible'] ? 0 : 4;
  }
  const open = advisories.filter(({ id }) => !(id in answered));
  for (const { id, package: name, severity, title } of advisories) console.log(`${id} ${severity} ${name}: ${title}${id in answered ? ` (answered in ${answered[id]})` : ''}`);
  console.log(advisories.length === 0 ? 'No known weaknesses.' : `${advisories.length} known weaknesses, ${open.length} of them without an answer.`);
  return open.length > 0 ? 1 : 0;
}

runScript(main);
