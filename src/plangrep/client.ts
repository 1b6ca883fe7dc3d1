import type { Readable } from 'node:stream';
import { OutgoingBody, type ByteSource } from './bodies';
import { ContractError, RejectedError } from './errors';
import { encodeForm } from './form';
import type { FormAnswer, FormFile } from './form';
import { completionBody, readInstructions } from './instructions';
import { readJobList } from './job-list';
import type { ListItem } from './job-list';
import { completedUploadsSchema, createdJobSchema, formAnswerSchema, jobEnvelopeSchema, jobSchema, projectEnvelopeSchema, projectListSchema, registeredUploadsSchema } from './schemas';
import type { Job, Project } from './schemas';
import { Transport, parseShape } from './transport';
import type { Answer, ApiCall, TransportOptions } from './transport';
import type { CompleteUploads, RegisterFile, UploadInstruction } from './uploads';

export type { CompleteUploads, RegisterFile, UploadInstruction } from './uploads';
export type { FormFile, FormUpload } from './form';

/** Settings of {@link PlangrepClient}; see {@link TransportOptions}. */
export type PlangrepClientOptions = TransportOptions;

/** For every call. */
export interface CallOptions {
  /** Ends the call; it then throws the signal's reason, and a stream it gave breaks with it. */
  signal?: AbortSignal | undefined;
}

/** For calls that are safe to repeat with the same key: printable ASCII, 1 to 256 characters, one key for one body. */
export interface IdempotentOptions extends CallOptions {
  idempotencyKey: string;
}

/** Bytes from the API. */
export interface Download {
  /** Read it to its end or destroy it. It breaks with a TransportError when bytes are missing. */
  body: Readable;
  /** From `Content-Length`; null when the API did not say. */
  sizeBytes: number | null;
  contentType: string | null;
}

/** Answer of `createJob`. */
export interface JobCreation {
  job: Job;
  /** Whether the key had been used before: the job is the earlier one. */
  idempotent: boolean;
  /** Shown once, never on a repeat: seal it at once. */
  webhookSigningSecret: string | null;
}

/**
 * The remote API, one method an endpoint. Every method makes one attempt and throws a `PlangrepError`: TransportError,
 * BusyError, CreditError, AuthError, RejectedError, ConflictError or ContractError. Gets may be repeated; for the others see each.
 */
export class PlangrepClient {
  private readonly transport: Transport;

  /** @throws TypeError when the base URL is no plain http or https URL */
  constructor(options: PlangrepClientOptions) {
    this.transport = new Transport(options);
  }

  /** All API projects of the account. /api-reference/projects/list-projects */
  async listProjects(options: CallOptions = {}): Promise<Project[]> {
    return (await this.transport.json({ method: 'GET', path: '/projects', ...options }, projectListSchema)).projects;
  }

  /** /api-reference/projects/get-project */
  async getProject(projectId: string, options: CallOptions = {}): Promise<Project> {
    return (await this.transport.json({ method: 'GET', path: `/projects/${segment(projectId)}`, ...options }, projectEnvelopeSchema)).project;
  }

  /** Costs credits. Not safe to repeat: look for the name first. The name has at most 180 characters. /api-reference/projects/create-project */
  async createProject(name: string, options: CallOptions = {}): Promise<Project> {
    return (await this.transport.json({ method: 'POST', path: '/projects', body: JSON.stringify({ name }), ...options }, projectEnvelopeSchema)).project;
  }

  /** Safe to repeat with the same key and body. @throws ConflictError when the key was used with another body; /api-reference/jobs/create-job */
  async createJob(projectId: string, body: { externalId?: string; webhookUrl?: string }, { idempotencyKey, ...options }: IdempotentOptions): Promise<JobCreation> {
    const path = `/projects/${segment(projectId)}/jobs`;
    // Whoever knows the address can post to it: its last part is what nobody can guess.
    const secrets = body.webhookUrl === undefined ? [] : [body.webhookUrl, body.webhookUrl.slice(body.webhookUrl.lastIndexOf('/') + 1)];
    const call: ApiCall = { method: 'POST', path, body: JSON.stringify(body), headers: keyHeader(idempotencyKey), secrets, ...options };
    const created = await this.transport.json(call, createdJobSchema);
    return { job: created.job, idempotent: created.idempotent ?? false, webhookSigningSecret: created.webhookSigningSecret ?? null };
  }

  /** All jobs of a project, newest first, as they arrive. Leaving the loop early ends the request. /api-reference/jobs/list-jobs */
  async *listJobs(projectId: string, options: CallOptions = {}): AsyncGenerator<Job, void, undefined> {
    const call: ApiCall = { method: 'GET', path: `/projects/${segment(projectId)}/jobs`, ...options };
    const seen = new Set<string>();
    const limit = this.transport.limitOf(call);
    try {
      for (let cursor: string | null = ''; cursor !== null; seen.add(cursor ?? '')) {
        cursor = yield* this.listPage({ ...call, ...(cursor && { query: { cursor } }), signal: limit.signal });
        if (cursor !== null && seen.has(cursor)) throw new ContractError('List of jobs', ['nextCursor: given before'], { status: 200 });
      }
    } finally {
      limit.end();
    }
  }

  /** A 404 is a RejectedError with that status; after `expiresAt` it means that the job is gone. /api-reference/jobs/get-job */
  async getJob(jobId: string, options: CallOptions = {}): Promise<Job> {
    const call: ApiCall = { method: 'GET', path: `/jobs/${segment(jobId)}`, ...options };
    return same(jobId, (await this.transport.json(call, jobEnvelopeSchema)).job, call);
  }

  /** For a job that lacks credits; read the job before and after. The answer may be any status, blocked again included. /api-reference/jobs/resume-job */
  resumeJob(jobId: string, options: CallOptions = {}): Promise<Job> {
    return this.command(jobId, 'resume', options);
  }

  /** For a job that is not terminal; it need not be cancelled when this returns. @throws RejectedError for a terminal job; /api-reference/jobs/cancel-job */
  cancelJob(jobId: string, options: CallOptions = {}): Promise<Job> {
    return this.command(jobId, 'cancel', options);
  }

  /**
   * Sends files in one form, 1 to 100 of them; the files are opened one by one and read once. See {@link encodeForm} for sizes.
   * No status means success by itself: ask `unconfirmedFiles`. Not safe to repeat blindly. /api-reference/uploads/upload-files
   * @throws BodyLengthError when a file is not as long as said; the files' own errors
   */
  async uploadFiles(jobId: string, files: FormFile[], { flowId, ...options }: CallOptions & { flowId?: string } = {}): Promise<FormAnswer> {
    if (files.length === 0) throw nothingToDo('A form upload without a file');
    const { contentType, body } = encodeForm(files, flowId ?? null);
    const call: ApiCall = { method: 'POST', path: `/jobs/${segment(jobId)}/files`, headers: { 'content-type': contentType }, body, ...options };
    const { job, status, uploads } = await this.transport.json(call, formAnswerSchema);
    const named = (uploads ?? []).flatMap(({ documentId, partName, fileName, status: said }) =>
      documentId ? [{ documentId, partName: partName ?? null, fileName: fileName ?? null, status: said ?? null }] : [],
    );
    return { job: same(jobId, job, call), status: status ?? null, uploads: named };
  }

  /**
   * Announces 1 to 100 files; the instructions come in the order of the files. Not safe to repeat blindly: a repeat may make
   * second documents, which count against the job's limits. /api-reference/uploads/register-uploads
   */
  async registerUploads(jobId: string, files: RegisterFile[], options: CallOptions = {}): Promise<{ job: Job; uploads: UploadInstruction[] }> {
    const described = files.map(({ fileName, contentType, fileSize, sha256, classification }) => ({ fileName, contentType, fileSize, sha256, ...(classification && { classification }) }));
    const path = `/jobs/${segment(jobId)}/uploads`;
    const call: ApiCall = { method: 'POST', path, body: JSON.stringify({ files: described }), ...options };
    const { job, uploads } = await this.transport.json(call, registeredUploadsSchema);
    return { job: same(jobId, job, call), uploads: readInstructions(uploads, files, `POST ${path}`) };
  }

  /**
   * Sends bytes to a signed URL, with the headers of its instruction and without the key. Safe to repeat with a new stream of
   * the same bytes until the URL expires; `needsNewRegistration` tells whether it has. Errors have origin `storage`.
   * @throws BodyLengthError when the stream does not give exactly `sizeBytes`; the stream's own errors
   */
  async putSigned(url: string, { headers, body, sizeBytes, signal }: CallOptions & { headers: Record<string, string>; body: ByteSource; sizeBytes: number }): Promise<{ etag: string | null }> {
    const outgoing = new OutgoingBody(body, sizeBytes);
    const answer = await this.transport.put(url, headers, outgoing, signal);
    try {
      await this.transport.text(answer, signal);
      this.transport.assertSent(outgoing, answer.label, 'storage');
    } finally {
      outgoing.destroy();
    }
    // An empty one is as good as none.
    return { etag: headerText(answer, 'etag') || null };
  }

  /**
   * Ends the upload window. Safe to repeat with the same key and body. A 409 is a RejectedError: re-read the job, it may be
   * past uploading. Refused here, before any request: a body that names documents but none to process, since an empty list
   * would mean all of them. /api-reference/uploads/complete-uploads
   */
  async completeUploads(jobId: string, body: CompleteUploads, { idempotencyKey, ...options }: IdempotentOptions): Promise<{ job: Job; idempotent: boolean }> {
    if (isEmptyCompletion(body)) throw nothingToDo('A completion without a document to process');
    const secrets = [...(body.directUploads ?? []), ...(body.multipartUploads ?? [])].map(({ uploadToken }) => uploadToken);
    const path = `/jobs/${segment(jobId)}/uploads/complete`;
    const call: ApiCall = { method: 'POST', path, body: JSON.stringify(completionBody(body)), headers: keyHeader(idempotencyKey), secrets, ...options };
    const { job, idempotent } = await this.transport.json(call, completedUploadsSchema);
    return { job: same(jobId, job, call), idempotent: idempotent ?? false };
  }

  /** The result's bytes, JSON of any size; only for `completed` and `completed_with_errors`. /api-reference/jobs/get-job-result */
  async getResult(jobId: string, options: CallOptions = {}): Promise<Download> {
    return noPage(await this.download({ method: 'GET', path: `/jobs/${segment(jobId)}/result`, ...options }), 'Result');
  }

  /**
   * An artifact's bytes, by the path that `artifactPath` reads from the result. A web page comes only from a path that is called one: else
   * somebody on the way answered. /api-reference/artifacts/get-job-artifact
   */
  async getArtifact(jobId: string, path: string, options: CallOptions = {}): Promise<Download> {
    const download = await this.download({ method: 'GET', path: `/jobs/${segment(jobId)}/artifact`, query: { path }, headers: { accept: '*/*' }, ...options });
    return /html?$/i.test(path) ? download : noPage(download, 'Artifact');
  }

  /** Ends all connections; running calls fail. Safe to repeat. */
  close(): Promise<void> {
    return this.transport.close();
  }

  /** Any 2xx will do; one without a job is followed by a read. */
  private async command(jobId: string, verb: 'resume' | 'cancel', options: CallOptions): Promise<Job> {
    const call: ApiCall = { method: 'POST', path: `/jobs/${segment(jobId)}/${verb}`, ...options };
    const answer = await this.transport.jsonOrNothing(call, jobEnvelopeSchema);
    return answer ? same(jobId, answer.job, call) : this.getJob(jobId, options);
  }

  private async *listPage(call: ApiCall): AsyncGenerator<Job, string | null, undefined> {
    const answer = await this.transport.api(call);
    const body = this.transport.stream(answer, call.signal);
    let broken: Error | null = null;
    body.on('error', (error) => (broken = error));
    let nextCursor: string | null = null;
    try {
      for await (const item of readJobList(body) as AsyncIterable<ListItem>) {
        if ('nextCursor' in item) nextCursor = item.nextCursor;
        else yield parseShape(item.job, jobSchema, `${answer.label}, one of jobs`, answer.status);
      }
    } catch (error) {
      if (error instanceof ContractError) throw error;
      // What is no fault of the connection is the parser's: the body is no list of jobs.
      throw broken ?? new ContractError(answer.label, ['body: no JSON list of jobs'], { status: answer.status, unreadable: true });
    } finally {
      body.destroy();
    }
    return nextCursor;
  }

  private async download(call: ApiCall): Promise<Download> {
    const answer = await this.transport.begin(call);
    const encoding = headerText(answer, 'content-encoding') ?? 'identity';
    if (answer.status !== 200 || encoding !== 'identity') {
      answer.body.destroy();
      throw new ContractError(answer.label, [answer.status === 200 ? 'content-encoding: not asked for' : 'status: not 200'], { status: answer.status, unreadable: true });
    }
    const length = headerText(answer, 'content-length');
    const sizeBytes = length !== null && /^\d+$/.test(length) ? Number(length) : null;
    return { body: this.transport.stream(answer, call.signal), sizeBytes, contentType: headerText(answer, 'content-type') };
  }
}

/** The job that was asked about. A cache that mixes answers up must not end, move or bill another one. @throws ContractError */
function same(jobId: string, job: Job, { method, path }: ApiCall): Job {
  if (job.id !== jobId) throw new ContractError(`${method} /api/open/v1${path}`, ['job.id: is another job'], { status: 200 });
  return job;
}

/** @throws ContractError for a web page, such as a gateway shows with status 200 */
function noPage(download: Download, what: string): Download {
  if (!download.contentType?.toLowerCase().includes('html')) return download;
  download.body.destroy();
  throw new ContractError(what, ['body: HTML instead of it'], { status: 200, unreadable: true });
}

/** One path segment. Dots alone would climb out of the path, encoded or not. */
function segment(id: string): string {
  if (/^\.{0,2}$/.test(id)) throw new ContractError('An id that can name nothing', ['id: empty or dots']);
  return encodeURIComponent(id);
}

function keyHeader(idempotencyKey: string): Record<string, string> {
  if (!/^[\x21-\x7e]{1,256}$/.test(idempotencyKey)) throw new RangeError('An idempotency key has 1 to 256 printable ASCII characters');
  return { 'idempotency-key': idempotencyKey };
}

function headerText(answer: Answer, name: string): string | null {
  const value = answer.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

const nothingToDo = (what: string): RejectedError => new RejectedError(`${what} was not sent`, { code: 'nothing_to_do' });

/** Only `{}` may leave the documents open: it completes a form upload. */
function isEmptyCompletion({ documentIds, directUploads, multipartUploads, failedUploads }: CompleteUploads): boolean {
  if (documentIds) return documentIds.length === 0;
  const named = [directUploads, multipartUploads, failedUploads].filter((list) => list !== undefined);
  return named.length > 0 && !directUploads?.length && !multipartUploads?.length;
}
