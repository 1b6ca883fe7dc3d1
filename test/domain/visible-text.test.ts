import fc from 'fast-check';
import { visibleJson, visibleLines, visibleText } from '../../src/domain/visible-text';

it.each([
  ['plain.pdf', 'plain.pdf'],
  ['Größe 建筑 👷‍♀️.pdf', 'Größe 建筑 👷‍♀️.pdf'],
  ['two\nlines\tand\rmore', 'two\\nlines\\tand\\rmore'],
  ['\u001b[31mred\u001b[0m', '\\u001b[31mred\\u001b[0m'],
  ['\u009b2J', '\\u009b2J'],
  ['\u001b]0;title\u0007', '\\u001b]0;title\\u0007'],
  ['gpj\u202efdp.exe', 'gpj\\u202efdp.exe'],
  ['a\u200b.pdf', 'a\\u200b.pdf'],
  ['\ud800', '\\ud800'],
  ['\u{e0041}', '\\udb40\\udc41'],
  ['\u2028', '\\u2028'],
])('%j is shown as %j', (text, shown) => expect(visibleText(text)).toBe(shown));

it('leaves nothing that a terminal obeys, whatever the text', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => expect(visibleText(text)).not.toMatch(/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u)));
});

it('keeps the lines of several', () => {
  expect(visibleLines('a\u0007\nb\r\n')).toBe('a\\u0007\nb\\r\n');
});

it('makes JSON that means the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = visibleJson(`${JSON.stringify({ text })}\n`);
      expect(JSON.parse(shown)).toEqual({ text });
      expect(shown.slice(0, -1)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});
