import type { BatchSummary, DeadlineWarning, Gate, GateReason, Trouble } from '../client';

/** Why a gate is closed, and what a person can do about it; null when telling it to open is all. */
const reasons: Record<GateReason, { why: string; cure: string | null }> = {
  paused: { why: 'it was paused', cure: null },
  insufficient_credits: { why: 'Plangrep has no credits left for it', cure: 'Add credits at Plangrep.' },
  unauthorized: { why: 'Plangrep refuses the API key', cure: 'Give the workers a key that works; they read PLANGREP_API_KEY_FILE again by themselves.' },
  job_not_found: { why: 'Plangrep does not show one of its jobs to this API key', cure: 'Check that the key is of the account that made the jobs.' },
  failing: { why: 'three of its jobs failed in a row with the same error', cure: "Look at these jobs' errors at Plangrep and mend their cause." },
};

/** Why no new job starts, as part of a sentence. */
export const reasonText = ({ reason }: Pick<Gate, 'reason'>): string => reasons[reason].why;

/** What opens the gate again, as sentences with the command to type. */
export function cureText(batchId: string, { reason, nextProbeAt }: Gate): string {
  const command = `plangrep-batch resume ${batchId}`;
  const { cure } = reasons[reason];
  if (nextProbeAt !== null) return `${cure ?? ''} It tries again by itself at ${nextProbeAt}; at once: ${command}`.trimStart();
  return cure === null ? command : `${cure} Then: ${command}`;
}

/** A deadline that nears, as a sentence without its full stop. */
export const warningText = ({ job, percentLeft, expiresAt }: DeadlineWarning): string =>
  `job ${job} has ${percentLeft === 50 ? 'half' : 'a tenth'} of its time left or less; what is not archived by ${expiresAt} is lost`;

/** A step that is tried again and again, and why it fails. */
export const troubleText = ({ step, job, message, failures }: Trouble): string =>
  `${step}${job === null ? '' : ` of job ${job}`} failed ${failures === 1 ? 'once' : `${failures} times`} and is tried again by itself: ${message}`;

/** Tells each change of a batch's gate, each warning about a deadline and each trouble once. */
export class GateNews {
  #gate: Gate | null = null;
  #warning = '';
  #trouble = '';

  constructor(readonly say: (text: string) => void) {}

  /** What a batch looks like now. A batch that could not be asked says nothing of its gate. */
  look({ batchId, gate, warning, trouble, error, closedAt }: BatchSummary): void {
    if (error !== null || closedAt !== null) return;
    if (gate && (gate.reason !== this.#gate?.reason || gate.since !== this.#gate.since)) {
      this.say(`Batch ${batchId} starts no new jobs since ${gate.since}: ${reasonText(gate)}.\n${cureText(batchId, gate)}`);
    }
    if (!gate && this.#gate) this.say(`Batch ${batchId} starts jobs again.`);
    this.#gate = gate;
    const key = warning ? `${warning.job} ${warning.percentLeft}` : '';
    if (warning && key !== this.#warning) this.say(`warning: ${warningText(warning)}.`);
    this.#warning = key;
    if (trouble && trouble.code !== this.#trouble) this.say(`Batch ${batchId} waits: ${troubleText(trouble)}`);
    if (!trouble && this.#trouble !== '') this.say(`Batch ${batchId} waits no more.`);
    this.#trouble = trouble?.code ?? '';
  }
}
