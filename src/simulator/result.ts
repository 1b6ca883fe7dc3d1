import { artifactsOf, goodPages, type SimArtifact } from './artifacts';
import {
  classificationOf, creditsPerPage, includedDocuments, isDrawingPage, successfulPages, type SimDocument, type SimJob,
} from './job';
import type { SimulatorState } from './state';
import { resultUrl } from './views';
import { Dice } from './words';

const disciplines = [['A', 'architectural'], ['S', 'structural'], ['M', 'mechanical'], ['E', 'electrical'], ['P', 'plumbing'], ['C', 'civil']] as const;
const drawingTypes = ['plan', 'elevation', 'section', 'detail', 'schedule'] as const;
const regionTypes = ['note', 'title_block', 'schedule', 'legend', 'dimension', 'keynote'] as const;
const sheetNames = ['Framing', 'Foundation', 'Roof', 'Level 1', 'Level 2', 'Reflected ceiling', 'Site', 'Details', 'Riser'] as const;
// Filler entries have this many bytes, so that 2 GB of them are read and written in pieces.
const fillerBytes = 65_536;

/** The result's bytes from first to last: always the same ones, made while they are read, at most 128 KiB at a time. */
export function* resultChunks(state: SimulatorState, job: SimJob): Generator<string> {
  yield* pieces(state, job, fillBytes(state, job));
}

/** How many bytes {@link resultChunks} yields. */
export function resultSize(state: SimulatorState, job: SimJob): number {
  return naturalSize(state, job) + fillBytes(state, job);
}

const naturalSize = (state: SimulatorState, job: SimJob): number => (job.naturalResultBytes ??= sizeOf(pieces(state, job, 0)));

function fillBytes(state: SimulatorState, job: SimJob): number {
  const bytes = job.resultBytes - naturalSize(state, job);
  return bytes < fillerFrame(1) ? 0 : bytes;
}

function sizeOf(chunks: Iterable<string>): number {
  let bytes = 0;
  for (const chunk of chunks) bytes += Buffer.byteLength(chunk);
  return bytes;
}

function* pieces(state: SimulatorState, job: SimJob, fill: number): Generator<string> {
  const documents = includedDocuments(job);
  const head = { schemaVersion: 'v1', generatedAt: state.clock.iso(job.completedAtMs!), job: jobPart(state, job), usage: usagePart(job, documents) };
  yield `${JSON.stringify(head).slice(0, -1)},"documents":[`;
  yield* separated(documents, (document) => JSON.stringify(documentPart(state, job, document)));
  yield '],"evidence":[';
  yield* separated(evidencePages(documents), ([document, page]) => evidencePart(document, page));
  yield* filler(fill);
  yield '],"warnings":[';
  yield* separated(documents.filter((document) => document.content?.problem), (document) => JSON.stringify(warningPart(document)));
  yield '],"errors":[';
  yield* separated(errorParts(job), (error) => JSON.stringify(error));
  yield ']}';
}

function* separated<T>(items: Iterable<T>, write: (item: T) => string): Generator<string> {
  let first = true;
  for (const item of items) {
    yield first ? write(item) : `,${write(item)}`;
    first = false;
  }
}

function jobPart(state: SimulatorState, job: SimJob): object {
  const { clock } = state;
  return {
    id: job.id,
    status: job.status,
    externalId: job.externalId,
    createdAt: clock.iso(job.createdAtMs),
    completedAt: clock.iso(job.completedAtMs!),
    expiresAt: clock.iso(job.expiresAtMs),
    resultUrl: resultUrl(state, job, job.completedAtMs!),
    error: null,
  };
}

function usagePart(job: SimJob, documents: SimDocument[]): object {
  const all = documents.flatMap((document) => Array.from({ length: document.content?.pages ?? 0 }, (_, index) => isDrawingPage(document, index + 1)));
  const good = documents.flatMap((document) => goodPages(document).map((page) => isDrawingPage(document, page)));
  const drawings = (pages: boolean[]): number => pages.filter(Boolean).length;
  return {
    pageCount: all.length,
    successfulPageCount: good.length,
    drawingPageCount: drawings(all),
    documentPageCount: all.length - drawings(all),
    successfulDrawingPageCount: drawings(good),
    successfulDocumentPageCount: good.length - drawings(good),
    drawingCreditsPerPage: creditsPerPage.drawing,
    documentCreditsPerPage: creditsPerPage.document,
    creditsDebited: job.creditsDebited,
  };
}

function documentPart(state: SimulatorState, job: SimJob, document: SimDocument): object {
  const classification = classificationOf(document);
  const successful = successfulPages(document);
  const pages = document.content?.pages ?? 0;
  const artifacts = artifactsOf(job, document);
  const link = ({ type, path }: SimArtifact): object => ({
    type, url: `${state.apiUrl}/api/open/v1/jobs/${job.id}/artifact?path=${encodeURIComponent(path)}`,
  });
  const sheets = goodPages(document).filter((page) => isDrawingPage(document, page));
  return {
    documentId: document.id,
    fileName: document.fileName,
    classification,
    contentType: document.contentType,
    fileSize: document.sizeBytes,
    status: successful === 0 ? 'failed' : 'completed',
    pageCount: pages,
    successfulPageCount: successful,
    failedPageCount: document.failedPages.length,
    error: document.content?.problem ?? (successful === 0 ? document.pageProblem : null),
    artifacts: artifacts.filter(({ pageNumber }) => pageNumber === null).map(link),
    sheets: sheets.map((page) => sheetPart(document, page, artifacts.filter(({ pageNumber }) => pageNumber === page).map(link))),
    specifications: classification === 'specifications' || classification === 'mixed' ? sectionParts(document) : null,
    docs: ['documents', 'addenda', 'mixed'].includes(classification) ? docParts(document, classification) : null,
  };
}

function sheetPart(document: SimDocument, pageNumber: number, artifacts: object[]): object {
  const [letter, discipline] = new Dice(document.sha256).of(disciplines);
  const dice = new Dice(`${document.sha256} sheet ${pageNumber}`);
  const drawingType = dice.of(drawingTypes);
  return { sheetNumber: `${letter}-${100 + pageNumber}`, sheetName: `${dice.of(sheetNames)} ${drawingType}`, pageNumber, drawingType, discipline, artifacts };
}

function sectionParts(document: SimDocument): object[] {
  return goodPages(document).filter((page) => page % 4 === 1).map((page) => ({
    sectionNumber: `${String(1 + (page % 48)).padStart(2, '0')} ${String(page % 100).padStart(2, '0')} 00`,
    sectionTitle: new Dice(`${document.sha256} section ${page}`).sentence().slice(0, 40),
    pageStart: page,
    pageEnd: Math.min(page + 3, document.donePages),
  }));
}

function docParts(document: SimDocument, docType: string): object[] {
  const pages = goodPages(document);
  return pages.length === 0 ? [] : [{ docType, title: document.fileName, pageStart: pages[0], pageEnd: pages.at(-1) }];
}

function* evidencePages(documents: SimDocument[]): Generator<[SimDocument, number]> {
  for (const document of documents) for (const page of goodPages(document)) yield [document, page];
}

function evidencePart(document: SimDocument, pageNumber: number): string {
  const dice = new Dice(`${document.sha256} evidence ${pageNumber}`);
  const regions = Array.from({ length: 3 + dice.below(6) }, (_, index) => ({
    id: `ev_${document.id.slice(4)}_${pageNumber}_${index + 1}`,
    type: 'region',
    regionType: dice.of(regionTypes),
    documentId: document.id,
    pageNumber,
    text: dice.sentence(),
    displayBox: { left: dice.below(500) / 1000, top: dice.below(500) / 1000, right: 0.5 + dice.below(500) / 1000, bottom: 0.5 + dice.below(500) / 1000 },
  }));
  return regions.map((region) => JSON.stringify(region)).join(',');
}

const fillerText = 'Verify all dimensions on site. '.repeat(Math.ceil((2 * fillerBytes) / 31));

const fillerStart = (number: number): string => `,{"id":"ev_fill_${String(number).padStart(8, '0')}","type":"region","regionType":"note","text":"`;
const fillerEnd = '"}';
const fillerFrame = (number: number): number => fillerStart(number).length + fillerEnd.length;

/** Further evidence of exactly so many bytes, commas included: none, or at least one entry's frame. */
function* filler(bytes: number): Generator<string> {
  let left = bytes;
  for (let number = 1; left > 0; number++) {
    const frame = fillerFrame(number);
    // The last entry takes what would be too little for another one.
    const size = left < fillerBytes + frame ? left : fillerBytes;
    yield fillerStart(number) + fillerText.slice(0, size - frame) + fillerEnd;
    left -= size;
  }
}

function warningPart(document: SimDocument): object {
  return { code: document.content!.problem!.code, message: 'The document was left out.', documentId: document.id, fileName: document.fileName, pageNumber: null };
}

function* errorParts(job: SimJob): Generator<object> {
  for (const document of job.documents) {
    const of = { documentId: document.id, fileName: document.fileName };
    const problem = document.uploadFailure ?? (document.included ? document.content?.problem : null);
    if (problem) yield { ...problem, ...of, pageNumber: null };
    for (const pageNumber of document.failedPages) yield { ...document.pageProblem!, ...of, pageNumber };
  }
}
