/** Scopes of an API key (/authentication). */
export const scopes = ['jobs:read', 'jobs:write', 'artifacts:read'] as const;
/** See {@link scopes}. */
export type Scope = (typeof scopes)[number];

/** How a simulator behaves. Times are milliseconds of its own clock. */
export interface SimulatorOptions {
  /** Port of the API on 127.0.0.1. Default 0: any free one. */
  port?: number;
  /** Port of the storage that signed URLs point to. Default 0: any free one. */
  storagePort?: number;
  /** Port of the control interface. Default 0: any free one. */
  controlPort?: number;
  /** The API key, with all scopes. Default: a random one that starts with `pgk_sim_`. */
  apiKey?: string;
  /** Credits of the organization at the start. Default 1,000,000. */
  credits?: number;
  /** Pages a job; a job with more fails at preflight. Default null: no limit. */
  pageLimit?: number | null;
  /** Time a job takes beside its pages: a fifth as preflight, the rest as processing. Default 500. */
  jobMs?: number;
  /** Time each page adds to processing. Default 2. */
  pageMs?: number;
  /** Time a new project is `provisioning`. Default 200. */
  projectMs?: number;
  /** Time a new job is `provisioning`. Default 0: it awaits uploads at once. */
  provisioningMs?: number;
  /** Declared bytes above which a file is registered as `multipart`. Default 5,000,000,000. */
  partThreshold?: number;
  /** Bytes a part. Default: `partThreshold`, at most 64 MiB. */
  partBytes?: number;
  /** Time stands still and moves only by the control interface. Default false: real time. */
  scriptedClock?: boolean;
  /** One line a request on stderr. Default false. */
  verbose?: boolean;
  /** Names of projects that are ready from the start. Default `['Quickstart']`; its id is `proj_quickstart`. */
  projects?: string[];
  /** Life of signed upload URLs. Default 15 minutes. */
  uploadUrlMs?: number;
  /** Life of a `resultUrl`. Default 1 hour. */
  resultUrlMs?: number;
  /** From a job's creation to its `expiresAt`. Default 7 days. */
  retentionMs?: number;
  /** Time after `expiresAt` in which an unfinished job still reads as `expired`; then 404. Default 1 hour. */
  expiredGraceMs?: number;
  /** Time that preflight waits for registered files the completion call does not mention. Default 60,000. */
  uploadTimeoutMs?: number;
  /** Declared bytes that the estimate at preflight takes for one page. Default 250,000. */
  bytesPerPage?: number;
  /** Content above this many bytes is hashed but not looked into: its pages are the estimate. Default 512 MiB. */
  countedBytes?: number;
  /**
   * Storage believes the registered digests: it counts the bytes of a signed PUT and compares sizes, but hashes nothing, and does not look into
   * what comes in parts. For huge uploads, whose other side hashes on the same processors. Default false.
   */
  trustDigests?: boolean;
  /** Images of single sheets among the artifacts of a document, at most. Default 1. */
  sheetArtifacts?: number;
  /** Whether jobs with a `webhookUrl` send webhooks. Default true. */
  webhooks?: boolean;
}

/** All options, decided. */
export type Settings = Required<SimulatorOptions>;

/** Fills in the defaults. */
export function settle(options: SimulatorOptions, randomKey: string): Settings {
  const partThreshold = options.partThreshold ?? 5_000_000_000;
  return {
    port: options.port ?? 0,
    storagePort: options.storagePort ?? 0,
    controlPort: options.controlPort ?? 0,
    apiKey: options.apiKey ?? randomKey,
    credits: options.credits ?? 1_000_000,
    pageLimit: options.pageLimit ?? null,
    jobMs: options.jobMs ?? 500,
    pageMs: options.pageMs ?? 2,
    projectMs: options.projectMs ?? 200,
    provisioningMs: options.provisioningMs ?? 0,
    partThreshold,
    partBytes: Math.max(1, options.partBytes ?? Math.min(partThreshold, 64 * 2 ** 20)),
    scriptedClock: options.scriptedClock ?? false,
    verbose: options.verbose ?? false,
    projects: options.projects ?? ['Quickstart'],
    uploadUrlMs: options.uploadUrlMs ?? 15 * 60_000,
    resultUrlMs: options.resultUrlMs ?? 3_600_000,
    retentionMs: options.retentionMs ?? 7 * 86_400_000,
    expiredGraceMs: options.expiredGraceMs ?? 3_600_000,
    uploadTimeoutMs: options.uploadTimeoutMs ?? 60_000,
    bytesPerPage: options.bytesPerPage ?? 250_000,
    countedBytes: options.countedBytes ?? 512 * 2 ** 20,
    trustDigests: options.trustDigests ?? false,
    sheetArtifacts: options.sheetArtifacts ?? 1,
    webhooks: options.webhooks ?? true,
  };
}
