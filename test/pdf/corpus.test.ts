import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { ensurePythonTools } from '../../scripts/python-tools';
import { ensurePdfinfo } from '../../scripts/system-tools';
import { closePageCounter, countPages, type PageCount } from '../../src/pdf/page-count';
import { askPdfinfo, type PdfinfoAnswer } from '../support/pdfinfo';

/** Written by this test with PDFINFO_RECORD=1: for each document, how many pages it was made with and what pdfinfo said. */
const recordPath = join(__dirname, 'corpus.json');
const examples = join(__dirname, '../../examples/harbour-annex');
interface Recorded {
  pdfinfo: string;
  documents: Record<string, { made: number | null; pdfinfo: PdfinfoAnswer }>;
}

/** Where PDFium and pdfinfo differ, with reasons. Everything not named here has to agree. */
const differences: Record<string, { ours: number | 'not_pdf'; because: string }> = {
  'tree-count-zero': { ours: 5, because: 'pdfinfo refuses a page tree whose count is not positive; PDFium then counts the pages' },
  'tree-count-negative': { ours: 5, because: 'as tree-count-zero' },
  'tree-count-missing': { ours: 5, because: 'as tree-count-zero' },
  'tree-count-a-name': { ours: 5, because: 'as tree-count-zero' },
  'broken-startxref-elsewhere-packed': { ours: 7, because: 'only PDFium rebuilds the table of a file whose objects are in object streams' },
  'broken-table-stream-zeroed': { ours: 7, because: 'as broken-startxref-elsewhere-packed' },
  'garbage-before-5000': { ours: 'not_pdf', because: 'PDFium, like most readers, wants the header within the first 1,024 bytes' },
  'header-missing': { ours: 'not_pdf', because: 'as garbage-before-5000' },
};

/** Where both believe the page tree's own count although it is false: its kids are fewer or more. */
const falseCounts: Record<string, number> = { 'tree-count-too-large': 8, 'tree-count-too-small': 3, 'tree-kid-missing': 6, 'tree-kid-null': 6 };

/** What nobody can count, though pages are in it: the count it gives is beyond belief. */
const uncounted = ['tree-count-absurd'];

let folder = '';
let made: Record<string, number | null> = {};
let recorded: Recorded;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pdf-corpus-'));
  const { python, env } = await ensurePythonTools(['pikepdf', 'reportlab']);
  await promisify(execFile)(python, ['-W', 'ignore', join(__dirname, '../../scripts/make-pdf-corpus.py'), folder], { env });
  made = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as typeof made;
  for (const path of await readdir(examples, { recursive: true })) {
    if (!path.endsWith('.pdf')) continue;
    const name = `pdfkit-${basename(path, '.pdf').replaceAll(' ', '-')}`;
    await cp(join(examples, path), join(folder, `${name}.pdf`));
    // Their generator's own test says how many pages they have.
    made[name] = null;
  }
  if (process.env['PDFINFO_RECORD'] === '1') await record();
  recorded = JSON.parse(await readFile(recordPath, 'utf8')) as Recorded;
});

afterAll(async () => {
  await closePageCounter();
  await rm(folder, { recursive: true, force: true });
});

async function record(): Promise<void> {
  const pdfinfo = await ensurePdfinfo();
  if (pdfinfo === null) throw new Error('PDFINFO_RECORD=1 needs pdfinfo on the PATH');
  const documents: Recorded['documents'] = {};
  for (const [name, pages] of Object.entries(made)) documents[name] = { made: pages, pdfinfo: await askPdfinfo(join(folder, `${name}.pdf`)) };
  await writeFile(recordPath, `${JSON.stringify({ pdfinfo, documents }, null, 1)}\n`);
}

function answerOf(count: PageCount): number | string {
  return 'pages' in count ? count.pages : count.problem;
}

/** Our answers, to be compared as a whole so that a failure names every document at once. */
async function countAll(): Promise<Record<string, number | string>> {
  const answers: Record<string, number | string> = {};
  for (const name of Object.keys(made)) answers[name] = answerOf(await countPages(join(folder, `${name}.pdf`)));
  return answers;
}

test('the record is of these documents', async () => {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.pdf')).length;
  expect(files).toBeGreaterThanOrEqual(100);
  expect(Object.fromEntries(Object.entries(recorded.documents).map(([name, entry]) => [name, entry.made]))).toEqual(made);
});

test('agrees with the recorded answers of pdfinfo, but for the differences explained', async () => {
  const expected: Record<string, unknown> = {};
  for (const [name, { pdfinfo }] of Object.entries(recorded.documents)) {
    const unreadable = expect.stringMatching(name.startsWith('not-') ? 'not_pdf' : 'damaged');
    expected[name] = differences[name]?.ours ?? (pdfinfo === 'error' ? unreadable : pdfinfo);
  }
  expect(await countAll()).toEqual(expected);
});

test('finds the pages that were made, but for false counts', async () => {
  const answers = await countAll();
  const expected: Record<string, unknown> = {};
  for (const [name, pages] of Object.entries(made)) {
    expected[name] = falseCounts[name] ?? (pages === null || uncounted.includes(name) || differences[name]?.ours === 'not_pdf' ? answers[name] : pages);
  }
  expect(answers).toEqual(expected);
  expect(uncounted.map((name) => answers[name])).toEqual(['damaged']);
});

test('the pdfinfo of this machine, when there is one, still says what was recorded', async () => {
  const counted = Object.entries(recorded.documents).filter(([, { pdfinfo }]) => pdfinfo !== 'error');
  expect(counted.length).toBeGreaterThanOrEqual(50);
  // Later versions may learn to read more of what is broken, so only its answers are compared, not its refusals.
  if ((await ensurePdfinfo()) === null) return;
  const live = await Promise.all(counted.map(async ([name]) => [name, await askPdfinfo(join(folder, `${name}.pdf`))] as const));
  expect(Object.fromEntries(live)).toEqual(Object.fromEntries(counted.map(([name, { pdfinfo }]) => [name, pdfinfo])));
});
