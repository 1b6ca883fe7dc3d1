import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const root = resolve(__dirname, '../..');
const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter((file) => file && existsSync(join(root, file)));
const text = (file: string): string => readFileSync(join(root, file), 'utf8');
const isText = (file: string): boolean => !/\.(pdf|png|jpg|zip|ico|gz)$/.test(file);
const code = tracked.filter((file) => /\.(ts|mts|js)$/.test(file));

/** Lines of tracked files in which a pattern is found, as `file:line: found`. */
function findings(pattern: RegExp, files = tracked.filter(isText)): string[] {
  return files.flatMap((file) =>
    text(file).split('\n').flatMap((line, i) => {
      const match = pattern.exec(line);
      return match ? [`${file}:${i + 1}: ${match[0]}`] : [];
    }),
  );
}

/** The words are joined here, so that this file does not contain what it looks for. */
const anyOf = (...words: string[][]): RegExp => new RegExp(words.map((parts) => parts.join('').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'i');

it('knows the tracked files', () => {
  expect(tracked).toContain('package-lock.json');
});

it('no file names a path of one machine', () => {
  expect(findings(anyOf(['/wo', 'rk/'], ['/tmp/', 'bin'], ['/ro', 'ot/'], ['/home', '/'], ['/User', 's/'], ['.lib', 'rary'], ['sha', 'red/']))).toEqual([]);
});

it('no file names the host of a package registry', () => {
  const hosts = [
    ['registry.npm', 'js.org'], ['registry.yarn', 'pkg.com'], ['pypi', '.org'], ['pythonhosted', '.org'], ['deb.debian', '.org'], ['proxy.golang', '.org'],
    ['sum.golang', '.org'], ['crates', '.io'], ['repo.maven', '.apache.org'], ['repo1.maven', '.org'], ['rubygems', '.org'], ['npm.pkg', '.github.com'],
  ];
  expect(findings(anyOf(...hosts))).toEqual([]);
});

it('the lock file holds digests, and no addresses', () => {
  const { packages } = JSON.parse(text('package-lock.json')) as { packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }> };
  const entries = Object.entries(packages).filter(([name]) => name !== '');
  expect(entries.length).toBeGreaterThan(100);
  expect(entries.filter(([, entry]) => entry.resolved !== undefined).map(([name]) => name)).toEqual([]);
  expect(entries.filter(([, entry]) => !entry.integrity).map(([name]) => name)).toEqual([]);
});

it('no file says how or by whom it was made, or refers to a tracker', () => {
  const words = anyOf(['cla', 'ude'], ['chat', 'gpt'], ['open', 'ai'], ['anthro', 'pic'], ['co-', 'pilot'], ['language', ' model'], ['co-authored', '-by'], ['the br', 'ief'], ['the lead', ' ']);
  const written = tracked.filter((file) => isText(file) && file !== 'package-lock.json' && file !== 'LICENSE');
  expect(findings(words, written)).toEqual([]);
  expect(findings(/(?:^|[\s(])#\d{1,4}\b|\bissue \d+\b/i, written)).toEqual([]);
});

it('no file of src has more than 300 lines, no test more than 500', () => {
  const lines = (file: string): number => text(file).replace(/\n$/, '').split('\n').length;
  expect(code.filter((file) => !file.startsWith('test/') && lines(file) > 300)).toEqual([]);
  expect(code.filter((file) => file.startsWith('test/') && lines(file) > 500)).toEqual([]);
});

it('files are kebab-case, and none is a drawer for everything', () => {
  const names = code.map((file) => file.split('/').at(-1)!);
  expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.(ts|mts|js)$/.test(name))).toEqual([]);
  expect(code.filter((file) => /(^|\/)(utils?|helpers?|common|misc)(\/|\.)/.test(file))).toEqual([]);
});

it('a lint rule is switched off only with a reason beside it', () => {
  expect(findings(/(\/\/|\/\*) *(eslint|oxlint)-disable(?!.* -- \w)|@ts-(ignore|nocheck)|@ts-expect-error\s*$/, code)).toEqual([]);
});

it('domain takes the time as a parameter', () => {
  expect(findings(/new Date\(\)/, tracked.filter((file) => file.startsWith('src/domain/')))).toEqual([]);
});

const pages = tracked.filter((file) => file.endsWith('.md'));

it('links between the documents lead to files that exist', () => {
  const broken = pages.flatMap((page) =>
    [...text(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1]!)
      .filter((link) => !/^(https?:|mailto:|#)/.test(link))
      .filter((link) => !existsSync(join(root, dirname(page), link.split('#')[0]!)))
      .map((link) => `${page}: ${link}`),
  );
  expect(broken).toEqual([]);
});

it('links into a document lead to one of its headings', () => {
  const anchors = (page: string): string[] =>
    text(page).split('\n').filter((line) => /^#+ /.test(line)).map((line) => line.replace(/^#+ /, '').toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));
  const broken = pages.flatMap((page) =>
    [...text(page).matchAll(/\]\(([^)\s]*)#([\w-]+)\)/g)]
      .filter(([, file]) => !/^https?:/.test(file!))
      .filter(([, file, anchor]) => !anchors(file ? join(dirname(page), file) : page).includes(anchor!))
      .map((match) => `${page}: ${match[0]}`),
  );
  expect(broken).toEqual([]);
});

it("the README's folder map names what exists", () => {
  const map = /## Folder map\n[\s\S]*?```\n([\s\S]*?)```/.exec(text('README.md'))?.[1] ?? '';
  const entries = map.split('\n').map((line) => line.split(/\s+/)[0]!).filter(Boolean);
  expect(entries.length).toBeGreaterThan(10);
  expect(entries.filter((entry) => !existsSync(join(root, entry)))).toEqual([]);
  expect(entries.filter((entry) => entry.endsWith('/') && !statSync(join(root, entry)).isDirectory())).toEqual([]);
});

it('the changelog has what is unreleased on top', () => {
  expect(/^## (.*)$/m.exec(text('CHANGELOG.md'))?.[1]).toBe('Unreleased');
});

it('CI runs the script that the README gives', () => {
  expect(text('.ci/run')).toContain('scripts/test');
  expect(text('README.md')).toContain('scripts/test');
});
