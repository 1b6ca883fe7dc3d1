import type { Alarm } from './clock';
import type { PartStore } from './part';

/** Statuses of a job (/guides/polling-and-webhooks). */
export const jobStatuses = [
  'provisioning', 'awaiting_uploads', 'uploading', 'preflighting', 'blocked_insufficient_credits', 'processing',
  'completed', 'completed_with_errors', 'failed', 'cancelled', 'expired',
] as const;
/** See {@link jobStatuses}. */
export type JobStatus = (typeof jobStatuses)[number];

/** Classification hints (/concepts/uploads). */
export const classifications = ['plans', 'specifications', 'documents', 'addenda', 'mixed', 'other'] as const;
/** See {@link classifications}. */
export type Classification = (typeof classifications)[number];

/** A failure as the API tells it. */
export interface Problem {
  code: string;
  message: string;
}

/** A project of the organization. */
export interface SimProject {
  readonly id: string;
  readonly name: string;
  status: 'provisioning' | 'ready' | 'failed';
  upgradeStatus: string | null;
  readonly createdAtMs: number;
  updatedAtMs: number;
}

/** What is known of content after it was received; the bytes themselves are gone. */
export interface StoredContent {
  /** 0 when there is a problem. */
  pages: number;
  problem: Problem | null;
}

/** One file of a job. */
export interface SimDocument {
  readonly id: string;
  readonly fileName: string;
  readonly contentType: string;
  readonly classification: Classification | null;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly mode: 'form' | 'direct_put' | 'multipart';
  /** Of its signed URLs. */
  urlsExpireAtMs: number;
  content: StoredContent | null;
  /** Its bytes came through the base64 route, whose own token counts. */
  base64: boolean;
  /** Of a multipart upload that is not complete. */
  parts: PartStore | null;
  /** Part of what the completion call named. */
  included: boolean;
  /** Why its upload failed: declared by the client, or never mentioned. */
  uploadFailure: Problem | null;
  /** Pages that were looked at, from the first on. */
  donePages: number;
  /** Those of them that did not come out. */
  failedPages: number[];
  pageProblem: Problem | null;
}

/** A job. */
export interface SimJob {
  readonly id: string;
  readonly projectId: string;
  readonly externalId: string | null;
  readonly webhookUrl: string | null;
  readonly webhookSecret: string | null;
  readonly limits: { maxFiles: number; maxDeclaredBytes: number };
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** Time after that in which it still reads as `expired`. */
  readonly expiredGraceMs: number;
  status: JobStatus;
  /** After its time: every read answers 404. */
  gone: boolean;
  /** By the control interface: every read answers 404, while it goes on. */
  hidden: boolean;
  /** The status that it does not leave by itself. */
  hold: 'preflighting' | 'processing' | null;
  /** What happens once it is released. */
  held: (() => void) | null;
  /** A cancel during processing comes too late. */
  readonly finishesFirst: boolean;
  updatedAtMs: number;
  completedAtMs: number | null;
  error: Problem | null;
  documents: SimDocument[];
  creditsDebited: number;
  creditsReserved: number;
  /** The next thing that happens by itself. */
  alarm: Alarm | null;
  /** A call that ends the upload window is at work. */
  completing: boolean;
  /** Cancelled by request, effective when the document in work is done. */
  cancelling: boolean;
  /** Which of the included documents is in work. */
  cursor: number;
  /** Images of single sheets among the artifacts of a document, at most. */
  readonly sheetArtifacts: number;
  /** The size its result is filled up to; 0 for its natural one. */
  resultBytes: number;
  /** The size of its result before it is filled up, once somebody asked. */
  naturalResultBytes: number | null;
  history: { status: JobStatus; at: string }[];
  /** Calls by operation, after the job ended. */
  callsAfterEnd: Record<string, number>;
}

/** Whether nothing happens to the job any more. */
export const isTerminal = (status: JobStatus): boolean =>
  status === 'completed' || status === 'completed_with_errors' || status === 'failed' || status === 'cancelled' || status === 'expired';

/** Whether the API knows the job. */
export const isThere = (job: SimJob): boolean => !job.gone && !job.hidden;

/** Whether there is a result. */
export const hasResult = (job: SimJob): boolean => job.status === 'completed' || job.status === 'completed_with_errors';

/** Whether files can come. */
export const takesUploads = (job: SimJob): boolean => job.status === 'awaiting_uploads' || job.status === 'uploading';

/** The documents that are processed, in order. */
export const includedDocuments = (job: SimJob): SimDocument[] => job.documents.filter((document) => document.included);

/** Classification given or, when none was, guessed by the name. */
export function classificationOf(document: SimDocument): Classification {
  if (document.classification !== null) return document.classification;
  if (/spec|division|section/i.test(document.fileName)) return 'specifications';
  if (/plan|sheet|drawing|set|elevation|detail|\b[ASMEPC]-?\d/i.test(document.fileName)) return 'plans';
  return 'documents';
}

/** Whether a page is paid for as a drawing. Of a mixed document the first half is. */
export function isDrawingPage(document: SimDocument, page: number): boolean {
  const classification = classificationOf(document);
  return classification === 'plans' || (classification === 'mixed' && page <= Math.ceil((document.content?.pages ?? 0) / 2));
}

/** Credits a page (/concepts/credits). */
export const creditsPerPage = { drawing: 10, document: 1 } as const;

/** Credits for one page of a document. */
export const pageCredits = (document: SimDocument, page: number): number =>
  isDrawingPage(document, page) ? creditsPerPage.drawing : creditsPerPage.document;

/** Pages that came out. */
export const successfulPages = (document: SimDocument): number => document.donePages - document.failedPages.length;
