import type { Command } from 'commander';
import { addInputFlags, type InputFlags } from '../input-flags';
import { example, outputOf, withJson, type Finish } from './command-line';

const sourceText = 'a folder, or a list file (.jsonl, .ndjson, .csv)';

/** `plan`, `run`, `start`. */
export function addBatchCommands(program: Command, finish: Finish): void {
  const plan = withJson(addInputFlags(program.command('plan').description('Dry run: what would become of SOURCE; counts pages, starts nothing. What --skip-processed leaves out is not looked up.').argument('<source>', sourceText)));
  example(plan, 'plan ./drawings --include "**/*.pdf"').action(async (source: string, flags: InputFlags) => {
    finish(await (await import('../plan.js')).plan(source, flags, outputOf(flags)));
  });
  const run = withJson(addInputFlags(program.command('run').description('Starts a batch over SOURCE, shows its progress and waits for its end.').argument('<source>', sourceText)));
  example(run, 'run ./drawings --project "Harbour Tower" --classify "specs/**=specifications"').action(async (source: string, flags: InputFlags) => {
    finish(await (await import('../run.js')).run(source, flags, outputOf(flags)));
  });
  const start = withJson(addInputFlags(program.command('start').description('Starts a batch over SOURCE and leaves it to the workers.').argument('<source>', sourceText)));
  example(start, 'start ./list.jsonl --id tower-2026-11 --json').action(async (source: string, flags: InputFlags) => {
    finish(await (await import('../run.js')).start(source, flags, outputOf(flags)));
  });
}
