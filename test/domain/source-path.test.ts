import fc from 'fast-check';
import { baseName, documentPath, folderOf, fromText, parsePath, pathBytes, pathText, spellPath } from '../../src/domain/source-path';

const bytePath = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const bytes = (...values: number[]) => Buffer.from(values).toString('latin1');

describe('spellPath', () => {
  it.each([
    ['a plain path', fromText('sheets/A-101 rev 2.pdf'), 'sheets/A-101 rev 2.pdf'],
    ['a percent sign', fromText('100%.pdf'), '100%25.pdf'],
    ['what looks like an escape', fromText('a%20b'), 'a%2520b'],
    ['composed letters', fromText('Größe.pdf'), 'Größe.pdf'],
    ['decomposed letters, kept apart', fromText('Gro\u0308ße.pdf'), 'Gro\u0308ße.pdf'],
    ['Latin-1 bytes', bytes(0x50, 0xe4, 0x6e), 'P%E4n'],
    ['a character that is cut off', bytes(0x61, 0xe2, 0x82), 'a%E2%82'],
    ['an overlong form', bytes(0xc0, 0xaf), '%C0%AF'],
    ['a surrogate as bytes', bytes(0xed, 0xa0, 0x80), '%ED%A0%80'],
    ['the replacement character itself', fromText('\ufffd'), '\ufffd'],
    ['valid and broken side by side', bytes(0xc3, 0xa9, 0xff, 0x25, 0xf0, 0x9f, 0x98, 0x80), 'é%FF%25😀'],
    ['a newline', fromText('two\nlines'), 'two\nlines'],
  ])('spells %s', (_, path, spelling) => {
    expect(spellPath(path)).toBe(spelling);
    expect(parsePath(spelling)).toBe(path);
  });

  it('is read back as the same bytes, and differs for different bytes', () => {
    fc.assert(fc.property(bytePath, (path) => expect(parsePath(spellPath(path))).toBe(path)), { numRuns: 500 });
  });

  it('is valid text', () => {
    fc.assert(fc.property(bytePath, (path) => expect(Buffer.from(spellPath(path)).toString()).toBe(spellPath(path))));
  });
});

describe('parsePath', () => {
  it.each([
    ['100% done.pdf', '100% done.pdf'],
    ['50%zz', '50%zz'],
    ['end%', 'end%'],
    ['a%41%4a', 'aAJ'],
  ])('takes %j for %j', (spelling, path) => expect(parsePath(spelling)).toBe(path));
});

it('joins root and source as bytes', () => {
  expect(documentPath('/data/pläne', 'x%FF/é%25.pdf')).toEqual(
    Buffer.concat([Buffer.from('/data/pläne/x'), Buffer.from([0xff]), Buffer.from('/é%.pdf')]),
  );
  expect(documentPath('/', 'etc/x').toString()).toBe('/etc/x');
});

it('shows paths composed, with a mark where they are no text', () => {
  expect(pathText(fromText('Gro\u0308ße'))).toBe('Größe');
  expect(pathText(bytes(0x61, 0xff))).toBe('a\ufffd');
});

it('takes paths apart', () => {
  expect([baseName('a/b/c'), folderOf('a/b/c'), baseName('c'), folderOf('c')]).toEqual(['c', 'a/b', 'c', '']);
  expect(pathBytes(bytes(0xff, 0x00))).toEqual(Buffer.from([0xff, 0x00]));
});
