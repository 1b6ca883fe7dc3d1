import type { Command } from 'commander';
import { wholeNumber } from '../input-flags';
import { example, outputOf, withJson, type Finish } from './command-line';

/** `list`, `status`, `watch`, `verify`. */
export function addWatchingCommands(program: Command, finish: Finish): void {
  const list = withJson(program.command('list').description('The newest batches.'))
    .option('--status <status>', 'only batches of this status')
    .option('--limit <n>', 'at most so many; default 100', wholeNumber);
  example(list, 'list --status running').action(async (flags: { status?: string; limit?: number; json?: boolean }) => {
    finish(await (await import('../status.js')).list(flags, outputOf(flags)));
  });
  const status = withJson(program.command('status').description('What a batch is doing or how it ended.').argument('<id>', 'the batch id'));
  example(status, 'status tower-2026-11').action(async (id: string, flags: { json?: boolean }) => {
    finish(await (await import('../status.js')).status(id, outputOf(flags)));
  });
  const watch = withJson(program.command('watch').description('Follows a batch to its end; exits as run does.').argument('<id>', 'the batch id'));
  example(watch, 'watch tower-2026-11').action(async (id: string, flags: { json?: boolean }) => {
    finish(await (await import('../status.js')).watch(id, outputOf(flags)));
  });
  const verify = withJson(program.command('verify').description('Re-reads a batch in the archive and checks every hash and count; needs neither Temporal nor a key.').argument('<id>', 'the batch id'));
  example(verify.option('--archive <folder>', 'the archive; default: PLANGREP_ARCHIVE'), 'verify tower-2026-11 --archive ./plangrep-archive').action(
    async (id: string, flags: { archive?: string; json?: boolean }) => {
      finish(await (await import('../verify.js')).verify(id, flags, outputOf(flags)));
    },
  );
}
