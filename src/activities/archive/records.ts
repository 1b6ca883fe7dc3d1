import type { ArchivedArtifact, ResultRecord } from '../../contract/archive';
import { pagesOf } from '../../domain/outcome';
import { creditRule } from '../../domain/page-credits';
import { jsonLines, readJsonLines } from '../../store/jsonl';
import { artifactFile } from './artifacts';
import { extractLineSchema } from './extract';
import type { ExtractedArtifact } from './extract';
import type { ResultSurvey } from './result';
import type { ArchiveRun } from './run';

/**
 * Writes results.jsonl: each document of the result with its archived artifacts. One document's lines are in memory at a time.
 * @param missing what Plangrep said of the paths that could not be had
 */
export async function writeRecords(run: ArchiveRun, survey: ResultSurvey, missing: Map<string, string>): Promise<void> {
  await run.deps.store.write(run.keys.results, jsonLines(records(run, survey, missing)));
}

async function* records({ deps, keys, files }: ArchiveRun, { end, tally }: ResultSurvey, missing: Map<string, string>): AsyncGenerator<ResultRecord> {
  const creditsOf = creditRule(end.usage, tally);
  const issues = new Map(end.issues.map(({ documentId, code, message }) => [documentId, { code, message }]));
  let own = new DocumentArtifacts(missing);
  for await (const line of readJsonLines(deps.store, keys.extract, extractLineSchema)) {
    if (line.kind === 'artifact' && line.document !== null) own.add(line, (name) => files.get(name), keys.relative);
    if (line.kind !== 'document') continue;
    const { kind: _, sheets, classification, documentId, ...said } = line;
    // Without an id it cannot be joined with a document that was sent (/concepts/results).
    if (documentId !== null) {
      const credits = creditsOf({ successful: pagesOf(line).good, sheets, classification });
      yield { ...said, documentId, issue: issues.get(documentId) ?? null, credits, artifacts: own.archived, missing: own.missing };
    }
    own = new DocumentArtifacts(missing);
  }
}

/** The artifacts of one document, each named once. */
class DocumentArtifacts {
  readonly archived: ArchivedArtifact[] = [];
  private readonly seen = new Set<string>();
  private missed = 0;
  private firstMissed = '';

  constructor(private readonly whyMissing: Map<string, string>) {}

  get missing(): ResultRecord['missing'] {
    return this.missed === 0 ? null : { count: this.missed, first: this.firstMissed };
  }

  add({ path, type }: ExtractedArtifact, find: (name: string) => { sizeBytes: number; sha256: string } | null, folder: string): void {
    if (path === null) return this.miss('The result gives no path for it');
    const name = artifactFile(path);
    if (this.seen.has(`${name} ${type}`)) return;
    this.seen.add(`${name} ${type}`);
    const file = find(name);
    if (file) this.archived.push({ type, path: `${folder}/${name}`, sizeBytes: file.sizeBytes, sha256: file.sha256 });
    else this.miss(this.whyMissing.get(path) ?? 'It is not in the archive');
  }

  private miss(why: string): void {
    this.missed += 1;
    this.firstMissed ||= why;
  }
}
