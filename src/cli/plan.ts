import { planDocuments } from '../activities/plan';
import type { Plan } from '../contract/archive';
import { batchInputSchema, type Reason } from '../contract/batch';
import { closePageCounter } from '../pdf/page-count';
import { exitCodes } from './exit-codes';
import type { InputFlags } from './input-flags';
import { checkedInput } from './checked-input';
import type { Output } from './output';
import { commandConfig } from './session';
import { archiveFolder, readable } from './source';
import { StatusLine } from './status-line';
import { bytesText, counted, table } from './text';

/** Rejected documents that are named. */
const namedRejections = 100;
/** Rejected documents that people see. */
const shownRejections = 20;
/** A dry run needs no project. */
const anyProject = 'plan';

interface Rejection {
  source: string;
  reason: Reason;
}

/** `plan SOURCE`: a dry run that reads the documents and counts their pages; needs neither Temporal nor a key. */
export async function plan(argument: string, flags: InputFlags, output: Output): Promise<number> {
  const config = commandConfig([], { project: flags.project });
  const input = batchInputSchema.parse(await checkedInput(argument, config.project ?? anyProject, flags, config.archive));
  const rejections: Rejection[] = [];
  const line = new StatusLine(output);
  const made = await readable(async () => {
    try {
      return await planDocuments(input, {
        archive: await archiveFolder(config.archive),
        pages: true,
        credits: config.credits,
        onProgress: ({ phase, documents }) => line.say(() => `${phase}: ${counted(documents, 'document')}`),
        sink: ({ source, reason }) => {
          if (reason && reason.code !== 'duplicate' && rejections.length < namedRejections) rejections.push({ source, reason });
        },
      });
    } finally {
      await closePageCounter();
    }
  });
  line.clear();
  const { documents, rejected, duplicates, lowerBoundJobs, bytes, pages, credits } = made;
  output.answer({ documents, rejected, duplicates, jobs: made.jobs.length, lowerBoundJobs, bytes, pages, credits, rejections }, planText(made, rejections));
  return exitCodes.ok;
}

function planText(made: Plan, rejections: Rejection[]): string {
  const { documents, rejected, duplicates, jobs, lowerBoundJobs, bytes, pages, credits } = made;
  const refused = rejections.slice(0, shownRejections).map(({ source, reason }) => `  ${source}: ${reason.message}`);
  const more = rejected - refused.length;
  return [
    `Plan for ${made.root}; nothing was started.`,
    table([
      ['documents', `${documents}: ${documents - rejected - duplicates} to send, ${rejected} rejected, ${counted(duplicates, 'duplicate')}`],
      ['jobs', `${jobs.length} (no fewer than ${lowerBoundJobs} are possible)`],
      ['bytes', bytesText(bytes)],
      ['pages', pages === null ? null : String(pages)],
      ['credits', credits && (credits.min === credits.max ? `about ${credits.max}` : `${credits.min} to ${credits.max}, by what the pages turn out to be`)],
    ]),
    ...(rejected > 0 ? ['Rejected:', ...refused] : []),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join('\n');
}
