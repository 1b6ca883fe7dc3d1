import { planDocuments } from '../activities/plan';
import type { Plan } from '../contract/archive';
import { batchInputSchema, type BatchInput, type Reason } from '../contract/batch';
import { tooExpensive } from '../domain/plan-cost';
import { visibleText } from '../domain/visible-text';
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

/**
 * `plan SOURCE`: a dry run that reads the documents and counts their pages; needs neither Temporal nor a key. It does not know the project's id,
 * so what `--skip-processed` will leave out is not left out here.
 */
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
  const uncounted = made.uncounted ?? 0;
  const overMaxCredits = tooExpensive({ pages, uncounted, credits }, input.maxCredits) !== null;
  output.answer({ documents, rejected, duplicates, jobs: made.jobs.length, lowerBoundJobs, bytes, pages, uncounted, credits, overMaxCredits, rejections }, planText(made, input, rejections));
  return exitCodes.ok;
}

function planText(made: Plan, input: BatchInput, rejections: Rejection[]): string {
  const { documents, rejected, duplicates, jobs, lowerBoundJobs, bytes, pages } = made;
  const refused = rejections.slice(0, shownRejections).map(({ source, reason }) => `  ${visibleText(source)}: ${visibleText(reason.message)}`);
  const more = rejected - refused.length;
  return [
    `Plan for ${made.root}; nothing was started.`,
    table([
      ['documents', `${documents}: ${documents - rejected - duplicates} to send, ${rejected} rejected, ${counted(duplicates, 'duplicate')}`],
      ['jobs', `${jobs.length} (no fewer than ${lowerBoundJobs} are possible)`],
      ['bytes', bytesText(bytes)],
      ['pages', pages === null ? null : String(pages)],
      ['credits', creditsText(made)],
    ]),
    ...warnings(made, input),
    ...(rejected > 0 ? ['Rejected:', ...refused] : []),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join('\n');
}

function creditsText({ credits, uncounted = 0 }: Plan): string | null {
  if (!credits) return null;
  const range = credits.min === credits.max ? `about ${credits.max}` : `${credits.min} to ${credits.max}, by what the pages turn out to be`;
  return uncounted === 0 ? range : `${range}; without ${counted(uncounted, 'document')} whose pages cannot be counted`;
}

/** What the start of this batch would do otherwise than this plan. */
function warnings({ pages, credits, uncounted = 0 }: Plan, { maxCredits, skipProcessed }: BatchInput): string[] {
  const problem = tooExpensive({ pages, uncounted, credits }, maxCredits);
  return [
    ...(problem ? [`A batch would fail at its start: ${problem}.`] : []),
    ...(skipProcessed ? ['Documents that earlier batches processed are in this plan; a batch looks them up and skips them.'] : []),
  ];
}
