import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import type { PayloadKeys } from './codec/payload-codec';
import { fromFile, oneLine } from './config/key-file';
import { codecTokenOf, payloadKeyProblems, payloadKeysOf, payloadShape } from './config/payload';
import { Secret } from './config/secret';
import { webhookOf, webhookShape, type WebhookSettings } from './config/webhook';

/** What a command cannot do without. `plangrep` is the API key, `project`, `archive` and `secretKey` the settings of that name. */
export type Need = 'plangrep' | 'project' | 'archive' | 'secretKey';

/** The whole configuration, read once and frozen. A setting that is absent and was not needed is null. */
export interface Config {
  readonly plangrep: PlangrepSettings;
  /** `PLANGREP_PROJECT`: id or name of the project to use when none is named. */
  readonly project: string | null;
  /** `PLANGREP_ARCHIVE`: absolute path of the archive's folder. */
  readonly archive: string | null;
  /** `PLANGREP_SECRET_KEY` or `_FILE`: 32 bytes that seal remote secrets. */
  readonly secretKey: Secret<Buffer> | null;
  /** `PLANGREP_SECRET_KEYS_OLD`: earlier keys, comma-separated, that still open what they sealed. */
  readonly oldSecretKeys: readonly Secret<Buffer>[];
  readonly credits: CreditSettings;
  readonly webhook: WebhookSettings;
  /** `PLANGREP_PAYLOAD_KEY` or `_FILE`, and `PLANGREP_PAYLOAD_KEYS_OLD`: encrypt what Temporal stores; without the first nothing is encrypted. */
  readonly payloadKeys: PayloadKeys;
  /** `PLANGREP_CODEC_TOKEN` or `_FILE`: what callers of the codec endpoint must know; null lets every caller in, on this machine only. */
  readonly codecToken: Secret | null;
  /** Files that hold secrets, as the variables ending in `_FILE` name them. */
  readonly secretFiles: readonly SecretFile[];
  /** `PLANGREP_WEB_UI_URL`: base address of Temporal's web UI; null lets the Temporal address decide. */
  readonly webUiUrl: string | null;
}

/** A file with a secret. */
export interface SecretFile {
  variable: string;
  path: string;
}

/** How Plangrep is spoken to. */
export interface PlangrepSettings {
  /** `PLANGREP_BASE_URL`, default `https://plangrep.com`; without a slash at the end. */
  readonly baseUrl: string;
  /** The API key as it is now: `PLANGREP_API_KEY`, or the file that `PLANGREP_API_KEY_FILE` names. @throws Error when neither is set */
  readonly apiKey: () => string;
  /** `PLANGREP_REQUESTS_PER_SECOND`, default 2: the API queue's rate for all workers together. */
  readonly requestsPerSecond: number;
  /** `PLANGREP_TRANSFER_REQUESTS_PER_SECOND`, default 10: of one process. */
  readonly transferRequestsPerSecond: number;
  /** `PLANGREP_MIN_POLL_SECONDS` in milliseconds, default 15 s; at least 5 s, on loopback at least 1 s. */
  readonly minPollMs: number;
  /** Delay between two looks at a project that is being set up: 10 s, on loopback {@link minPollMs}. */
  readonly projectPollMs: number;
}

/** Credits a page, for estimates only: what was really debited is what the jobs say. */
export interface CreditSettings {
  /** `PLANGREP_CREDITS_DRAWING_PAGE`, default 10. */
  readonly drawingPage: number;
  /** `PLANGREP_CREDITS_DOCUMENT_PAGE`, default 1. */
  readonly documentPage: number;
}

type Present<K extends keyof Config> = { readonly [P in K]: NonNullable<Config[P]> };
/** A configuration in which the named needs are there. */
export type ConfigWith<N extends Need> = Config & Present<Exclude<N, 'plangrep'>>;
/** What a worker runs with. */
export type WorkerConfig = ConfigWith<'plangrep' | 'archive' | 'secretKey'>;

/** One problem of the environment. */
export interface ConfigProblem {
  variable: string;
  message: string;
}

/** The environment does not give what is needed; holds every problem, never a value of a secret variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly ConfigProblem[]) {
    super(problems.map(({ variable, message }) => `${variable} ${message}`).join('\n'));
  }
}

/** How a secret key is made; part of every message about one. */
export const secretKeyAdvice =
  "make one with: openssl rand -base64 32 (or: node -p \"crypto.randomBytes(32).toString('base64')\"), and give the same one to every worker";

const loopbackHosts = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
/** Whether this URL's or address's host is this machine. */
export const isLoopback = (hostname: string): boolean => loopbackHosts.test(hostname);

const number = (fallback: number, check: z.ZodNumber) =>
  z.string().trim().regex(/^\d+(\.\d+)?$/, 'must be a number').transform(Number).pipe(check).default(fallback);

const httpUrl = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  if (!url || !/^https?:$/.test(url.protocol)) return refuse('must be an https:// address');
  if (url.username || url.password || url.search || url.hash) return refuse('must hold no user, password, query or fragment');
  return { text: url.href.replace(/\/+$/, ''), loopback: isLoopback(url.hostname), secure: url.protocol === 'https:' };
});
const baseUrl = httpUrl.refine((url) => url.secure || url.loopback, 'must be https://, except on this machine: the key would travel in the open');
const webhookUrl = httpUrl.refine((url) => url.secure || url.loopback, 'must be https://, except on this machine: its secret tokens would travel in the open');

const key32 = z.string().transform((text, context) => {
  const bytes = Buffer.from(text.trim(), 'base64');
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text.trim()) && bytes.length === 32) return new Secret(bytes);
  context.addIssue({ code: 'custom', message: `must be 32 bytes in base64; ${secretKeyAdvice}` });
  return z.NEVER;
});

const environmentSchema = z.object({
  PLANGREP_API_KEY: oneLine.transform((key) => new Secret(key)).optional(),
  PLANGREP_API_KEY_FILE: fromFile((read) => read).optional(),
  PLANGREP_BASE_URL: baseUrl.prefault('https://plangrep.com'),
  PLANGREP_PROJECT: z.string().trim().max(180, 'must have at most 180 characters').optional(),
  PLANGREP_ARCHIVE: z.string().refine((path) => !/^[a-z][a-z0-9+.-]*:\/\//i.test(path), 'must be a folder: s3:// and the like are not supported in this version').transform((path) => (isAbsolute(path) ? path : resolve(path))).optional(),
  PLANGREP_SECRET_KEY: key32.optional(),
  PLANGREP_SECRET_KEY_FILE: fromFile((read) => read()).pipe(key32).optional(),
  PLANGREP_SECRET_KEYS_OLD: z.string().transform((list) => list.split(',').map((key) => key.trim()).filter(Boolean)).pipe(z.array(key32)).default([]),
  PLANGREP_REQUESTS_PER_SECOND: number(2, z.number().gt(0, 'must be above 0').max(1000, 'must be at most 1000')),
  PLANGREP_TRANSFER_REQUESTS_PER_SECOND: number(10, z.number().gt(0, 'must be above 0').max(1000, 'must be at most 1000')),
  PLANGREP_MIN_POLL_SECONDS: number(15, z.number().min(1, 'must be at least 1').max(600, 'must be at most 600')),
  PLANGREP_CREDITS_DRAWING_PAGE: number(10, z.number().min(0).max(1_000_000)),
  PLANGREP_CREDITS_DOCUMENT_PAGE: number(1, z.number().min(0).max(1_000_000)),
  PLANGREP_WEB_UI_URL: httpUrl.optional(),
  PLANGREP_WEBHOOK_URL: webhookUrl.optional(),
  ...webhookShape,
  ...payloadShape,
});
type Environment = z.output<typeof environmentSchema>;

const apiKeyOf = (read: Partial<Environment>) => {
  const { PLANGREP_API_KEY: plain, PLANGREP_API_KEY_FILE: fromFile } = read;
  return fromFile ?? (plain && (() => plain.reveal()));
};
/** Variables of which the one whose name ends in `_FILE` names a file with the other's value. */
const inFileToo = ['PLANGREP_API_KEY', 'PLANGREP_SECRET_KEY', 'PLANGREP_PAYLOAD_KEY', 'PLANGREP_CODEC_TOKEN'] as const;
const secretKeyOf = (read: Partial<Environment>) => read.PLANGREP_SECRET_KEY_FILE ?? read.PLANGREP_SECRET_KEY;

const needs: Record<Need, { variable: string; alternative?: string; message: string }> = {
  plangrep: { variable: 'PLANGREP_API_KEY', alternative: 'PLANGREP_API_KEY_FILE', message: 'is not set: it (or PLANGREP_API_KEY_FILE) holds the key of your Plangrep account' },
  project: { variable: 'PLANGREP_PROJECT', message: 'is not set: name the project by id or name, here or with --project' },
  archive: { variable: 'PLANGREP_ARCHIVE', message: 'is not set: name the folder that results are archived in' },
  secretKey: { variable: 'PLANGREP_SECRET_KEY', alternative: 'PLANGREP_SECRET_KEY_FILE', message: `is not set; ${secretKeyAdvice}` },
};

function findProblems(set: Record<string, string>, parsed: z.ZodSafeParseResult<Environment>, need: readonly Need[]): ConfigProblem[] {
  const problems = (parsed.error?.issues ?? []).map((issue) => ({ variable: String(issue.path[0]), message: issue.message }));
  for (const name of need) {
    const { variable, alternative, message } = needs[name];
    if (!(variable in set) && !(alternative !== undefined && alternative in set)) problems.push({ variable, message });
  }
  for (const variable of inFileToo) {
    if (variable in set && `${variable}_FILE` in set) problems.push({ variable, message: `and ${variable}_FILE are both set: set one of them` });
  }
  if (parsed.success) {
    const { PLANGREP_BASE_URL: url, PLANGREP_MIN_POLL_SECONDS: seconds } = parsed.data;
    if (!url.loopback && seconds < 5) problems.push({ variable: 'PLANGREP_MIN_POLL_SECONDS', message: 'must be at least 5' });
    const secretKey = secretKeyOf(parsed.data);
    problems.push(...payloadKeyProblems(payloadKeysOf(parsed.data), [...(secretKey ? [secretKey] : []), ...parsed.data.PLANGREP_SECRET_KEYS_OLD]));
  }
  return problems;
}

function configOf(read: Environment, set: Record<string, string>): Config {
  const minPollMs = read.PLANGREP_MIN_POLL_SECONDS * 1000;
  const apiKey = apiKeyOf(read);
  return Object.freeze({
    plangrep: Object.freeze({
      baseUrl: read.PLANGREP_BASE_URL.text,
      apiKey: () => {
        if (!apiKey) throw new ConfigError([needs.plangrep]);
        return apiKey();
      },
      requestsPerSecond: read.PLANGREP_REQUESTS_PER_SECOND,
      transferRequestsPerSecond: read.PLANGREP_TRANSFER_REQUESTS_PER_SECOND,
      minPollMs,
      projectPollMs: read.PLANGREP_BASE_URL.loopback ? minPollMs : 10_000,
    }),
    project: read.PLANGREP_PROJECT ?? null,
    archive: read.PLANGREP_ARCHIVE ?? null,
    secretKey: secretKeyOf(read) ?? null,
    oldSecretKeys: Object.freeze(read.PLANGREP_SECRET_KEYS_OLD),
    credits: Object.freeze({ drawingPage: read.PLANGREP_CREDITS_DRAWING_PAGE, documentPage: read.PLANGREP_CREDITS_DOCUMENT_PAGE }),
    webhook: webhookOf(read.PLANGREP_WEBHOOK_URL?.text ?? null, read),
    payloadKeys: payloadKeysOf(read),
    codecToken: codecTokenOf(read),
    secretFiles: Object.freeze(inFileToo.flatMap((name) => (set[`${name}_FILE`] ? [{ variable: `${name}_FILE`, path: set[`${name}_FILE`]!.trim() }] : []))),
    webUiUrl: read.PLANGREP_WEB_UI_URL?.text ?? null,
  });
}

/**
 * Reads the configuration. An empty variable counts as not set; variables that are not ours are ignored.
 * @param need what the caller cannot do without
 * @throws ConfigError with every problem at once
 */
export function readConfig<N extends Need>(env: NodeJS.ProcessEnv, need: readonly N[]): ConfigWith<N> {
  const names = Object.keys(environmentSchema.shape);
  const set = Object.fromEntries(names.flatMap((name) => (env[name]?.trim() ? [[name, env[name]]] : []))) as Record<string, string>;
  const parsed = environmentSchema.safeParse(set);
  const problems = findProblems(set, parsed, need);
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  return configOf(parsed.data, set) as ConfigWith<N>;
}

/** This process's environment; the only place in the product that touches it. */
export const environment = (): NodeJS.ProcessEnv => process.env;
