import fc from 'fast-check';
import { JsonScanner, NotJsonError, maxDepth, maxKeptText } from '../../../src/activities/archive/json-scanner';
import type { JsonVisitor } from '../../../src/activities/archive/json-scanner';

/** Rebuilds the value, so that places and kinds are checked by comparing with `JSON.parse`. */
class Rebuilder implements JsonVisitor {
  value: unknown;
  private readonly open_: unknown[] = [];

  constructor(private readonly wanted: (depth: number) => boolean = () => true) {}

  open(place: { keys: readonly (string | number)[]; depth: number }, kind: 'object' | 'array'): void {
    const made = kind === 'array' ? [] : {};
    this.put(place, made);
    this.open_.push(made);
  }

  close(): void {
    this.open_.pop();
  }

  wants({ depth }: { depth: number }): boolean {
    return this.wanted(depth);
  }

  scalar(place: { keys: readonly (string | number)[]; depth: number }, value: unknown): void {
    this.put(place, value);
  }

  private put({ keys, depth }: { keys: readonly (string | number)[]; depth: number }, value: unknown): void {
    if (depth === 0) this.value = value;
    else Object.defineProperty(this.open_.at(-1), keys[depth - 1]!, { value, enumerable: true, configurable: true, writable: true });
  }
}

async function scan(bytes: Uint8Array, pieceBytes: number, visitor = new Rebuilder()): Promise<unknown> {
  const scanner = new JsonScanner(visitor);
  for (let at = 0; at < bytes.length; at += pieceBytes) await scanner.write(bytes.subarray(at, at + pieceBytes));
  await scanner.end();
  return visitor.value;
}

test('shows every value of any JSON at its place, however it is cut into pieces', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json({ stringUnit: 'binary' }), fc.integer({ min: 1, max: 40 }), async (json, pieceBytes) => {
      expect(await scan(Buffer.from(json), pieceBytes)).toEqual(JSON.parse(Buffer.from(json).toString()));
    }),
    { numRuns: 150 },
  );
});

test('refuses whatever JSON.parse refuses', async () => {
  const damaged = fc.tuple(fc.json({ maxDepth: 2 }), fc.nat(), fc.constantFrom('', ',', ']', '}', '"', '\n', '0', 'x', ':', '\\', '{', '[')).map(([json, at, put]) => {
    const cut = at % (json.length + 1);
    return json.slice(0, cut) + put + json.slice(cut + 1);
  });
  await fc.assert(
    fc.asyncProperty(damaged, async (json) => {
      let valid = true;
      try {
        JSON.parse(json);
      } catch {
        valid = false;
      }
      const seen = await scan(Buffer.from(json), 7).then(() => true, (error: unknown) => (error instanceof NotJsonError ? false : Promise.reject(error as Error)));
      expect(seen).toBe(valid);
    }),
    { numRuns: 600 },
  );
});

test.each([
  ['nothing', ''],
  ['a web page', '<!DOCTYPE html><html></html>'],
  ['a cut array', '{"a":[1,2'],
  ['a cut text', '{"a":"b'],
  ['a missing last brace', '{"a":{"b":1}'],
  ['a second value', '{} {}'],
  ['a bare word', '{"a":undefined}'],
  ['a raw newline in a text', '{"a":"\n"}'],
  ['a comma at the end', '[1,]'],
  ['a leading zero', '[01]'],
])('refuses %s', async (_, text) => {
  await expect(scan(Buffer.from(text), 5)).rejects.toThrow(NotJsonError);
});

test('refuses bytes that are not UTF-8, also at the very end', async () => {
  await expect(scan(Buffer.from([0x22, 0xff, 0x22]), 1)).rejects.toThrow('UTF-8');
  await expect(scan(Buffer.from([0x22, 0xc3]), 1)).rejects.toThrow('UTF-8');
});

test('reads up to the greatest depth and no deeper', async () => {
  const nested = (levels: number) => Buffer.from('['.repeat(levels) + ']'.repeat(levels));
  await scan(nested(maxDepth), 100);
  await expect(scan(nested(maxDepth + 1), 100)).rejects.toThrow('nested deeper');
});

test('cuts a wanted text that is too long, and keeps nothing of one that is not wanted', async () => {
  const long = Buffer.from(JSON.stringify('é'.repeat(maxKeptText * 3)));
  expect(await scan(long, 1000)).toBe('é'.repeat(maxKeptText));
  expect(await scan(long, 1000, new Rebuilder(() => false))).toBeUndefined();
});

test('passes on what the visitor throws', async () => {
  const visitor = new Rebuilder();
  visitor.open = () => {
    throw new RangeError('enough');
  };
  await expect(scan(Buffer.from('{}'), 2, visitor)).rejects.toThrow(RangeError);
});
