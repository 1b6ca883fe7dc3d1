import type { Command } from 'commander';
import type { RetryFlags } from '../retry';
import { example, outputOf, withJson, type Finish } from './command-line';

const idText = 'the batch id';

/** `pause`, `resume`, `cancel`, `retry`. */
export function addOperatorCommands(program: Command, finish: Finish): void {
  const pause = withJson(program.command('pause').description('Starts no new job of a batch until resume; jobs that run are finished.').argument('<id>', idText));
  example(pause, 'pause tower-2026-11').action(async (id: string, flags: { json?: boolean }) => {
    finish(await (await import('../operate.js')).pause(id, outputOf(flags)));
  });
  const resume = withJson(program.command('resume').description('Lets a batch go on that was paused, or that waits for credits, a key or an answer to repeated failures.').argument('<id>', idText));
  example(resume, 'resume tower-2026-11').action(async (id: string, flags: { json?: boolean }) => {
    finish(await (await import('../operate.js')).resume(id, outputOf(flags)));
  });
  const cancel = withJson(program.command('cancel').description('Ends a batch: jobs that are finished are archived, the rest is cancelled at Plangrep. Also ends jobs that a terminated batch left behind.').argument('<id>', idText))
    .option('--wait', 'follow the batch to its end; 0 is then the exit code of a batch that ended, however it did');
  example(cancel, 'cancel tower-2026-11 --wait').action(async (id: string, flags: { wait?: boolean; json?: boolean }) => {
    finish(await (await import('../operate.js')).cancel(id, flags, outputOf(flags)));
  });
  const retry = withJson(program.command('retry').description('Starts a new batch of what a finished one did not process, shows its progress and waits for its end; exits as run does.').argument('<id>', idText))
    .option('--id <id>', 'id of the new batch; default: the time and six random letters')
    .option('--retry-partial', 'also documents of which pages were, or may have been, paid for; these are paid for once more')
    .option('--archive <folder>', 'the archive with the old batch; default: PLANGREP_ARCHIVE');
  example(retry, 'retry tower-2026-11 --id tower-2026-11-again').action(async (id: string, flags: RetryFlags & { json?: boolean }) => {
    finish(await (await import('../retry.js')).retry(id, flags, outputOf(flags)));
  });
}
