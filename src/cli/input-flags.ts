import { InvalidArgumentError, Option, type Command } from 'commander';

/** The flags of `plan`, `run` and `start`, as commander hands them over. */
export interface InputFlags {
  id?: string;
  project?: string;
  createProject?: boolean;
  include?: string[];
  exclude?: string[];
  classify?: string[];
  maxConcurrentJobs?: number;
  maxFiles?: number;
  maxBytes?: number;
  maxPages?: number;
  maxCredits?: number;
  upload?: 'auto' | 'form' | 'signed';
  retryFailed?: number;
  retryPartial?: boolean;
  splitFailed?: boolean;
  skipProcessed?: boolean;
  probe?: boolean;
  priority?: number;
  tenant?: string;
  label?: string[];
  json?: boolean;
}

const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];

/** A whole number; its bounds are checked with the rest of the input. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** Adds the flags that say what a batch is. */
export function addInputFlags(command: Command): Command {
  return command
    .option('--id <id>', 'the batch id; default: the time and six random letters')
    .option('--project <project>', 'id or name of the project; default: PLANGREP_PROJECT')
    .option('--create-project', 'create the project when no id or name matches; this costs credits')
    .option('--include <glob>', 'only files whose path matches; can be repeated', collect)
    .option('--exclude <glob>', 'no files whose path matches; can be repeated', collect)
    .option('--classify <glob=class>', 'class of the files whose path matches: plans, specifications, documents, addenda, mixed, other; can be repeated, the first match wins', collect)
    .option('--max-concurrent-jobs <n>', 'jobs of this batch at the same time, 1 to 500; default 5', wholeNumber)
    .option('--max-files <n>', 'files a job, at most 100', wholeNumber)
    .option('--max-bytes <n>', 'bytes a job, at most 10000000000', wholeNumber)
    .option('--max-pages <n>', 'pages a job; planning then counts pages', wholeNumber)
    .option('--max-credits <n>', 'fail before anything is sent when the plan can cost more; planning then counts pages', wholeNumber)
    .addOption(new Option('--upload <way>', 'how files are sent').choices(['auto', 'form', 'signed']))
    .option('--retry-failed <n>', 'how often a document without a successful page is sent again, 0 to 5; default 1', wholeNumber)
    .option('--retry-partial', 'send documents again of which pages were, or may have been, paid for; these are paid for once more')
    .option('--split-failed', 'split a job that failed before anything was paid, until the document that spoils it stands alone; the default')
    .option('--no-split-failed', 'leave such a job failed')
    .option('--skip-processed', 'pass over documents that an earlier batch of the project processed; planning then hashes every file')
    .option('--no-probe', 'when credits run out or the key is refused, wait for resume instead of trying by itself after 5 to 60 minutes')
    .option('--priority <n>', '1 (first) to 5 (last) among batches', wholeNumber)
    .option('--tenant <name>', 'fairness key among batches of one priority')
    .option('--label <key=value>', 'copied into the manifest; can be repeated', collect);
}

const flags: Record<string, string> = {
  id: '--id', project: '--project', source: 'SOURCE', classify: '--classify', maxConcurrentJobs: '--max-concurrent-jobs',
  'limits.maxFiles': '--max-files', 'limits.maxBytes': '--max-bytes', 'limits.maxPages': '--max-pages',
  maxCredits: '--max-credits', retryFailedDocuments: '--retry-failed', retryPartialDocuments: '--retry-partial',
  splitFailedJobs: '--split-failed', skipProcessed: '--skip-processed', probe: '--no-probe', upload: '--upload', priority: '--priority', tenant: '--tenant', labels: '--label',
};

/** The flag that sets a field of the input, for messages. */
export const flagOf = (field: string): string => flags[field] ?? flags[field.split('.')[0]!] ?? field;
