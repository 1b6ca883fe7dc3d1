import { hasResult, includedDocuments, successfulPages, type SimDocument, type SimJob, type SimProject } from './job';
import type { SimulatorState } from './state';

/** A project as the API shows it. */
export function projectView(state: SimulatorState, project: SimProject): object {
  return {
    id: project.id,
    name: project.name,
    projectKind: 'open_api',
    status: project.status,
    runtime: { status: project.status === 'ready' ? 'running' : 'starting', upgradeStatus: project.upgradeStatus },
    createdAt: state.clock.iso(project.createdAtMs),
    updatedAt: state.clock.iso(project.updatedAtMs),
  };
}

/** A job as the API shows it. */
export function jobView(state: SimulatorState, job: SimJob): object {
  const { clock } = state;
  const documents = includedDocuments(job);
  return {
    id: job.id,
    externalId: job.externalId,
    status: job.status,
    projectId: job.projectId,
    limits: job.limits,
    pageCount: pagesKnown(job) ? documents.reduce((sum, document) => sum + (document.content?.pages ?? 0), 0) : 0,
    successfulPageCount: documents.reduce((sum, document) => sum + successfulPages(document), 0),
    billing: { creditsDebited: job.creditsDebited, creditsReserved: job.creditsReserved },
    files: job.documents.map((document) => ({
      id: state.signer.fileId(document.id),
      fileName: document.fileName,
      status: fileStatus(job, document),
    })),
    resultUrl: hasResult(job) ? resultUrl(state, job, clock.now()) : null,
    error: job.error,
    createdAt: clock.iso(job.createdAtMs),
    updatedAt: clock.iso(job.updatedAtMs),
    completedAt: job.completedAtMs === null ? null : clock.iso(job.completedAtMs),
    expiresAt: clock.iso(job.expiresAtMs),
  };
}

/** The signed URL of a job's result, with a life counted from an instant. */
export function resultUrl(state: SimulatorState, job: SimJob, fromMs: number): string {
  return state.signer.signedUrl(state.storageUrl, 'GET', `/results/${job.id}`, fromMs + state.settings.resultUrlMs);
}

const pagesKnown = (job: SimJob): boolean =>
  job.status !== 'preflighting' && job.history.some(({ status }) => status === 'preflighting');

function fileStatus(job: SimJob, document: SimDocument): string {
  if (job.status === 'cancelled' || job.status === 'expired') return job.status;
  if (document.uploadFailure) return 'failed';
  if (document.content === null) return 'awaiting_upload';
  if (!document.included) return 'uploaded';
  if (job.status === 'failed') return 'failed';
  if (document.donePages < document.content.pages) return 'processing';
  return successfulPages(document) === 0 ? 'failed' : 'completed';
}
