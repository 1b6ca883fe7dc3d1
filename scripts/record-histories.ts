import { parseArgs } from 'node:util';
import { catalogue } from './record-histories/catalogue';
import { historiesFolder, keep } from './record-histories/files';
import type { Kind } from './record-histories/kind';
import { traitsOf } from './record-histories/traits';
import { runScript } from './entry';

const usage = `Records histories for the replay tests: runs batches of each kind for real, over a Temporal server and a simulator of its own.

  node --import tsx scripts/record-histories.ts [--to FOLDER] KIND...
  node --import tsx scripts/record-histories.ts --all

Histories go to test/replay/histories unless --to says otherwise. Those that are there are never touched: what an earlier release wrote must
replay for ever, so a kind that is recorded again gets the next free number. Kinds:

${catalogue.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`).join('\n')}
`;

/** A compressed history above this is no test file any more. */
const maxBytes = 300_000;

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { to: { type: 'string', default: historiesFolder }, all: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
  const kinds = values.all ? catalogue : positionals.map(kindOf);
  if (kinds.length === 0 || values.help) {
    console.log(usage);
    return;
  }
  for (const kind of kinds) await record(kind, values.to);
}

function kindOf(name: string): Kind {
  const kind = catalogue.find((known) => known.name === name);
  if (!kind) throw new Error(`No kind "${name}". There are: ${catalogue.map((known) => known.name).join(', ')}`);
  return kind;
}

async function record({ name, parts, record: run }: Kind, folder: string): Promise<void> {
  const histories = await run();
  const wanted = Object.entries(parts);
  if (histories.length !== wanted.length) throw new Error(`${name}: ${histories.length} histories for ${wanted.length} parts`);
  for (const [index, [part, traits]] of wanted.entries()) {
    const history = histories[index]!;
    const missing = traits.filter((trait) => !traitsOf(history).has(trait));
    if (missing.length > 0) throw new Error(`${name}-${part} has no ${missing.join(', ')}: it is another story, and not kept`);
    const kept = await keep(`${name}-${part}`, history, folder);
    console.log(`${kept.name}: ${history.history.events.length} events, ${kept.bytes} bytes`);
    if (kept.bytes > maxBytes) throw new Error(`${kept.name} has more than ${maxBytes} bytes: make the kind smaller`);
  }
}

runScript(main);
