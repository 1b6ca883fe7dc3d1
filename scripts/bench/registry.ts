import type { Run } from './session';

/** Something that can be measured. */
export interface Benchmark {
  /** For people: what is measured, in one line. */
  title: string;
  /** Whether it needs the Temporal CLI. Default false. */
  temporal?: boolean;
  /** Loaded when it is run, since some bring the Temporal SDK along. */
  load: () => Promise<Run>;
}

/** All benchmarks, in the order they are run. */
export const benchmarks: Record<string, Benchmark> = {
  actions: {
    title: 'Temporal actions, history events and remote requests of one job of 100 files, with webhooks',
    temporal: true,
    load: async () => (await import('./actions.js')).actions,
  },
  webhook: {
    title: 'time from a webhook to the read that it causes, for 220 jobs',
    temporal: true,
    load: async () => (await import('./webhook.js')).webhook,
  },
  plan: {
    title: 'planning 1,000,000 documents of a list that gives their sizes, as JSON Lines and as CSV, and a folder of 200,000 files (1,000,000 with --full)',
    load: async () => (await import('./plan.js')).plan,
  },
  packing: {
    title: 'jobs that packing needs beside the lower bound, for five realistic mixes of documents',
    load: async () => (await import('./packing.js')).packing,
  },
  hash: {
    title: 'hashing 64 files of 16 MB (160 MB with --full) and 5,000 of 16 KB, beside sha256sum and openssl in as many processes',
    load: async () => (await import('./hash.js')).hash,
  },
  upload: {
    title: 'hashing and uploading 24 files of 32 MB, and one of 512 MB, beside sha256sum and curl to the same server; 16 streams at once; one file of 10 GB',
    load: async () => (await import('./upload.js')).upload,
  },
  resend: {
    title: 'bytes that are sent again when an uploading process is killed and another one goes on',
    load: async () => (await import('./resend.js')).resend,
  },
  archive: {
    title: 'archiving one result of 2 GB, and one with 5,000 artifacts beside curl: downloaded, checked, hashed and on disk',
    load: async () => (await import('./archive.js')).archive,
  },
  manifest: {
    title: 'writing the manifest of 20,000 documents (1,000,000 with --full)',
    load: async () => (await import('./manifest.js')).manifest,
  },
  verify: {
    title: 'verifying an archived batch of 20,000 documents with two artifacts each (1,000,000 without, with --full), beside sha256sum',
    load: async () => (await import('./verify.js')).verify,
  },
  window: {
    title: 'the window of jobs over 1,000 jobs (10,000 with --full) that do nothing: histories, state handed over, actions, memory of the worker',
    temporal: true,
    load: async () => (await import('./window.js')).window,
  },
  tuning: {
    title: 'the same jobs through workers with other slots, caches and pollers, and through queues in one piece',
    temporal: true,
    load: async () => (await import('./tuning.js')).tuning,
  },
  scale: {
    title: 'whole batches of 1,000 and 10,000 small documents (100,000 with --full): how time, memory and counts grow, and where the time goes',
    temporal: true,
    load: async () => (await import('./scale.js')).scale,
  },
  start: {
    title: 'start of a built worker, to its first workflow task',
    temporal: true,
    load: async () => (await import('./start.js')).start,
  },
  workers: {
    title: 'a batch of slow uploads through one worker, through two, and through two of which one is killed',
    temporal: true,
    load: async () => (await import('./workers.js')).workers,
  },
  fairness: {
    title: 'a batch of 2 jobs beside one of 200 on the same worker, with fairness keys and without',
    temporal: true,
    load: async () => (await import('./fairness.js')).fairness,
  },
};
