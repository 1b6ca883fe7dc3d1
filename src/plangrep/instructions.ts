import { ContractError } from './errors';
import type { CompleteUploads, RegisterFile, UploadInstruction, UploadPart } from './uploads';

/*
 * The only place that knows how signed uploads are spelled. The documentation names documentId, uploadMode, uploadToken,
 * uploadUrl and expiresAt (/api-reference/uploads/register-uploads); the rest is not named there, so each is looked for
 * under every name it is likely to have.
 */
const names = {
  mode: ['uploadMode', 'mode'],
  token: ['uploadToken', 'token'],
  url: ['uploadUrl', 'url', 'signedUrl', 'partUrl'],
  headers: ['requiredHeaders', 'headers', 'uploadHeaders'],
  expiresAt: ['expiresAt', 'urlExpiresAt', 'uploadExpiresAt'],
  uploadId: ['multipartUploadId', 'uploadId', 'multipartId'],
  parts: ['parts', 'partUrls', 'uploadParts'],
  partNumber: ['partNumber', 'number', 'part'],
  start: ['startByte', 'start', 'byteStart', 'offset'],
  end: ['endByte', 'end', 'byteEnd'],
  length: ['sizeBytes', 'size', 'length', 'contentLength'],
};

type Entry = Record<string, unknown>;
const isEntry = (value: unknown): value is Entry => typeof value === 'object' && value !== null && !Array.isArray(value);

function find<T>(entry: Entry, keys: string[], is: (value: unknown) => value is T): T | null {
  return keys.map((key) => entry[key]).find(is) ?? null;
}
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isList = (value: unknown): value is unknown[] => Array.isArray(value);

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;
// The connection's own business: undici sets or refuses these, and the size is known better here.
const connectionHeaders = new Set(['host', 'content-length', 'connection', 'keep-alive', 'transfer-encoding', 'expect', 'upgrade', 'te', 'trailer']);

/** Collects what is wrong with one instruction, so that all of it is told at once. */
class Problems {
  readonly issues: string[] = [];
  constructor(private readonly at: string) {}
  need<T>(value: T | null, field: string, otherwise: T): T {
    if (value === null) this.issues.push(`${this.at}.${field}: missing`);
    return value ?? otherwise;
  }
  add(field: string, problem: string): void {
    this.issues.push(`${this.at}.${field}: ${problem}`);
  }
}

/**
 * Reads a registration's `uploads`, in the order of `files`.
 * @throws ContractError when there is not one usable instruction for each file
 */
export function readInstructions(uploads: Entry[], files: RegisterFile[], label: string): UploadInstruction[] {
  if (uploads.length !== files.length) throw new ContractError(label, [`uploads: ${uploads.length} instructions for ${files.length} files`]);
  const ordered = inOrderOf(files, uploads);
  const read = ordered.map((entry, index) => {
    const problems = new Problems(`uploads.${index}`);
    return { instruction: readInstruction(entry, files[index]!.fileSize, problems), issues: problems.issues };
  });
  const issues = read.flatMap((one) => one.issues);
  if (issues.length > 0) throw new ContractError(label, issues);
  return read.map((one) => one.instruction);
}

/** By the names that the instructions repeat, when all do and each fits one file; else as they came. */
function inOrderOf(files: RegisterFile[], uploads: Entry[]): Entry[] {
  const byName = new Map(uploads.map((entry) => [entry['fileName'], entry]));
  const named = byName.size === uploads.length && files.every(({ fileName }) => byName.has(fileName));
  return named ? files.map(({ fileName }) => byName.get(fileName)!) : uploads;
}

function readInstruction(entry: Entry, sizeBytes: number, problems: Problems): UploadInstruction {
  const documentId = problems.need(find(entry, ['documentId'], isText), 'documentId', '');
  const parts = find(entry, names.parts, isList) ?? [];
  const url = find(entry, names.url, isText);
  const token = find(entry, names.token, isText);
  const mode = find(entry, names.mode, isText);
  if (parts.length > 0 && (mode !== 'direct_put' || url === null)) {
    return {
      documentId,
      uploadToken: problems.need(token, 'uploadToken', ''),
      mode: 'multipart',
      multipartUploadId: problems.need(find(entry, names.uploadId, isText), 'multipartUploadId', ''),
      expiresAt: earliest([entry, ...parts.filter(isEntry)]),
      parts: readParts(parts, sizeBytes, problems),
    };
  }
  if (mode === 'multipart' && find(entry, names.uploadId, isText) !== null) problems.add('parts', 'missing');
  if (url !== null && !/^https?:\/\//i.test(url)) problems.add('uploadUrl', 'not an http URL');
  // Without a URL there is nothing to send: the bytes are stored already, from an earlier registration.
  const uploadToken = url === null ? (token ?? '') : problems.need(token, 'uploadToken', '');
  return { documentId, uploadToken, mode: 'direct_put', url, headers: readHeaders(entry, problems), expiresAt: earliest([entry]) };
}

/** The earliest time at which one of these stops working. */
function earliest(entries: Entry[]): string | null {
  const times = entries.map((entry) => find(entry, names.expiresAt, isText)).filter((time) => time !== null);
  return times.filter((time) => !Number.isNaN(Date.parse(time))).sort((a, b) => Date.parse(a) - Date.parse(b))[0] ?? null;
}

function readHeaders(entry: Entry, problems: Problems): Record<string, string> {
  const pairs = Object.entries(find(entry, names.headers, isEntry) ?? unnamedHeaders(entry, problems));
  const kept = pairs.filter(([name]) => !connectionHeaders.has(name.toLowerCase()));
  const sent = kept.map(([name, value]) => [name, typeof value === 'number' ? String(value) : value] as const);
  for (const [index, [name, value]] of sent.entries()) {
    if (!headerName.test(name) || typeof value !== 'string' || !headerValue.test(value)) problems.add(`headers.${index}`, 'not a header');
  }
  return Object.fromEntries(sent) as Record<string, string>;
}

/** The header map under a name nobody foresaw: the only field that is an object of texts. */
function unnamedHeaders(entry: Entry, problems: Problems): Entry {
  const maps = Object.values(entry).filter(isEntry).filter((value) => Object.keys(value).length > 0 && Object.values(value).every((text) => typeof text === 'string'));
  if (maps.length > 1) problems.add('requiredHeaders', `one of ${maps.length} fields, none of them named`);
  return maps[0] ?? {};
}

function readParts(list: unknown[], sizeBytes: number, problems: Problems): UploadPart[] {
  const read = list.map((part, index) => readPart(isEntry(part) ? part : {}, index, problems));
  const parts = read.sort((a, b) => a.partNumber - b.partNumber);
  const numbered = new Set(parts.map(({ partNumber }) => partNumber)).size === parts.length;
  if (!numbered) problems.add('parts', 'repeated part numbers');
  // Ends may be meant exclusive. The file's size tells: inclusive ends stop one short of it.
  const exclusive = parts.at(-1)?.endByte === sizeBytes;
  const inclusive = exclusive ? parts.map((part) => ({ ...part, endByte: part.endByte - 1 })) : parts;
  if (!covers(inclusive, sizeBytes)) problems.add('parts', 'do not cover the file');
  return inclusive;
}

function readPart(part: Entry, index: number, problems: Problems): UploadPart {
  const at = `parts.${index}`;
  const url = problems.need(find(part, names.url, isText), `${at}.uploadUrl`, '');
  if (url !== '' && !/^https?:\/\//i.test(url)) problems.add(`${at}.uploadUrl`, 'not an http URL');
  const startByte = problems.need(find(part, names.start, isCount), `${at}.startByte`, 0);
  const length = find(part, names.length, isCount);
  const endByte = problems.need(find(part, names.end, isCount) ?? (length === null ? null : startByte + length - 1), `${at}.endByte`, 0);
  return { partNumber: find(part, names.partNumber, isCount) ?? index + 1, url, startByte, endByte };
}

/** Whether the parts are the whole file: each begins where the one before ended. */
function covers(parts: UploadPart[], sizeBytes: number): boolean {
  const starts = parts.map((_, index) => (index === 0 ? 0 : parts[index - 1]!.endByte + 1));
  return parts.every((part, index) => part.startByte === starts[index] && part.endByte >= part.startByte) && parts.at(-1)?.endByte === sizeBytes - 1;
}

/** The completion call's body, lists without entries left out. An empty `documentIds` is kept out by the client: left out it would mean all. */
export function completionBody(body: CompleteUploads): CompleteUploads {
  return Object.fromEntries(Object.entries(body).filter(([, list]) => Array.isArray(list) && list.length > 0));
}
