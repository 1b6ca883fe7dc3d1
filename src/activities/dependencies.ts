import type { Client } from '@temporalio/client';
import type { PlangrepClient } from '../plangrep/client';
import type { Pace } from './pace';
import type { UploadEngine } from './upload/engine';
import type { Seal } from '../store/seal';
import type { Store } from '../store';

/** What activities work with; the worker builds it once, tests hand in their own. */
export interface Dependencies {
  store: Store;
  plangrep: PlangrepClient;
  seal: Seal;
  /** Shared by all activities of the process that call the API beside the API queue. */
  pace: Pace;
  /** Shared by all uploads of the process. Default: one with the usual bounds, made with the activities. */
  uploads?: UploadEngine;
  /** For the registered search attributes and the state of job workflows. */
  temporal: Client;
  settings: ActivitySettings;
}

/** Numbers from the configuration that activities need. */
export interface ActivitySettings {
  /** Shortest delay between two polls of one job. */
  minPollMs: number;
  /** Public base address that Plangrep posts webhooks to, without a slash at the end. Absent: jobs are polled only. */
  webhookUrl?: string;
  /** Delay between two polls of a project that is being set up. */
  projectPollMs: number;
  /** Calls a second of this process to the API from the transfer and archive queues; signed PUTs go elsewhere and do not count. */
  transferRequestsPerSecond: number;
  /** Credits a page, for estimates. */
  creditsPerDrawingPage: number;
  creditsPerDocumentPage: number;
}
