import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Output } from '../../src/cli/output';
import { plan } from '../../src/cli/plan';
import type { InputFlags } from '../../src/cli/input-flags';
import { makePdf } from '../support/documents';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plangrep-plan-'));
  await writeFile(join(folder, 'a.pdf'), makePdf({ pages: 3, marker: 'a' }));
  await writeFile(join(folder, 'b.txt'), 'no pages to count');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the command answers. */
async function answer(flags: InputFlags, json: boolean): Promise<string> {
  let text = '';
  const sink = () => new Writable({ write: (chunk: Buffer, _encoding, done) => { text += chunk.toString(); done(); } });
  expect(await plan(folder, flags, new Output(json, sink(), new Writable({ write: (_chunk, _encoding, done) => done() })))).toBe(0);
  return text;
}

test('a plan says what its estimate leaves out, and when a batch would be refused for its cost', async () => {
  const text = await answer({ maxCredits: 29, skipProcessed: true }, false);
  expect(text).toContain('3 to 30, by what the pages turn out to be; without 1 document whose pages cannot be counted');
  expect(text).toContain('A batch would fail at its start: 3 pages can cost 3 to 30 credits, more than the 29 that maxCredits allows');
  expect(text).toContain('Documents that earlier batches processed are in this plan; a batch looks them up and skips them.');
  expect(await answer({}, false)).not.toContain('would fail');
});

test('the same as JSON', async () => {
  expect(JSON.parse(await answer({ maxCredits: 29 }, true))).toMatchObject({ documents: 2, pages: 3, uncounted: 1, credits: { min: 3, max: 30 }, overMaxCredits: true });
  expect(JSON.parse(await answer({ maxCredits: 30 }, true))).toMatchObject({ overMaxCredits: false });
});
