import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, mkdir, open, readFile, rename, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { manifestLineSchema } from '../../src/contract/archive';
import { batchKeys } from '../../src/contract/keys';
import { documentPath } from '../../src/domain/source-path';
import { runCli, startCli, type CliResult } from '../support/cli';
import { startCliStack, type CliStack } from '../support/cli-stack';
import { makePdf, oddlyNamedDocuments, writeDocuments } from '../support/documents';

/** Large enough that neither side's buffers hold it while storage takes no more. */
const largeBytes = 24_000_000;
const stallBytes = 1_000_000;

let stack: CliStack;
let source: string;
beforeAll(async () => {
  stack = await startCliStack({ temporal: {} });
  source = join(stack.folder, 'source');
  await stack.startWorker();
});
afterAll(() => stack.stop());

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** What happens to a document while storage has taken a part of it, and what must become of it. */
const harms: Record<string, { harm: (path: string) => Promise<unknown>; fate: string }> = {
  'left alone.pdf': { harm: () => Promise.resolve(), fate: 'processed' },
  'rewritten.pdf': { harm: rewrite, fate: 'rejected: changed' },
  'cut short.pdf': { harm: (path) => truncate(path, 2 * stallBytes), fate: 'rejected: changed' },
  'grown.pdf': { harm: (path) => appendFile(path, 'more'), fate: 'rejected: changed' },
  // What is open stays what it was, under whatever name.
  'deleted.pdf': { harm: (path) => unlink(path), fate: 'processed' },
  'replaced.pdf': { harm: async (path) => { await writeFile(`${path}.new`, 'another'); await rename(`${path}.new`, path); }, fate: 'processed' },
};

async function rewrite(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(1000, 'z'), 0, 1000, largeBytes - 2000);
  await file.close();
}

/** Names that would speak to a terminal, of things that are no documents. */
const shouts = ['\u001b[31mred\u001b[0m', 'two\nBatch x: completed', '\u001b]0;title\u0007', '\u009b2J', 'gpj\u202efdp'];

async function writeHostileFolder(): Promise<Map<string, string>> {
  const expected = new Map<string, string>();
  await writeDocuments(source, oddlyNamedDocuments());
  for (const { path } of oddlyNamedDocuments()) expected.set(path.toString('latin1'), 'processed');
  await mkdir(join(source, 'large'));
  for (const [at, [name, { fate }]] of Object.entries(harms).entries()) {
    await writeFile(join(source, 'large', name), makePdf({ marker: name, sizeBytes: largeBytes + at }));
    expected.set(`large/${name}`, fate);
  }
  await mkdir(join(source, 'none'));
  for (const name of shouts) {
    execFileSync('mkfifo', [join(source, 'none', name)]);
    expected.set(Buffer.from(`none/${name}`).toString('latin1'), 'rejected: not_a_file');
  }
  await writeFile(join(source, 'none/empty.pdf'), '');
  await symlink('/etc/hostname', join(source, 'none/out.pdf'));
  await symlink('/dev/zero', join(source, 'none/device.pdf'));
  await symlink('nowhere', join(source, 'none/dangling.pdf'));
  await symlink('loop.pdf', join(source, 'none/loop.pdf'));
  await symlink('..', join(source, 'none/up'));
  for (const [name, code] of [['empty.pdf', 'empty'], ['out.pdf', 'outside_source'], ['device.pdf', 'outside_source'], ['dangling.pdf', 'unreadable'], ['loop.pdf', 'unreadable']]) expected.set(`none/${name}`, `rejected: ${code}`);
  return expected;
}

/** Nothing that a terminal obeys but the ends of lines, and no line that a name has made. */
function expectTame({ stdout, stderr }: Pick<CliResult, 'stdout' | 'stderr'>): void {
  for (const text of [stdout, stderr]) {
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    expect(text).not.toMatch(/^Batch x/m);
  }
}

test('a hostile folder, changed while it is uploaded: each input has its line, what was sent is what is written down, and no name speaks to the terminal', async () => {
  const expected = await writeHostileFolder();
  const originals = new Map(await Promise.all(Object.keys(harms).map(async (name) => [`large/${name}`, sha256(await readFile(join(source, 'large', name)))] as const)));

  const [planned, asJson] = await Promise.all([runCli(['plan', source], stack.env), runCli(['plan', source, '--json'], stack.env)]);
  expect(planned).toMatchObject({ code: 0, stderr: '' });
  expect(planned.stdout).toContain('none/\\u001b[31mred\\u001b[0m: is not a regular file');
  expect(planned.stdout).toContain('none/two\\nBatch x: completed: is not a regular file');
  expectTame(planned);
  expect((JSON.parse(asJson.stdout) as { rejections: { source: string }[] }).rejections.map(({ source: path }) => path)).toEqual(expect.arrayContaining(shouts.map((name) => `none/${name}`)));
  expectTame({ stdout: asJson.stdout.trimEnd(), stderr: asJson.stderr });

  // The large ones alone, so that all of them stand still side by side.
  const { faults, counters } = stack.simulator.state;
  faults.add({ kind: 'request', operation: 'putObject', times: 0, stallBytes });
  const large = startCli(['run', join(source, 'large'), '--id', 'large'], stack.env);
  while (counters.bytesReceived < Object.keys(harms).length * stallBytes) await delay(50);
  for (const [name, { harm }] of Object.entries(harms)) await harm(join(source, 'large', name));
  faults.clear();
  const ran = await large.ended;
  expect(ran.code).toBe(3);
  expectTame(ran);
  await expectManifest('large', new Map([...expected].flatMap(([path, fate]) => (path.startsWith('large/') ? [[path.slice(6), fate]] : []))), join(source, 'large'), originals);

  const rest = await runCli(['run', source, '--id', 'rest', '--exclude', 'large/**'], stack.env);
  expect(rest.code).toBe(3);
  await expectManifest('rest', new Map([...expected].filter(([path]) => !path.startsWith('large/'))), source, new Map());
  const asked = [['status', 'rest'], ['verify', 'rest'], ['verify', 'large']];
  for (const result of await Promise.all(asked.map((args) => runCli(args, stack.env)))) {
    expect([result.code, result.stderr]).toEqual([0, '']);
    expectTame(result);
  }
});

async function expectManifest(id: string, expected: Map<string, string>, root: string, originals: Map<string, string>): Promise<void> {
  const text = await readFile(join(stack.archive, batchKeys(id).manifestLines), 'utf8');
  const lines = text.trimEnd().split('\n').map((line) => manifestLineSchema.parse(JSON.parse(line)));
  const paths = lines.map(({ source: path }) => documentPath(root, path).toString('latin1').slice(root.length + 1));
  expect(Object.fromEntries(lines.map(({ outcome, reason }, at) => [paths[at], reason ? `${outcome}: ${reason.code}` : outcome]))).toEqual(Object.fromEntries(expected));
  expect(paths).toHaveLength(expected.size);
  const stored = new Map([...stack.simulator.state.jobs.values()].flatMap(({ documents }) => documents.map((document) => [document.id, document] as const)));
  for (const [at, { outcome, documentId, sha256: digest }] of lines.entries()) {
    if (outcome !== 'processed') continue;
    expect(stored.get(documentId!)).toMatchObject({ included: true, sha256: digest });
    const original = originals.get(`large/${paths[at]}`);
    if (original !== undefined) expect(digest).toBe(original);
  }
}
