import { compileGlob } from '../../src/activities/plan/globs';
import { classifier, selection } from '../../src/domain/classify';

describe('classifier', () => {
  it('takes the first rule that matches', () => {
    const classify = classifier(
      [
        { glob: '**/addend*/**', classification: 'addenda' },
        { glob: 'specs/**', classification: 'specifications' },
        { glob: '**/*.pdf', classification: 'plans' },
      ],
      compileGlob,
    );
    expect(classify('specs/addendum 1/a.pdf')).toBe('addenda');
    expect(classify('specs/a.pdf')).toBe('specifications');
    expect(classify('.hidden/a.pdf')).toBe('plans');
    expect(classify('a.PDF')).toBeNull();
  });
});

describe('selection', () => {
  it('selects everything by default', () => {
    const { selects, everything } = selection([], [], compileGlob);
    expect([selects('.x/y'), everything]).toEqual([true, true]);
  });

  it.each([
    ['*.pdf', 'a.pdf', true],
    ['*.pdf', 'x/a.pdf', false],
    ['**/*.pdf', 'a.pdf', true],
    ['**/*.pdf', 'x/.y/a.pdf', true],
    ['**/*.pdf', 'two\nlines/a\nb.pdf', true],
    ['**/*.{pdf,tif}', 'a.tif', true],
    ['Größe/**', 'Größe/a', true],
    ['Gro\u0308ße/**', 'Größe/a', true],
    ['a?.pdf', 'a\ufffd.pdf', true],
  ])('include %j: %j is %s', (glob, path, selected) => expect(selection([glob], [], compileGlob).selects(path)).toBe(selected));

  it('takes out what is excluded', () => {
    const { selects, excludes, everything } = selection(['**/*.pdf'], ['old/**', '**/draft*'], compileGlob);
    expect(['a.pdf', 'old/a.pdf', 'x/draft 1.pdf', 'a.doc'].map(selects)).toEqual([true, false, false, false]);
    expect([excludes('old/x'), excludes('a.doc'), everything]).toEqual([true, false, false]);
  });
});
