import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { z } from 'zod';
import { FolderStore } from '../../src/store/folder';
import { BrokenFileError, findJson, jsonLines, jsonText, maxLineBytes, readBytes, readJson, readJsonLines, splitLines } from '../../src/store/jsonl';

let root: string;
let store: FolderStore;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'jsonl-'));
  store = new FolderStore(root);
});
afterAll(() => rm(root, { recursive: true, force: true }));

const schema = z.object({ seq: z.number().int(), name: z.string() });
async function all<T>(objects: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const object of objects) found.push(object);
  return found;
}

test('objects come back as they were written', async () => {
  const objects = Array.from({ length: 5_000 }, (_, i) => ({ seq: i + 1, name: `Zeichnung ${i}\nÄ \u2028 \u{1F4C4}` }));
  await store.write('a.jsonl', jsonLines(objects));
  expect(await all(readJsonLines(store, 'a.jsonl', schema))).toEqual(objects);
  await store.write('empty.jsonl', jsonLines([]));
  expect(await all(readJsonLines(store, 'empty.jsonl', schema))).toEqual([]);
});

test('a range of whole lines is read alone', async () => {
  const lines = ['{"seq":1,"name":"a"}\n', '{"seq":2,"name":"ä"}\n', '{"seq":3,"name":"c"}\n'];
  await store.write('b.jsonl', lines.join(''));
  const offset = Buffer.byteLength(lines[0]!);
  const length = Buffer.byteLength(lines[1]!);
  expect(await all(readJsonLines(store, 'b.jsonl', schema, { offset, length }))).toEqual([{ seq: 2, name: 'ä' }]);
  expect(await all(readJsonLines(store, 'b.jsonl', schema, { offset, length: 0 }))).toEqual([]);
});

test.each([
  ['no JSON', '{"seq":1,"name":"a"}\n{"seq":2,"na\n', 'c.jsonl line 2: is not JSON'],
  ['an empty line', '{"seq":1,"name":"a"}\n\n{"seq":2,"name":"b"}\n', 'c.jsonl line 2: is not JSON'],
  ['a wrong field', '{"seq":1,"name":"a"}\n{"seq":2,"name":"a"}\n{"seq":1.5,"name":7}', 'c.jsonl line 3: seq: '],
  ['another value', '"token"\n', 'c.jsonl line 1: the value: '],
])('%s is named by key and line, after the lines before it', async (_, content, message) => {
  await store.write('c.jsonl', content);
  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const object of readJsonLines(store, 'c.jsonl', schema)) seen.push(object);
  })();
  await expect(reading).rejects.toThrow(message);
  await expect(reading).rejects.toBeInstanceOf(BrokenFileError);
  await expect(reading).rejects.not.toThrow('token');
  expect(seen).toHaveLength(content.split('\n').findIndex((line) => !schema.safeParse(tolerant(line)).success));
});
function tolerant(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

test('lines do not depend on where the chunks end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ' ')), { minLength: 1 }), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), async (lines, sizes) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      async function* chunks() {
        for (let at = 0, i = 0; at < bytes.length; i += 1) {
          const size = sizes[i % sizes.length]!;
          yield await Promise.resolve(bytes.subarray(at, at + size));
          at += size;
        }
      }
      const split = (await all(splitLines(chunks(), 'x'))).map((line) => line.toString());
      expect(split).toEqual(lines.map((line) => Buffer.from(line).toString()));
    }),
  );
});

test('the last line may lack its newline', async () => {
  expect((await all(splitLines([Buffer.from('a\nb')] as never, 'x'))).map(String)).toEqual(['a', 'b']);
});

test('a line without end is refused before it fills the memory', async () => {
  let given = 0;
  async function* endless() {
    for (;;) {
      given += 1;
      yield await Promise.resolve(Buffer.alloc(1024 * 1024, 'x'));
    }
  }
  await expect(all(splitLines(endless(), 'long.jsonl'))).rejects.toThrow(`long.jsonl line 1: is longer than ${maxLineBytes} bytes`);
  expect(given).toBeLessThan(70);
});

test('leaving the loop closes the file', async () => {
  await store.write('d.jsonl', jsonLines(Array.from({ length: 100_000 }, (_, seq) => ({ seq, name: 'x' }))));
  for await (const { seq } of readJsonLines(store, 'd.jsonl', schema)) if (seq === 3) break;
  await store.remove('d.jsonl');
});

test('what is not there is a NotFoundError', async () => {
  await expect(all(readJsonLines(store, 'none.jsonl', schema))).rejects.toMatchObject({ name: 'NotFoundError', key: 'none.jsonl' });
  await expect(readJson(store, 'none.json', schema)).rejects.toMatchObject({ name: 'NotFoundError', key: 'none.json' });
});

test('a JSON file is read whole, within bounds', async () => {
  await store.write('e.json', jsonText({ seq: 1, name: 'ä', extra: true }));
  expect(await readJson(store, 'e.json', schema)).toEqual({ seq: 1, name: 'ä' });
  expect((await readBytes(store, 'e.json', 100)).toString()).toBe('{\n  "seq": 1,\n  "name": "ä",\n  "extra": true\n}\n');
  await expect(readBytes(store, 'e.json', 10)).rejects.toThrow('e.json: is larger than 10 bytes');
  await store.write('f.json', '{"seq":"1"');
  await expect(readJson(store, 'f.json', schema)).rejects.toThrow('f.json: is not JSON');
  await expect(findJson(store, 'f.json', schema)).rejects.toThrow('f.json: is not JSON');
  expect(await findJson(store, 'none.json', schema)).toBeNull();
});
