import { deflateSync } from 'node:zlib';
import { PageCounter, type PageCount } from '../../src/pdf/page-counter';
import { makePdf } from '../support/documents';

const counter = new PageCounter({ hangMs: 30_000 });
afterAll(() => counter.close());
const count = (bytes: Buffer): Promise<PageCount> => counter.count({ bytes: new Uint8Array(bytes) });

/** A PDF of these objects, from 1, with a right table. */
function pdfOf(objects: (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from('%PDF-1.7\n')];
  const offsets: number[] = [];
  let length = parts[0]!.length;
  const add = (part: Buffer): void => {
    parts.push(part);
    length += part.length;
  };
  for (const [at, object] of objects.entries()) {
    offsets.push(length);
    add(Buffer.concat([Buffer.from(`${at + 1} 0 obj\n`), Buffer.from(object), Buffer.from('\nendobj\n')]));
  }
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  add(Buffer.from(`xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${length}\n%%EOF\n`));
  return Buffer.concat(parts);
}

/** Its objects are in a stream that grows ten thousand times and more when it is unpacked. */
function bomb(): Buffer {
  const stream = deflateSync(deflateSync(Buffer.alloc(100_000_000)));
  const packed = Buffer.concat([Buffer.from(`<< /Type /ObjStm /N 1 /First 10 /Filter [/FlateDecode /FlateDecode] /Length ${stream.length} >>\nstream\n`), stream, Buffer.from('\nendstream')]);
  const entries = Buffer.from([0, 0, 0, 0, 2, 0, 3, 0, 2, 0, 3, 0, 1, 0, 9, 0]);
  const start = Buffer.concat([Buffer.from('%PDF-1.7\n3 0 obj\n'), packed, Buffer.from('\nendobj\n')]);
  const table = Buffer.concat([Buffer.from(`4 0 obj\n<< /Type /XRef /Size 4 /W [1 2 1] /Root 1 0 R /Length ${entries.length} >>\nstream\n`), entries, Buffer.from('\nendstream\nendobj\n')]);
  return Buffer.concat([start, table, Buffer.from(`startxref\n${start.length}\n%%EOF\n`)]);
}

const pages = (kids: string, many: number, parent = ''): string => `<< /Type /Pages /Kids [${kids}] /Count ${many} ${parent} >>`;
const leaf = (parent: number): string => `<< /Type /Page /Parent ${parent} 0 R /MediaBox [0 0 9 9] >>`;

const hostile: Record<string, () => Buffer> = {
  'a bomb': bomb,
  'a tree that is its own child': () => pdfOf(['<< /Type /Catalog /Pages 2 0 R >>', pages('2 0 R 2 0 R', 1_000_000)]),
  'a tree in a circle': () => pdfOf(['<< /Type /Catalog /Pages 2 0 R >>', pages('3 0 R', 20_000), pages('4 0 R', 20_000, '/Parent 2 0 R'), pages('2 0 R', 20_000, '/Parent 3 0 R')]),
  'a catalog that is its own pages': () => pdfOf(['<< /Type /Catalog /Pages 1 0 R /Kids [1 0 R] /Count 20000 >>']),
  'a tree of 20,000 levels': () => pdfOf(['<< /Type /Catalog /Pages 2 0 R >>', ...Array.from({ length: 20_000 }, (_, at) => pages(`${at + 3} 0 R`, 20_000)), leaf(20_001)]),
  'a million false children': () => pdfOf(['<< /Type /Catalog /Pages 2 0 R >>', pages('3 0 R '.repeat(1_000_000), 1_000_000), leaf(2)]),
  'brackets of great depth': () => pdfOf([`<< /Type /Catalog /Pages 2 0 R /X ${'['.repeat(200_000)}${']'.repeat(200_000)} >>`, pages('3 0 R', 1), leaf(2)]),
  'a length that refers to itself': () => pdfOf(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Length 2 0 R >>\nstream\nx\nendstream']),
  'a count beyond numbers': () => pdfOf(['<< /Type /Catalog /Pages 2 0 R >>', pages('3 0 R', Number.MAX_SAFE_INTEGER), leaf(2)]),
};

test.each(Object.keys(hostile))('%s gets an answer, and the next document is counted', async (what) => {
  const answer = await count(hostile[what]!());
  // Whatever PDFium makes of it: a number that planning can live with, or a problem.
  if ('pages' in answer) expect(answer.pages).toBeLessThanOrEqual(1_000_000);
  else expect(['damaged', 'encrypted', 'not_pdf']).toContain(answer.problem);
  expect(await count(makePdf({ pages: 3 }))).toEqual({ pages: 3 });
});

test('a document that is cut off anywhere gets an answer', async () => {
  const whole = makePdf({ pages: 5, marker: 'cut' });
  for (let length = 0; length < whole.length; length += 97) {
    const answer = await count(whole.subarray(0, length));
    expect([1, 2, 3, 4, 5, 'damaged', 'not_pdf']).toContain('pages' in answer ? answer.pages : answer.problem);
  }
});
