import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { renderPdf } from './documents/pdf-file';
import { projectDocuments, projectName } from './documents/project';

/** What to generate. */
export interface GenerateOptions {
  /** The same seed gives the same documents. Default `1`. */
  seed?: string;
  /** Number of projects, each of 14 to 16 documents, at least 1. Default 1: its folders lie in `out` itself, otherwise below its name. */
  sets?: number;
  /** Sets of up to 40 sheets and books of up to 300 pages instead of 9 and 40. Default false. */
  large?: boolean;
}

/** A document that was written. */
export interface GeneratedDocument {
  /** Relative to the output folder, `/` between parts. */
  path: string;
  pages: number;
  sizeBytes: number;
}

/** Writes the documents of imaginary building projects: real, small PDFs in a folder tree as a project would have. Overwrites. */
export async function generateDocuments(out: string, options: GenerateOptions = {}): Promise<GeneratedDocument[]> {
  const { seed = '1', sets = 1, large = false } = options;
  const written: GeneratedDocument[] = [];
  for (let index = 0; index < sets; index += 1) {
    const folder = sets === 1 ? '' : `${projectName(index)}/`;
    for (const document of projectDocuments(index, seed, large)) {
      const path = `${folder}${document.path}`;
      const target = join(out, path);
      await mkdir(dirname(target), { recursive: true });
      const { bytes, pages } = await renderPdf(titleOf(index, document.path), seed, document.draw);
      await writeFile(target, bytes);
      written.push({ path, pages, sizeBytes: bytes.length });
    }
  }
  return written;
}

function titleOf(index: number, path: string): string {
  return `${projectName(index)} - ${path.slice(path.lastIndexOf('/') + 1, -'.pdf'.length)}`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: 'string' }, sets: { type: 'string' }, large: { type: 'boolean' } },
  });
  const sets = Number(values.sets ?? 1);
  const [out] = positionals;
  if (out === undefined || positionals.length > 1 || !Number.isInteger(sets) || sets < 1) {
    process.stderr.write('usage: node --import tsx scripts/generate-documents.ts OUT [--seed TEXT] [--sets N] [--large]\n');
    process.exitCode = 1;
    return;
  }
  const options: GenerateOptions = { sets, large: values.large ?? false };
  if (values.seed !== undefined) options.seed = values.seed;
  const documents = await generateDocuments(resolve(out), options);
  const total = (of: (document: GeneratedDocument) => number): number => documents.reduce((sum, document) => sum + of(document), 0);
  process.stdout.write(`${documents.length} documents, ${total((d) => d.pages)} pages, ${total((d) => d.sizeBytes)} bytes in ${resolve(out)}\n`);
}

if (require.main === module) void main();
