import fc from 'fast-check';
import { JobNames, maxNameBytes, sendableName } from '../../src/domain/file-name';

describe('sendableName', () => {
  it.each([
    ['A-101.pdf', 'A-101.pdf'],
    ['Gro\u0308ße.pdf', 'Größe.pdf'],
    ['two\nlines\t.pdf', 'two_lines_.pdf'],
    ['a/b\\c:d*e?f"g<h>i|j.pdf', 'a_b_c_d_e_f_g_h_i_j.pdf'],
    ['100% of 3\' & "x".pdf', "100% of 3' & _x_.pdf"],
    ['caf\ufffd.pdf', 'caf_.pdf'],
    ['gpj\u202efdp.exe', 'gpj_fdp.exe'],
    ['\ud800.pdf', '_.pdf'],
    ['.', '_'],
    ['..', '_'],
    ['   ', '_'],
    ['', '_'],
    ['.hidden', '.hidden'],
    ['👷‍♀️ site.pdf', '👷‍♀️ site.pdf'],
  ])('makes %j %j', (name, sendable) => expect(sendableName(name)).toBe(sendable));

  it('shortens the stem and keeps the extension', () => {
    const name = sendableName(`${'ä'.repeat(300)}.pdf`);
    expect(name).toBe(`${'ä'.repeat(98)}.pdf`);
    expect(sendableName(`${'x'.repeat(251)}.pdf`)).toBe(`${'x'.repeat(196)}.pdf`);
    expect(sendableName(`x.${'y'.repeat(250)}`)).toBe(`x.${'y'.repeat(198)}`);
  });

  it('is safe, short and stable for any name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (name) => {
        const sendable = sendableName(name);
        expect(Buffer.byteLength(sendable)).toBeLessThanOrEqual(maxNameBytes);
        expect(sendable).not.toMatch(/[\p{Cc}\p{Cs}/\\"]/u);
        expect(sendable).not.toBe('');
        expect(sendableName(sendable)).toBe(sendable);
      }),
      { numRuns: 500 },
    );
  });
});

describe('JobNames', () => {
  const take = (...names: string[]) => {
    const job = new JobNames();
    return names.map((name) => job.take(name));
  };

  it('numbers names that repeat, whatever their case', () => {
    expect(take('a.pdf', 'A.PDF', 'a.pdf', 'b.pdf')).toEqual(['a.pdf', 'A (2).PDF', 'a (3).pdf', 'b.pdf']);
    expect(take('STRASSE', 'straße')).toEqual(['STRASSE', 'straße (2)']);
    expect(take('noext', 'noext')).toEqual(['noext', 'noext (2)']);
  });

  it('passes over a number that is taken', () => {
    expect(take('a (2).pdf', 'a.pdf', 'a.pdf')).toEqual(['a (2).pdf', 'a.pdf', 'a (3).pdf']);
  });

  it('makes room for the number in a long name', () => {
    const [, second] = take(`${'x'.repeat(196)}.pdf`, `${'x'.repeat(196)}.pdf`);
    expect(second).toBe(`${'x'.repeat(192)} (2).pdf`);
  });

  it('never gives a name twice', () => {
    const name = fc.constantFrom('a.pdf', 'A.pdf', 'a (2).pdf', 'ä.pdf', 'Ä.pdf', `${'x'.repeat(196)}.pdf`, `${'X'.repeat(196)}.pdf`);
    fc.assert(
      fc.property(fc.array(name, { maxLength: 100 }), (names) => {
        const given = take(...names);
        expect(new Set(given.map((each) => each.toLowerCase())).size).toBe(names.length);
        for (const each of given) expect(Buffer.byteLength(each)).toBeLessThanOrEqual(maxNameBytes);
      }),
    );
  });

  it('tells any names apart, however they differ, also where case and composition do not count', () => {
    const piece = fc.constantFrom('a', 'A', 'ä', 'a\u0308', 'Ä', 'ß', 'ss', 'SS', 'ς', 'σ', 'Σ', 'İ', 'i\u0307', 'ﬁ', 'fi', '\u200b', '\u202e', '\n', '/', ':', ' ', '.', ' (2)', 'CON', '.pdf', '👷', '\ud800', 'x'.repeat(120));
    const name = fc.oneof(fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join('')), fc.string({ unit: 'binary', maxLength: 12 }));
    fc.assert(
      fc.property(fc.array(name, { maxLength: 60 }), (names) => {
        const given = take(...names.map(sendableName));
        expect(new Set(given.map((each) => each.normalize('NFC').toUpperCase().toLowerCase())).size).toBe(names.length);
        expect(new Set(given.map((each) => each.normalize('NFC').toLowerCase())).size).toBe(names.length);
        for (const each of given) {
          expect(Buffer.byteLength(each)).toBeLessThanOrEqual(maxNameBytes);
          expect(each).not.toMatch(/[\p{Cc}\p{Cs}/\\:"\u202a-\u202e]/u);
        }
      }),
      { numRuns: 300 },
    );
  });
});
