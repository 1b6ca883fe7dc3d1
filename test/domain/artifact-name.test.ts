import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { artifactName, maxArtifactNameBytes } from '../../src/domain/artifact-name';

const digest = (text: string): string => BigInt(`0x${createHash('sha256').update(text).digest('hex').slice(0, 32)}`).toString(36).padStart(25, '0');
const nameOf = (path: string): string => artifactName(path, digest);

describe('artifactName', () => {
  test.each(['r/a1.png', 'a1.png', 'jobs/job_1/doc_2/page-0001.thumb.webp', '0/1/2/3.json'])('keeps the plain path %s', (path) => {
    expect(nameOf(path)).toBe(path);
  });

  test.each([
    ['R/Sheet A-101.PDF', /^R~[a-z0-9]{25}\/Sheet_A-101~[a-z0-9]{25}\.PDF$/],
    ['../../etc/passwd', /^__~[a-z0-9]{25}\/__~[a-z0-9]{25}\/etc\/passwd~[a-z0-9]{25}$/],
    ['/etc/passwd', /^_~[a-z0-9]{25}\/etc\/passwd~[a-z0-9]{25}$/],
    ['C:\\windows\\x.dll', /^C__windows_x~[a-z0-9]{25}\.dll$/],
    ['a\0.png', /^a_~[a-z0-9]{25}\.png$/],
    ['con.tar.gz', /^con_tar~[a-z0-9]{25}\.gz$/],
    ['aux/x.png', /^aux~[a-z0-9]{25}\/x\.png$/],
    ['.hidden', /^_hidden~[a-z0-9]{25}$/],
    ['trailing.', /^trailing_~[a-z0-9]{25}$/],
    ['', /^_~[a-z0-9]{25}$/],
    ['..', /^__~[a-z0-9]{25}$/],
    ['e\u0301.png', /^e_~[a-z0-9]{25}\.png$/],
  ])('makes %j safe', (path, expected) => {
    expect(nameOf(path)).toMatch(expected);
  });

  test.each([
    ['deep', `${'d/'.repeat(300)}x.png`, /^x~[a-z0-9]{25}\.png$/],
    ['long', `${'x'.repeat(5000)}.png`, /^x{80}~[a-z0-9]{25}\.png$/],
    ['long in its extension', `a.${'e'.repeat(300)}`, /^a_e{78}~[a-z0-9]{25}$/],
  ])('cuts what is too %s', (_, path, expected) => {
    expect(nameOf(path)).toMatch(expected);
  });

  test('keeps apart what a file system may take for one', () => {
    const twins = ['a/b.png', 'A/b.png', 'a/B.png', 'a//b.png', './a/b.png', 'a/./b.png', 'a/b.png/', 'a\\b.png', 'a/x/../b.png', 'a/é.png', 'a/e\u0301.png', 'a', 'a/', 'a/b', 'a.png', 'a.png/b.png', 'a_', 'a?', 'a*', 'ſ.png', 's.png', 'K.png', 'k.png'];
    const seen = twins.map((path) => nameOf(path).normalize('NFC').toLowerCase());
    expect(new Set(seen).size).toBe(twins.length);
  });
});

/** Paths that look like real ones, and paths made to break things. */
const nasty = fc.constantFrom('..', '.', '', 'CON', 'nul.txt', 'com1', 'a', 'A', 'a.png', 'A.png', 'é', 'e\u0301', '\0', 'C:', '\\', ' ', 'x.', '~', 'a~b', '%2e%2e', '\u202e', '𝕏', 'ﬁ', 'ß', 'SS', 'x'.repeat(300), '\ud800');
const anyPath = fc.oneof(
  fc.array(fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 8 }), fc.stringMatching(/^[a-z0-9]{1,3}(\.[a-z]{1,3})?$/)), { minLength: 1, maxLength: 12 }).map((parts) => parts.join('/')),
  fc.string({ unit: 'binary', maxLength: 400 }),
);

describe('artifactName, for any path', () => {
  test('gives a contained name that every system takes', () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        const name = nameOf(path);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(maxArtifactNameBytes);
        for (const part of name.split('/')) {
          expect(part).toMatch(/^[A-Za-z0-9_~-][A-Za-z0-9_.~-]*$/);
          expect(part).not.toMatch(/\.$/);
          expect(part).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\.|$)/i);
          expect(part).not.toContain('..');
        }
        expect(nameOf(path)).toBe(name);
      }),
      { numRuns: 1000 },
    );
  });

  test('gives different names to different paths, none of which is the folder of another', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyPath, { minLength: 2, maxLength: 40, selector: (path) => Buffer.from(path).toString() }), (paths) => {
        const names = paths.map((path) => nameOf(path).toLowerCase());
        expect(new Set(names).size).toBe(paths.length);
        const folders = new Set(names.flatMap((name) => name.split('/').slice(0, -1).map((_, depth, all) => all.slice(0, depth + 1).join('/'))));
        for (const name of names) expect(folders.has(name)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});
