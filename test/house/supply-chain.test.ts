import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { promisify } from 'node:util';
import { answered, readAdvisories } from '../../scripts/supply-chain/advisories';
import { bundledLicences } from '../../scripts/supply-chain/bundled-licences';
import { judge, uselessReadings } from '../../scripts/supply-chain/licence-rules';
import { lockedPackages, type LockedPackage } from '../../scripts/supply-chain/lock-file';

const root = resolve(__dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
let packages: LockedPackage[];

beforeAll(async () => {
  packages = await lockedPackages(root);
});

describe('licences', () => {
  it('of all packages are compatible with Apache-2.0', () => {
    expect(packages.length).toBeGreaterThan(100);
    expect(packages.filter((one) => !judge(one).fits).map(({ path, licence }) => `${path}: ${licence}`)).toEqual([]);
    expect(uselessReadings(packages)).toEqual([]);
  });

  it.each([
    ['MIT', true],
    ['Apache-2.0 AND MIT', true],
    ['(GPL-3.0-only OR MIT)', true],
    ['GPL-3.0-only', false],
    ['MIT AND GPL-2.0-or-later', false],
    ['AGPL-3.0-only', false],
    ['LGPL-3.0-or-later', false],
    ['CC-BY-NC-4.0', false],
    ['SEE LICENSE IN EULA.txt', false],
    ['UNLICENSED', false],
    ['', false],
    [null, false],
  ])('%j fits: %s', (licence, fits) => {
    expect(judge({ name: 'some-package', licence }).fits).toBe(fits);
  });

  it('of packages that state none are those of their files', () => {
    for (const { path, name, licence } of packages.filter((one) => one.licence === null && existsSync(join(root, one.path)))) {
      const file = read(`${path}/LICENSE`);
      expect([name, licence, judge({ name, licence }).licence]).toEqual([name, null, file.includes('free and unencumbered') ? 'Unlicense' : 'MIT']);
      expect(file).toMatch(/MIT License|free and unencumbered/);
    }
  });
});

it('what the workflow bundle holds of other packages comes with their licences', async () => {
  const map = (sources: string[]): string => `code //# sourceMappingURL=data:application/json;charset=utf-8;base64,${Buffer.from(JSON.stringify({ sources })).toString('base64')}`;
  const text = await bundledLicences(map([join(root, 'src/workflows/job.ts'), join(root, 'node_modules/ms/dist/index.cjs'), join(root, 'node_modules/@temporalio/workflow/lib/a.js'), join(root, 'node_modules/ms/dist/b.cjs')]), root);
  expect(text.match(/^## .*$/gm)).toEqual([expect.stringMatching(/^## @temporalio\/workflow \d/), expect.stringMatching(/^## ms \d/)]);
  expect(text.match(/permission/gi)?.length).toBeGreaterThan(1);
  await expect(bundledLicences('code', root)).rejects.toThrow('source map');
});

describe('installation', () => {
  it('runs no script of a package: none is needed', () => {
    // Everything else here is built and tested with what such an installation leaves.
    expect(read('.npmrc')).toContain('ignore-scripts=true\n');
    expect(packages.filter(({ installScript }) => installScript).map(({ name }) => name)).toContain('esbuild');
    expect(execFileSync('npm', ['config', 'get', 'ignore-scripts'], { cwd: root, encoding: 'utf8' }).trim()).toBe('true');
  });

  it('takes nothing whose digest the lock file does not hold', () => {
    expect(packages.filter(({ integrity }) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? '')).map(({ path }) => path)).toEqual([]);
  });
});

it('the bill of materials has every package in use once, with its digest and its licence, and no other', async () => {
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'sbom'], { cwd: root, maxBuffer: 64 * 2 ** 20 });
  const bom = JSON.parse(stdout) as {
    bomFormat: string;
    metadata: { component: { name: string; 'bom-ref': string } };
    components: { name: string; version: string; 'bom-ref': string; hashes: { alg: string; content: string }[]; licenses?: object[] }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  expect([bom.bomFormat, bom.metadata.component.name]).toEqual(['CycloneDX', 'plangrep-batch']);
  const installed = packages.filter(({ dev, path }) => !dev && existsSync(join(root, path)));
  const label = ({ name, version }: { name: string; version: string }): string => `${name}@${version}`;
  expect(bom.components.map(label).sort()).toEqual([...new Set(installed.map(label))].sort());
  const digest = (integrity: string): string => Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
  const digests = new Set(installed.map(({ integrity }) => digest(integrity!)));
  expect(bom.components.filter(({ hashes }) => !digests.has(hashes.find(({ alg }) => alg === 'SHA-512')?.content ?? '')).map(label)).toEqual([]);
  expect(bom.components.filter(({ licenses = [] }) => licenses.length === 0).map(({ name }) => name)).toEqual(['unionfs']);
  // Whoever follows the dependencies from the project on meets all of them.
  const next = new Map(bom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  const met = new Set([bom.metadata.component['bom-ref']]);
  for (const ref of met) for (const other of next.get(ref) ?? []) met.add(other);
  expect(bom.components.map((component) => component['bom-ref']).filter((ref) => !met.has(ref))).toEqual([]);
});

/** A registry that knows of these weaknesses, or of no such question. */
async function startRegistry(known: Record<string, object[]> | null): Promise<{ server: Server; url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => {
      const body = Buffer.concat(pieces);
      asked.push((request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString());
      const answers = known !== null && request.url === '/-/npm/v1/security/advisories/bulk';
      response.writeHead(answers ? 200 : 405, { 'content-type': 'application/json' }).end(JSON.stringify(answers ? known : {}));
    });
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  return { server, asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

function audit(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn('npm', ['run', '--silent', 'audit', '--', ...args], { cwd: root });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((ended) => child.once('close', (code) => ended({ code, output })));
}

describe('known weaknesses', () => {
  const weakness = { id: 1, url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc', title: 'Reads too much', severity: 'high', vulnerable_versions: '*' };

  it.each([
    ['none', {}, 0, 'No known weaknesses.'],
    ['one without an answer', { undici: [weakness] }, 1, 'GHSA-aaaa-bbbb-cccc high undici: Reads too much\n1 known weaknesses, 1 of them without an answer.'],
    ['of another package', { 'no-package-of-ours': [weakness] }, 0, 'No known weaknesses.'],
    ['a registry that does not say', null, 4, 'The registry does not say which weaknesses are known: '],
  ])('%s', async (_name, known, code, text) => {
    const { server, url, asked } = await startRegistry(known);
    const result = await audit('--registry', url);
    server.close();
    expect([result.code, result.output]).toEqual([code, expect.stringContaining(text)]);
    expect(asked[0]).toContain('"undici":');
  });

  it('are no failure where nobody can say and that was allowed', async () => {
    const { server, url } = await startRegistry(null);
    const { code } = await audit('--registry', url, '--when-possible');
    server.close();
    expect(code).toBe(0);
  });

  it('are each answered in a decision record that names them', () => {
    for (const [id, record] of Object.entries(answered)) expect(read(record)).toContain(id);
    expect(readAdvisories('{"message": "405"}')).toBeNull();
  });
});
