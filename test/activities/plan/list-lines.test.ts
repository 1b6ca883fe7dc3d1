import fc from 'fast-check';
import { maxListLineBytes, wholeLines } from '../../../src/activities/plan/list-lines';

/** Lines as they come out of chunks; `null` for one that is too long. */
async function linesOf(chunks: Buffer[]): Promise<(string | null)[]> {
  const lines: (string | null)[] = [];
  for await (const some of wholeLines((async function* () { yield* chunks; })())) {
    if (some === null) lines.push(null);
    else lines.push(...some.toString('latin1').split('\n').slice(0, -1));
  }
  return lines;
}

/** The same content in chunks that end at these places. */
function cutAt(content: Buffer, places: number[]): Buffer[] {
  const ends = [...new Set([...places.map((place) => place % (content.length + 1)), content.length])].sort((a, b) => a - b);
  return ends.map((end, at) => content.subarray(ends[at - 1] ?? 0, end));
}

test('lines are the same however they are cut into chunks', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 40 }), fc.array(fc.nat(40), { maxLength: 8 }), async (text, places) => {
      const expected = text.split('\n');
      // A newline at the end begins no line.
      if (expected.at(-1) === '') expected.pop();
      expect(await linesOf(cutAt(Buffer.from(text), places))).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test('a line that is too long is left out, wherever it is and however it is cut', async () => {
  const longest = 'x'.repeat(maxListLineBytes);
  const content = Buffer.from(['a', `${longest}x`, 'b', longest, `${longest}xx`, `${longest}x`, 'c'].join('\n'));
  const size = maxListLineBytes;
  for (const places of [[], [1], [2], [size], [size + 2], [size + 3, size + 4], [3 * size], [1, 100_000, 2 * size, 5 * size]]) {
    expect(await linesOf(cutAt(content, places))).toEqual(['a', null, 'b', longest, null, null, 'c']);
  }
});
