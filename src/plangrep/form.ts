import { randomBytes } from 'node:crypto';
import { OutgoingBody, type ByteSource } from './bodies';
import type { Job } from './schemas';

/** A file of a form upload; /api-reference/uploads/upload-files. */
export interface FormFile {
  /** Base name with extension, unique in its job. */
  fileName: string;
  contentType: string;
  classification?: string | null;
  /** 64 lowercase hex digits; when given, the API compares. */
  sha256?: string | null;
  /** Exact size in bytes. */
  sizeBytes: number;
  /** Opens the bytes; called once, when the files before it have been sent. */
  open(): ByteSource | Promise<ByteSource>;
}

/** What the API says of one received file. */
export interface FormUpload {
  documentId: string;
  partName: string | null;
  fileName: string | null;
  status: string | null;
}

/** Answer of a form upload. */
export interface FormAnswer {
  job: Job;
  /** Of the whole request: `uploaded`, `skipped`, or one that is not documented. */
  status: string | null;
  uploads: FormUpload[];
}

/** Most that one form upload should carry: 200 MB; the API's own bound is not documented. /concepts/uploads */
export const maxFormBytes = 200_000_000;

/** The form field of the n-th file, from 0. */
export const partName = (index: number): string => `file${index}`;

/** A request body and its content type. */
export interface Form {
  contentType: string;
  body: OutgoingBody;
}

/** Lays out a form upload of exactly known length. Files are opened one after another, while it is sent. */
export function encodeForm(files: FormFile[], flowId: string | null): Form {
  const boundary = `plangrep-batch-${randomBytes(16).toString('hex')}`;
  const metadata = part(boundary, 'name="metadata"', 'application/json', JSON.stringify(describe(files, flowId)));
  const heads = files.map((file, index) => part(boundary, `name="${partName(index)}"; filename="${quoted(file.fileName)}"`, file.contentType, ''));
  const tail = Buffer.from(`--${boundary}--\r\n`);
  const filesBytes = files.reduce((sum, file, index) => sum + heads[index]!.length + file.sizeBytes + lineEnd.length, 0);
  const sizeBytes = metadata.length + lineEnd.length + filesBytes + tail.length;
  return { contentType: `multipart/form-data; boundary=${boundary}`, body: new OutgoingBody(chunks(metadata, heads, files, tail), sizeBytes) };
}

const lineEnd = Buffer.from('\r\n');

async function* chunks(metadata: Buffer, heads: Buffer[], files: FormFile[], tail: Buffer): AsyncGenerator<Uint8Array> {
  yield Buffer.concat([metadata, lineEnd]);
  for (const [index, file] of files.entries()) {
    yield heads[index]!;
    const content = new OutgoingBody(await file.open(), file.sizeBytes);
    try {
      yield* content.read();
    } finally {
      content.destroy();
    }
    yield lineEnd;
  }
  yield tail;
}

/** Every field is sent, though one page calls some of them optional (/api-reference/uploads/upload-files, /concepts/uploads). */
function describe(files: FormFile[], flowId: string | null) {
  const described = files.map(({ fileName, contentType, classification, sha256 }, index) => ({
    partName: partName(index),
    fileName,
    contentType,
    ...(classification && { classification }),
    ...(sha256 && { sha256 }),
  }));
  return { ...(flowId !== null && { clientUploadFlowId: flowId }), files: described };
}

function part(boundary: string, disposition: string, contentType: string, content: string): Buffer {
  const type = contentType.replace(/[^\x20-\x7e]/g, '');
  return Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n${content}`);
}

/** As browsers do it: a name can't end its quotes or its line. */
const quoted = (name: string): string => name.replace(/["\r\n]/g, (char) => encodeURIComponent(char));

/**
 * Files of a form upload that the answer does not confirm, whatever status it gave: neither among its uploads nor on the job.
 * The job's own file ids are another kind of id, so files are found there by their name.
 */
export function unconfirmedFiles<T extends { fileName: string }>(files: T[], answer: Pick<FormAnswer, 'job' | 'uploads'>): T[] {
  const seenParts = new Set(answer.uploads.map((upload) => upload.partName));
  const seenNames = new Set([...answer.uploads, ...(answer.job.files ?? [])].map(({ fileName }) => fileName));
  return files.filter(({ fileName }, index) => !seenParts.has(partName(index)) && !seenNames.has(fileName));
}
