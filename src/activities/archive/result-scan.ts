import { artifactPath } from '../../plangrep/artifact-path';
import { remoteErrorSchema } from '../../plangrep/schemas';
import { extractedEndSchema } from './extract';
import type { ExtractLine, ExtractedEnd } from './extract';
import { JsonScanner, maxKeptText } from './json-scanner';
import type { JsonPlace, JsonVisitor } from './json-scanner';

type Scalar = string | number | boolean | null;
/** Values of one entry, by key. */
type Fields = Record<string, Scalar>;

/** What the top level must have; /api-reference/jobs/get-job-result. */
const topLevel: Record<string, 'object' | 'array' | 'scalar'> = {
  schemaVersion: 'scalar',
  job: 'object',
  usage: 'object',
  documents: 'array',
  evidence: 'array',
  warnings: 'array',
  errors: 'array',
};
const documentKeys = new Set(['documentId', 'fileName', 'classification', 'status', 'pageCount', 'successfulPageCount', 'failedPageCount', 'error']);
const usageKeys = new Set<string>(Object.keys(extractedEndSchema.shape.usage.shape));
const issueKeys = new Set(['code', 'message', 'documentId']);
const artifactKeys = new Set(['type', 'url', 'path']);

/** Documents whose errors are kept, and problems that are named. A job has 100 documents; the rest only bounds the memory. */
const maxIssues = 10_000;
const maxProblems = 20;

/**
 * Picks from a result, while its bytes pass, what the archive needs: documents, usage, errors, and every entry of an
 * array called `artifacts`, wherever it stands. Texts, evidence and the rest are checked for validity and forgotten, so
 * memory depends on neither the result's size nor a document's. Shape problems are collected: the bytes are worth keeping all the same.
 */
export class ResultScan implements JsonVisitor {
  private readonly scanner = new JsonScanner(this);
  private readonly kinds = new Map<string, string>();
  private readonly problems: string[] = [];
  private readonly issues = new Map<string, { code: string; message: string }>();
  private readonly usage: Fields = {};
  private schemaVersion: Scalar = null;
  private jobId: Scalar = null;
  private document: Fields = {};
  private documentError: Fields | null = null;
  private sheets = 0;
  private issue: Fields = {};
  /** Artifact entries being read, with the level they stand at: one may hold others. */
  private readonly artifacts: { depth: number; fields: Fields }[] = [];

  /** @param emit gets each line as soon as it is known; the line `end` comes last, from {@link end} */
  constructor(private readonly emit: (line: ExtractLine) => void) {}

  /** @throws NotJsonError */
  write(chunk: Uint8Array): Promise<void> {
    return this.scanner.write(chunk);
  }

  /** After the last byte. @throws NotJsonError */
  async end(): Promise<ExtractedEnd> {
    await this.scanner.end();
    for (const [key, kind] of Object.entries(topLevel)) {
      if (this.kinds.get(key) !== kind) this.problem(key, this.kinds.has(key) ? `is no ${kind}` : 'is missing');
    }
    if (this.kinds.has('schemaVersion') && this.schemaVersion !== 'v1') this.problem('schemaVersion', 'is not v1');
    const usage = Object.fromEntries([...usageKeys].map((key) => [key, numberOf(this.usage[key])])) as ExtractedEnd['usage'];
    const issues = [...this.issues].map(([documentId, issue]) => ({ documentId, ...issue }));
    const end: ExtractedEnd = { kind: 'end', jobId: textOf(this.jobId), usage, issues, problems: this.problems };
    this.emit(end);
    return end;
  }

  open({ keys, depth }: JsonPlace, kind: 'object' | 'array'): void {
    if (depth === 0 && kind === 'array') this.problem('(result)', 'is no object');
    if (depth === 1) this.topLevelValue(keys[0]!, kind);
    if (depth === 2 && isIn(keys, 'documents')) this.openDocument(kind);
    if (depth === 2 && isIn(keys, 'errors')) this.issue = {};
    if (depth === 3 && isIn(keys, 'documents') && keys[2] === 'error') this.documentError = {};
    this.countSheet(keys, depth);
    if (isArtifactEntry(keys, depth)) this.artifacts.push({ depth, fields: {} });
  }

  close({ keys, depth }: JsonPlace): void {
    const artifact = this.artifacts.at(-1);
    if (artifact?.depth === depth) {
      this.artifacts.pop();
      this.emitArtifact(keys, depth, artifact.fields);
    }
    if (depth === 2 && isIn(keys, 'documents')) this.emitDocument(keys[1] as number);
    if (depth === 2 && isIn(keys, 'errors')) this.keepIssue();
  }

  wants({ keys, depth }: JsonPlace): boolean {
    if (depth <= 1) return true;
    if (this.artifacts.at(-1)?.depth === depth - 1 && artifactKeys.has(keys[depth - 1] as string)) return true;
    if (isArtifactEntry(keys, depth)) return true;
    if (depth === 2) return (keys[0] === 'job' && keys[1] === 'id') || (keys[0] === 'usage' && usageKeys.has(keys[1] as string)) || isIn(keys, 'documents');
    if (isIn(keys, 'documents')) return depth === 3 ? documentKeys.has(keys[2] as string) : depth === 4 && (keys[2] === 'error' || keys[2] === 'sheets');
    return isIn(keys, 'errors') && depth === 3 && issueKeys.has(keys[2] as string);
  }

  scalar({ keys, depth }: JsonPlace, value: Scalar): void {
    const key = String(keys[depth - 1]);
    if (depth === 0) return this.problem('(result)', 'is no object');
    if (depth === 1) {
      this.topLevelValue(key, 'scalar');
      if (key === 'schemaVersion') this.schemaVersion = value;
      return;
    }
    this.countSheet(keys, depth);
    if (this.artifacts.at(-1)?.depth === depth - 1) this.artifacts.at(-1)!.fields[key] = value;
    else if (isArtifactEntry(keys, depth)) this.emitArtifact(keys, depth, { url: value });
    else if (keys[0] === 'job') this.jobId = value;
    else if (keys[0] === 'usage') this.usage[key] = value;
    else if (keys[0] === 'errors') this.issue[key] = value;
    else this.documentValue(keys, depth, key, value);
  }

  private documentValue(keys: JsonPlace['keys'], depth: number, key: string, value: Scalar): void {
    if (depth === 2) this.problem(`documents.${key}`, 'is no object');
    else if (depth === 3) this.document[key] = value;
    else if (keys[2] === 'error' && this.documentError) this.documentError[key] = value;
  }

  private topLevelValue(key: string | number, kind: string): void {
    const name = String(key);
    if (!Object.hasOwn(topLevel, name)) return;
    if (this.kinds.has(name)) this.problem(name, 'is there twice');
    this.kinds.set(name, kind);
  }

  private openDocument(kind: string): void {
    if (kind === 'array') this.problem('documents', 'has an entry that is no object');
    this.document = {};
    this.documentError = null;
    this.sheets = 0;
  }

  private countSheet(keys: JsonPlace['keys'], depth: number): void {
    if (depth === 4 && isIn(keys, 'documents') && keys[2] === 'sheets' && typeof keys[3] === 'number') this.sheets = keys[3] + 1;
  }

  private emitDocument(index: number): void {
    const { documentId, fileName, classification, status, pageCount, successfulPageCount, failedPageCount, error } = this.document;
    this.emit({
      kind: 'document',
      index,
      documentId: textOf(documentId) || null,
      fileName: textOf(fileName),
      classification: textOf(classification),
      status: textOf(status),
      pageCount: pagesOf(pageCount),
      successfulPageCount: pagesOf(successfulPageCount),
      failedPageCount: pagesOf(failedPageCount),
      error: remoteErrorSchema.parse(this.documentError ?? error ?? null),
      sheets: this.sheets,
    });
  }

  private emitArtifact(keys: JsonPlace['keys'], depth: number, { type, url, path }: Fields): void {
    const named = artifactPath({ path: keptText(path), url: keptText(url) });
    // A lone surrogate cannot be sent; as it would be sent it is one text for all.
    const sendable = named === null ? null : Buffer.from(named).toString();
    const document = depth > 2 && isIn(keys, 'documents') ? (keys[1] as number) : null;
    this.emit({ kind: 'artifact', document, type: textOf(type) || 'artifact', path: sendable });
  }

  private keepIssue(): void {
    const documentId = textOf(this.issue.documentId);
    if (!documentId || this.issues.has(documentId) || this.issues.size >= maxIssues) return;
    this.issues.set(documentId, remoteErrorSchema.parse(this.issue) ?? { code: 'unknown', message: '' });
  }

  private problem(place: string, problem: string): void {
    if (this.problems.length < maxProblems) this.problems.push(`${place}: ${problem}`);
  }
}

/** Whether the value stands in an entry of this list of the top level, or is one. */
const isIn = (keys: JsonPlace['keys'], list: 'documents' | 'errors'): boolean => keys[0] === list && typeof keys[1] === 'number';

/** Whether the value is an entry of an array called `artifacts`. */
const isArtifactEntry = (keys: JsonPlace['keys'], depth: number): boolean => depth >= 2 && typeof keys[depth - 1] === 'number' && keys[depth - 2] === 'artifacts';

const textOf = (value: Scalar | undefined): string | null => (typeof value === 'string' ? value : null);
const numberOf = (value: Scalar | undefined): number | null => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null);
const pagesOf = (value: Scalar | undefined): number | null => (Number.isSafeInteger(numberOf(value)) ? numberOf(value) : null);
/** A text that was cut names something else. */
const keptText = (value: Scalar | undefined): string | null => (typeof value === 'string' && value.length < maxKeptText ? value : null);
