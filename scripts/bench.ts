import { parseArgs } from 'node:util';
import { benchmarks } from './bench/registry';
import { overBudget, runBenchmarks } from './bench/report';
import { interruption, Processes } from './processes';
import { runScript } from './entry';

const list = Object.entries(benchmarks).map(([name, { title }]) => `  ${name.padEnd(9)}${title}\n`).join('');

const usage = `Measures this version on this machine and prints one JSON document; what it does is told on stderr.

  npm run --silent bench > figures.json        all benchmarks, a few minutes
  npm run --silent bench -- NAME...            these only
  npm run --silent bench -- --smoke [NAME...]  tiny sizes: whether it works, not how fast
  npm run --silent bench -- --full [NAME...]   sizes that take long too: up to 1,000,000 documents; an hour and more
  npm run --silent bench -- --list             their names

${list}
Without --silent, npm prints two lines of its own before the document. What the figures mean: docs/performance.md.
`;

/** @returns the exit code: 1 when a benchmark could not be run; a figure over its budget is in the document, and no failure. */
async function main(): Promise<number> {
  const { values, positionals: names } = parseArgs({
    allowPositionals: true,
    options: { smoke: { type: 'boolean', default: false }, full: { type: 'boolean', default: false }, list: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
  });
  if (values.help || values.list) {
    process.stdout.write(values.help ? usage : list);
    return 0;
  }
  const unknown = names.filter((name) => !Object.hasOwn(benchmarks, name));
  if (unknown.length > 0) throw new Error(`no benchmark ${unknown.join(', ')}; there are: ${Object.keys(benchmarks).join(', ')}`);
  const chosen = Object.fromEntries(Object.entries(benchmarks).filter(([name]) => names.length === 0 || names.includes(name)));
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const processes = new Processes();
  const interrupted = interruption(processes);
  interrupted.addEventListener('abort', () => void processes.stop());
  try {
    const report = await runBenchmarks(chosen, { processes, smoke: values.smoke, full: values.full && !values.smoke, progress });
    if (interrupted.aborted) return interrupted.reason as number;
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    for (const name of overBudget(report)) progress(`over its budget: ${name}`);
    return Object.values(report.benchmarks).every(({ error }) => error === null) ? 0 : 1;
  } finally {
    await processes.stop();
  }
}

runScript(main);
