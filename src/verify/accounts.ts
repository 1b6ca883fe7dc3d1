import { isDeepStrictEqual } from 'node:util';
import { findOriginals, placedLines } from '../activities/manifest/sources';
import { inputFileSchema, manifestLineSchema, planSchema, type Manifest, type ManifestLine, type Plan } from '../contract/archive';
import { batchFolder, batchKeys } from '../contract/keys';
import { addLine, finalStatus, lostLine, manifestJob, newTally, type ManifestTally } from '../domain/manifest';
import { BrokenPlanError, JobTree, manifestLines, type PlacedLine } from '../domain/manifest-lines';
import { NotFoundError, type Store } from '../store';
import { Digest } from '../store/digest';
import { BrokenFileError, readJson, readJsonLines } from '../store/jsonl';
import type { Findings } from './findings';
import { actualLines, type ActualLine } from './manifest-text';
import { JobAccounts } from './job-accounts';
import { PlanAccount } from './plan-account';

/** What checking accounts needs. */
export interface AccountsCheck {
  store: Store;
  batchId: string;
  findings: Findings;
  manifest: Manifest;
}

/**
 * Follows every document from the plan over its job to the manifest, and adds up. What is known to be damaged is not asked.
 * Answers the number of the manifest's lines; null when they were not counted.
 */
export async function checkAccounts(check: AccountsCheck): Promise<number | null> {
  await guarded(check, 'input.json', () => checkInput(check));
  const ofPlan = ['plan.json', 'plan.jsonl', 'manifest.jsonl'];
  if (ofPlan.some((path) => check.findings.isDamaged(path))) return null;
  const planned = check.manifest.sha256['plan.json'] !== undefined;
  return (await guarded(check, 'plan.jsonl', () => (planned ? checkPlanned(check) : checkUnplanned(check)))) ?? null;
}

/** Runs a check; a file that cannot be understood, though its hash may fit, is a finding of its own. */
async function guarded<T>({ batchId, findings }: AccountsCheck, path: string, run: () => Promise<T>): Promise<T | undefined> {
  try {
    if (!findings.isDamaged(path)) return await run();
  } catch (error) {
    if (error instanceof BrokenFileError) findings.add('count', inBatch(batchId, error.key), error.message.slice(error.key.length).replace(/^:? /, ''));
    else if (error instanceof NotFoundError) findings.add('missing', inBatch(batchId, error.key), 'is gone');
    else if (error instanceof BrokenPlanError) findings.add('count', 'plan.jsonl', error.message);
    else throw error;
  }
  return undefined;
}

const inBatch = (batchId: string, key: string): string => key.slice(batchFolder(batchId).length + 1);

async function checkInput({ store, batchId, findings, manifest }: AccountsCheck): Promise<void> {
  const file = await readJson(store, batchKeys(batchId).input, inputFileSchema);
  if (file.batchId !== batchId) findings.add('count', 'input.json', `belongs to batch ${file.batchId}`);
  if (!isDeepStrictEqual({ ...file.input.labels }, { ...manifest.labels })) findings.add('count', 'manifest.json', 'has other labels than input.json');
  const retryOf = 'retryOf' in file.input.source ? file.input.source.retryOf : null;
  if (retryOf !== manifest.retryOf) findings.add('count', 'manifest.json', `retries ${manifest.retryOf ?? 'no batch'}, and input.json says ${retryOf ?? 'none'}`);
}

/** A batch that failed before it had a plan accounts for nothing. */
async function checkUnplanned({ store, batchId, findings, manifest }: AccountsCheck): Promise<number> {
  let lines = 0;
  for await (const line of readJsonLines(store, batchKeys(batchId).manifestLines, manifestLineSchema)) lines += line.seq > 0 ? 1 : 0;
  if (lines > 0) findings.add('count', 'manifest.jsonl', `has ${lines} lines, and the batch has no plan`);
  checkManifest(findings, manifest, newTally(), new JobTree(0, []), []);
  return lines;
}

async function checkPlanned(check: AccountsCheck): Promise<number> {
  const { store, batchId, findings, manifest } = check;
  const plan = await readJson(store, batchKeys(batchId).plan, planSchema);
  const tree = new JobTree(plan.jobs.length, manifest.jobs.flatMap(({ job, parent }) => (parent === null ? [] : [{ job, parent }])));
  const planAccount = new PlanAccount(plan, batchId, manifest, findings);
  const jobs = new JobAccounts(check, tree, plan);
  const { tally, lines } = await compareLines(check, plan, tree, planAccount, jobs);
  const entries = tree.jobs().map((job) => manifestJob(tally, job, tree.parents.get(job) ?? null, jobs.files.get(job) ?? null));
  checkManifest(findings, manifest, tally, tree, entries.filter(({ job }) => !jobs.unknown.has(job)));
  return lines;
}

/** Makes every line of the manifest again and compares; the tally is of the lines as they are. */
async function compareLines(check: AccountsCheck, plan: Plan, tree: JobTree, planAccount: PlanAccount, jobs: JobAccounts): Promise<{ tally: ManifestTally; lines: number }> {
  const { store, batchId, findings } = check;
  const tally = newTally();
  const digest = new Digest();
  const actual = actualLines(store, batchKeys(batchId).manifestLines);
  let line = null as ActualLine | null;
  const expected = manifestLines(watched(placedLines(store, batchId, digest), planAccount), {
    originals: await findOriginals(store, batchId),
    outcomes: (plannedJob) => jobs.outcomes(plannedJob, tally),
    // Nothing but the line itself says why a lost document has no outcome.
    lost: (placed, plannedJob) => lostLine(placed.line, lostWith(line?.parse() ?? null, tree, plannedJob), line?.parse().reason ?? { code: 'job_workflow_lost', message: '' }),
  });
  let lines = 0;
  const advance = async () => {
    const next = await actual.next();
    line = next.done ? null : next.value;
    if (line) lines += 1;
  };
  try {
    await advance();
    for await (const traced of expected) {
      // Read as what it should be where it is that, to the letter: most are.
      const found = line && (line.text === JSON.stringify(traced.line) ? traced.line : line.parse());
      if (found) addLine(tally, { ...traced, line: found });
      // A duplicate repeats what the job of its original says.
      const job = traced.plannedJob ?? traced.line.job;
      if (job === null || !jobs.isUnknown(tree.root(job))) compareLine(findings, found, traced.line);
      await advance();
    }
    for (; line; await advance()) findings.add('count', 'manifest.jsonl', `has a line for document ${line.parse().seq}, which the plan does not have`);
  } finally {
    await actual.return(undefined);
  }
  planAccount.finish(digest.sizeBytes);
  if (lines !== plan.documents) findings.add('count', 'manifest.jsonl', `has ${lines} lines, and plan.json counts ${plan.documents} documents`);
  return { tally, lines };
}

const lostWith = (line: ManifestLine | null, tree: JobTree, plannedJob: number): number =>
  line && line.job !== null && tree.family(plannedJob).includes(line.job) ? line.job : plannedJob;

async function* watched(lines: AsyncIterable<PlacedLine>, account: PlanAccount): AsyncGenerator<PlacedLine> {
  for await (const placed of lines) {
    account.add(placed);
    yield placed;
  }
}

function compareLine(findings: Findings, line: ManifestLine | null, should: ManifestLine): void {
  if (!line) {
    findings.add('missing', 'manifest.jsonl', `has no line for document ${should.seq}`);
    return;
  }
  if (line === should) return;
  // Both have their fields in the schema's order.
  if (JSON.stringify(line) === JSON.stringify(should)) return;
  const fields = (Object.keys(should) as (keyof ManifestLine)[]).filter((field) => !isDeepStrictEqual(line[field], should[field]));
  if (fields.length > 0) findings.add('count', 'manifest.jsonl', `line ${should.seq} differs from what plan and jobs say in ${fields.join(', ')}`);
}

/** manifest.json against what its lines and jobs add up to. */
function checkManifest(findings: Findings, manifest: Manifest, tally: ManifestTally, tree: JobTree, entries: Manifest['jobs']): void {
  const differ = (what: string, has: unknown, should: unknown) => {
    if (!isDeepStrictEqual(has, should)) findings.add('count', 'manifest.json', `${what} is ${JSON.stringify(has)}, and comes to ${JSON.stringify(should)}`);
  };
  for (const [name, should] of Object.entries(tally.counts)) differ(`counts.${name}`, manifest.counts[name as keyof Manifest['counts']], should);
  differ('pages', manifest.pages, tally.pages);
  differ('bytes', manifest.bytes, tally.bytes);
  differ('credits', manifest.credits, manifest.jobs.reduce((sum, { credits }) => sum + credits, 0));
  const numbers = manifest.jobs.map(({ job }) => job);
  if (!isDeepStrictEqual(numbers, tree.jobs())) findings.add('count', 'manifest.json', `jobs are not the ${tree.planned} of the plan and those made of them, in order`);
  const byNumber = new Map(manifest.jobs.map((entry) => [entry.job, entry]));
  for (const entry of entries) differ(`the entry of job ${entry.job}`, byNumber.get(entry.job), entry);
  checkStatus(findings, manifest, tally);
}

function checkStatus(findings: Findings, { status, error }: Manifest, tally: ManifestTally): void {
  // Whether it was cancelled is in no other file.
  const should = finalStatus(tally, { error, cancelled: status === 'cancelled' });
  if (status !== should) findings.add('count', 'manifest.json', `status is ${status}, and comes to ${should}`);
}
