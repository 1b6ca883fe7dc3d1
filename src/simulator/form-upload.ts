import type { IncomingHttpHeaders } from 'node:http';
import { finished, type Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { ApiError, invalidRequest } from './errors';
import { receive, type Received } from './intake';
import { formMetadataSchema, parseBody, type FormMetadata } from './requests';
import type { SimulatorState } from './state';
import { metered } from './traffic';

// The documentation only says "files under a few hundred MB" (/concepts/uploads).
const maxFormBytes = 200_000_000;
const maxMetadataBytes = 2 ** 20;

/** A form that was received whole. Each part must be stored or discarded. */
export interface ReceivedForm {
  metadata: FormMetadata;
  parts: Map<string, Received>;
}

/**
 * Reads a form upload, hashing its files while they pass.
 *
 * @throws ApiError 400 when it is no form or its metadata does not fit, 413 above 200,000,000 bytes; then nothing is kept
 */
export async function readForm(state: SimulatorState, headers: IncomingHttpHeaders, body: Readable): Promise<ReceivedForm> {
  if (Number(headers['content-length'] ?? 0) > maxFormBytes) throw tooLarge();
  const parts = new Map<string, Received>();
  try {
    const metadata = parseMetadata(await readParts(state, headers, body, parts));
    checkNames(metadata, parts);
    return { metadata, parts };
  } catch (error) {
    await discardAll(parts.values());
    throw error;
  }
}

/** Lets received parts go. */
export async function discardAll(parts: Iterable<Received>): Promise<void> {
  for (const part of parts) await part.discard();
}

const tooLarge = (): ApiError => new ApiError(413, 'payload_too_large', `A form has at most ${maxFormBytes} bytes.`);

/** The text of the metadata part; the others land in `parts`. */
function readParts(state: SimulatorState, headers: IncomingHttpHeaders, body: Readable, parts: Map<string, Received>): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const form = openForm(headers);
    const files: Promise<void>[] = [];
    const streams: Readable[] = [];
    let metadata: string | undefined;
    let bytes = 0;
    const fail = (error: unknown): void => {
      body.unpipe(form);
      body.resume();
      form.destroy();
      for (const stream of streams) stream.destroy(new Error('the form broke'));
      void Promise.allSettled(files).then(() => reject(error instanceof ApiError ? error : invalidRequest('The form is broken or incomplete.')));
    };
    form.on('field', (name, value) => {
      if (name === 'metadata') metadata = value;
    });
    form.on('file', (name, stream) => {
      streams.push(stream);
      files.push(takePart(state, name, stream, parts));
      files.at(-1)!.catch(fail);
    });
    form.on('finish', () => void Promise.all(files).then(() => resolve(metadata), fail));
    form.on('error', fail);
    body.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxFormBytes) fail(tooLarge());
    });
    finished(body, { writable: false }, (error) => error && fail(error));
    body.pipe(form);
  });
}

function openForm(headers: IncomingHttpHeaders): BusboyInstance {
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': headers['content-type'] ?? '' },
      limits: { fieldSize: maxMetadataBytes, parts: 1_000 },
      isPartAFile: (fieldName) => fieldName !== 'metadata',
    });
  } catch {
    throw invalidRequest('The form has no boundary.');
  }
}

async function takePart(state: SimulatorState, name: string, stream: Readable, parts: Map<string, Received>): Promise<void> {
  // A form that ends in the middle of a file is told by the form's own error as well.
  stream.on('error', () => undefined);
  const received = await receive(metered(stream, state.counters), state);
  await parts.get(name)?.discard();
  parts.set(name, received);
}

function parseMetadata(text: string | undefined): FormMetadata {
  if (text === undefined) throw invalidRequest('The part metadata is missing.');
  try {
    return parseBody(formMetadataSchema, JSON.parse(text));
  } catch (error) {
    throw error instanceof ApiError ? error : invalidRequest('The part metadata is not JSON.');
  }
}

function checkNames({ files }: FormMetadata, parts: Map<string, Received>): void {
  const named = new Set(files.map(({ partName }) => partName));
  if (!parts.has('file0')) throw invalidRequest('The part file0 is missing.');
  const lost = files.find(({ partName }) => !parts.has(partName))?.partName;
  if (lost !== undefined) throw invalidRequest(`The metadata names ${lost}, but there is no such part.`);
  const unnamed = [...parts.keys()].find((name) => !named.has(name));
  if (unnamed !== undefined || named.size !== files.length) throw invalidRequest('Each part needs exactly one entry in the metadata.');
}
