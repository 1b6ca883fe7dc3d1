import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { request, type Dispatcher } from 'undici';
import type { FaultOptions } from '../../src/simulator/faults';
import type { Simulator } from '../../src/simulator/server';

/** A job as far as tests look at it. */
export interface JobView {
  id: string;
  status: string;
  externalId: string | null;
  limits: { maxFiles: number; maxDeclaredBytes: number };
  pageCount: number;
  successfulPageCount: number;
  billing: { creditsDebited: number; creditsReserved: number };
  files: { id: string; fileName: string; status: string }[];
  resultUrl: string | null;
  error: { code: string; message: string } | null;
  createdAt: string;
  completedAt: string | null;
  expiresAt: string;
}

/** What a registration says of one file. */
export interface Instruction {
  documentId: string;
  uploadMode: string;
  uploadToken: string;
  uploadUrl?: string;
  requiredHeaders?: Record<string, string>;
  expiresAt?: string;
  multipartUploadId?: string;
  parts?: { partNumber: number; uploadUrl: string; startByte: number; endByte: number }[];
}

/** Any body of the API; only what is there is looked at. */
export interface Body {
  job: JobView;
  jobs: JobView[];
  project: { id: string; status: string; runtime: { upgradeStatus: string | null } };
  projects: { id: string; name: string }[];
  billing: { creditsCharged: number; availableCredits: number };
  idempotent?: boolean;
  webhookSigningSecret?: string;
  status: string;
  uploads: Instruction[];
  directUpload: { documentId: string; uploadToken: string };
  error: { code: string; message: string };
  nextCursor: string | null;
}

/** An answer, read whole. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  body: Body;
}

/** Hex SHA-256. */
export const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Calls a simulator as a client would, with nothing of the product's own client in between. */
export class Caller {
  constructor(
    readonly simulator: Simulator,
    private readonly apiKey = simulator.apiKey,
  ) {}

  /** Calls the API; a body that is no Buffer and no stream is sent as JSON. */
  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const url = `${this.simulator.apiUrl}/api/open/v1${path}`;
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    return send(method, url, body === undefined ? null : JSON.stringify(body), { authorization: `Bearer ${this.apiKey}`, ...type, ...headers });
  }

  /** A new job in a ready project. */
  async createJob(body: object = {}): Promise<JobView> {
    return (await this.call('POST', '/projects/proj_quickstart/jobs', body)).body.job;
  }

  async job(jobId: string): Promise<JobView> {
    return (await this.call('GET', `/jobs/${jobId}`)).body.job;
  }

  /** Registers files by their content. */
  async register(jobId: string, files: { fileName: string; content: Buffer; classification?: string }[]): Promise<Answer> {
    const entries = files.map(({ fileName, content, classification }) => ({
      fileName, contentType: 'application/pdf', fileSize: content.length, sha256: sha256Of(content), ...(classification ? { classification } : {}),
    }));
    return this.call('POST', `/jobs/${jobId}/uploads`, { files: entries });
  }

  /** Registers and sends files; answers with what the completion call needs. */
  async upload(jobId: string, files: { fileName: string; content: Buffer; classification?: string }[]): Promise<{ documentId: string; uploadToken: string }[]> {
    const { uploads } = (await this.register(jobId, files)).body;
    for (const [index, { uploadUrl, requiredHeaders }] of uploads.entries()) {
      if (uploadUrl !== undefined) await put(uploadUrl, files[index]!.content, requiredHeaders);
    }
    return uploads.map(({ documentId, uploadToken }) => ({ documentId, uploadToken }));
  }

  async complete(jobId: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call('POST', `/jobs/${jobId}/uploads/complete`, body, headers);
  }

  /** A job whose uploads are complete. */
  async submit(files: { fileName: string; content: Buffer; classification?: string }[], body: object = {}): Promise<JobView> {
    const { id } = await this.createJob(body);
    const directUploads = await this.upload(id, files);
    return (await this.complete(id, { directUploads })).body.job;
  }

  /** Calls the control interface. */
  async control(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
    const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    return send(method, this.simulator.controlUrl + path, body === undefined ? null : JSON.stringify(body), headers);
  }

  /** Moves the clock. */
  async advance(advanceMs: number): Promise<void> {
    await this.control('POST', '/clock', { advanceMs });
    await turn();
  }

  async fault(...faults: FaultOptions[]): Promise<Answer> {
    return this.control('POST', '/faults', { faults });
  }
}

/** Sends a request, and reads the answer whole. */
export async function send(method: string, url: string, body: Dispatcher.DispatchOptions['body'], headers: Record<string, string>): Promise<Answer> {
  const answer = await request(url, { method, body: body ?? null, headers });
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  return { status: answer.statusCode, headers: answer.headers, bytes, body: toBody(bytes) };
}

/** Sends bytes to a signed URL. */
export async function put(url: string, content: Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return send('PUT', url, content, headers);
}

function toBody(bytes: Buffer): Body {
  try {
    return JSON.parse(bytes.toString()) as Body;
  } catch {
    return {} as Body;
  }
}
