import { createHash, randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { NotFoundError, type Store, type StoredObject } from '../../src/store';

/** A fresh, empty place, and as many drivers on it as a test asks for. */
export interface StorePlace {
  open(): Store;
  close(): Promise<void>;
}

/** The whole of a stream. */
export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

const readText = async (store: Store, key: string) => (await readAll(await store.openRead(key))).toString();
const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

async function listed(store: Store, prefix: string): Promise<StoredObject[]> {
  const found: StoredObject[] = [];
  for await (const object of store.list(prefix)) found.push(object);
  return found;
}
const keys = async (store: Store, prefix: string) => (await listed(store, prefix)).map(({ key }) => key);

async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield await Promise.resolve(Buffer.from(part));
}
async function* failing(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from('half'));
  throw new Error('the source broke');
}

/** Runs `body` with a store of its own place. */
type Run = (body: (store: Store, place: StorePlace) => Promise<void>) => () => Promise<void>;

/** What every driver must do; a driver's test file calls this with a maker of fresh places. */
export function storeConformance(name: string, makePlace: () => Promise<StorePlace>): void {
  const on: Run = (body) => async () => {
    const place = await makePlace();
    try {
      await body(place.open(), place);
    } finally {
      await place.close();
    }
  };
  describe(`${name} keeps the store's contract`, () => {
    writing(on);
    reading(on);
    readingWhole(on);
    listing(on);
    conditions(on);
    removing(on);
    refusing(on);
  });
}

function writing(on: Run): void {
  test('a write answers size and digest of text, bytes and streams', on(async (store) => {
    const bytes = randomBytes(3_000_000);
    expect(await store.write('a/text', 'Plan Ä')).toEqual({ sizeBytes: 7, sha256: sha256('Plan Ä') });
    expect(await store.write('a/bytes', bytes)).toEqual({ sizeBytes: bytes.length, sha256: sha256(bytes) });
    expect(await store.write('a/stream', chunks('one ', '', 'two'))).toEqual({ sizeBytes: 7, sha256: sha256('one two') });
    expect(await store.write('a/empty', '')).toEqual({ sizeBytes: 0, sha256: sha256('') });
    expect(await store.write('a/secret', 'sealed', { secret: true })).toEqual({ sizeBytes: 6, sha256: sha256('sealed') });
    expect((await readAll(await store.openRead('a/bytes'))).equals(bytes)).toBe(true);
    expect(await readText(store, 'a/stream')).toBe('one two');
    expect(await readText(store, 'a/empty')).toBe('');
    expect(await readText(store, 'a/secret')).toBe('sealed');
  }));

  test('a write replaces the whole object and changes its version', on(async (store) => {
    await store.write('key', 'a long first content');
    const first = await store.stat('key');
    await store.write('key', 'short');
    const second = await store.stat('key');
    expect(await readText(store, 'key')).toBe('short');
    expect(second).toMatchObject({ key: 'key', sizeBytes: 5 });
    expect(second!.version).not.toBe(first!.version);
  }));

  test('content that fails passes its error and changes nothing', on(async (store) => {
    await store.write('there', 'old');
    await expect(store.write('there', failing())).rejects.toThrow('the source broke');
    await expect(store.write('not/there', failing())).rejects.toThrow('the source broke');
    expect(await readText(store, 'there')).toBe('old');
    expect(await store.stat('not/there')).toBeNull();
    expect(await keys(store, '')).toEqual(['there']);
  }));

  test('an object is not there before its content is complete', on(async (store, place) => {
    const other = place.open();
    async function* watched() {
      yield Buffer.from('first half, ');
      expect(await other.stat('a/b')).toBeNull();
      expect(await keys(other, '')).toEqual([]);
      yield Buffer.from('second half');
    }
    await store.write('a/b', watched());
    expect(await readText(other, 'a/b')).toBe('first half, second half');
  }));

  test('a reader sees the old or the new whole while others write', on(async (store, place) => {
    const writers = ['a', 'b', 'c'].map((letter) => ({ letter, store: place.open() }));
    await store.write('key', 'a'.repeat(200_000));
    await Promise.all([
      ...writers.map(async (writer) => {
        for (let i = 0; i < 5; i += 1) await writer.store.write('key', writer.letter.repeat(200_000));
      }),
      (async () => {
        for (let i = 0; i < 15; i += 1) expect(await readText(store, 'key')).toMatch(/^(a{200000}|b{200000}|c{200000})$/);
      })(),
    ]);
    expect(await keys(store, '')).toEqual(['key']);
  }));
}

function reading(on: Run): void {
  test('ranges are inclusive, and end where the object does', on(async (store) => {
    await store.write('key', '0123456789');
    const part = async (range: { start: number; end?: number }) => (await readAll(await store.openRead('key', range))).toString();
    expect(await part({ start: 0, end: 0 })).toBe('0');
    expect(await part({ start: 3, end: 5 })).toBe('345');
    expect(await part({ start: 7 })).toBe('789');
    expect(await part({ start: 8, end: 100 })).toBe('89');
    expect(await part({ start: 10 })).toBe('');
    expect(await part({ start: 4, end: 3 })).toBe('');
  }));

  test('what is not there is a NotFoundError, and a null for stat', on(async (store) => {
    await store.write('a/b/c', 'x');
    for (const key of ['nothing', 'a', 'a/b', 'a/b/c/d', 'a/x']) {
      await expect(store.openRead(key)).rejects.toThrow(NotFoundError);
      await expect(store.openRead(key)).rejects.toMatchObject({ key });
      expect(await store.stat(key)).toBeNull();
    }
  }));
}

function readingWhole(on: Run): void {
  test('what is small is read whole, with its version, by a driver that can', on(async (store) => {
    if (!store.read) return;
    await store.write('a/key', '0123456789');
    const { version } = (await store.stat('a/key'))!;
    expect(await store.read('a/key', 10)).toEqual({ bytes: Buffer.from('0123456789'), version });
    expect(await store.read('a/key', 9)).toBeNull();
    await store.write('a/empty', '');
    expect((await store.read('a/empty', 0))!.bytes).toHaveLength(0);
    for (const key of ['nothing', 'a', 'a/key/d']) await expect(store.read(key, 10)).rejects.toMatchObject({ name: 'NotFoundError', key });
    await expect(store.read('../a', 10)).rejects.toMatchObject({ name: 'InvalidKeyError' });
  }));
}

function listing(on: Run): void {
  test('the listing is in key order, below whole folder parts only', on(async (store) => {
    const all = ['a/b', 'a/bc/x', 'a-b', 'a/b.json', 'a.b', 'b', 'a/c/é', 'a/c/z', 'a/c/d/e/f', 'a/c/d-e', 'a/c/\u{1F4C4}', 'a/c/\uFF21', 'a0', 'A'];
    for (const key of [...all].reverse()) await store.write(key, key);
    const sorted = [...all].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await keys(store, '')).toEqual(sorted);
    expect(await keys(store, 'a')).toEqual(sorted.filter((key) => key.startsWith('a/')));
    expect(await keys(store, 'a/bc')).toEqual(['a/bc/x']);
    expect(await keys(store, 'a/b')).toEqual([]);
    expect(await keys(store, 'a/c/d')).toEqual(['a/c/d/e/f']);
    expect(await keys(store, 'none')).toEqual([]);
    expect(await keys(store, 'b/none')).toEqual([]);
  }));

  test('it says of each object what stat says', on(async (store) => {
    for (let i = 0; i < 70; i += 1) await store.write(`a/${i}`, 'x'.repeat(i));
    const found = await listed(store, 'a');
    expect(found).toHaveLength(70);
    for (const object of found) expect(await store.stat(object.key)).toEqual(object);
  }));

  test('it may be left early, and the store is listed in passing while objects go', on(async (store) => {
    for (let i = 0; i < 10; i += 1) await store.write(`a/${i}`, 'x');
    const seen: string[] = [];
    for await (const { key } of store.list('')) {
      seen.push(key);
      await store.remove(key);
    }
    expect(seen).toHaveLength(10);
    await store.write('b/1', 'x');
    await store.write('b/2', 'x');
    for await (const { key } of store.list('b')) {
      expect(key).toBe('b/1');
      break;
    }
  }));
}

function conditions(on: Run): void {
  test('createIfAbsent makes an object once', on(async (store) => {
    expect(await store.createIfAbsent('a/claim', 'first')).toBe(true);
    expect(await store.createIfAbsent('a/claim', 'second')).toBe(false);
    expect(await readText(store, 'a/claim')).toBe('first');
    await store.remove('a/claim');
    expect(await store.createIfAbsent('a/claim', Buffer.from('third'))).toBe(true);
    expect(await readText(store, 'a/claim')).toBe('third');
    expect(await keys(store, '')).toEqual(['a/claim']);
  }));

  test('of many at once, one creates', on(async (store, place) => {
    const contents = Array.from({ length: 12 }, (_, i) => `${i} `.repeat(5_000));
    const made = await Promise.all(contents.map((content) => place.open().createIfAbsent('a/claim', content)));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await readText(store, 'a/claim')).toBe(contents[made.indexOf(true)]);
  }));

  test('replaceIf replaces the version it names and no other', on(async (store) => {
    expect(await store.replaceIf('key', 'x', 'any')).toBe(false);
    await store.write('key', 'one');
    const one = (await store.stat('key'))!;
    expect(await store.replaceIf('key', 'two', `${one.version}x`)).toBe(false);
    expect(await store.replaceIf('key', 'two', one.version)).toBe(true);
    expect(await store.replaceIf('key', 'three', one.version)).toBe(false);
    expect(await readText(store, 'key')).toBe('two');
    await store.remove('key');
    expect(await store.replaceIf('key', 'four', one.version)).toBe(false);
    expect(await store.stat('key')).toBeNull();
  }));

  test('no version comes back, however fast the same content is written again', on(async (store) => {
    const versions = new Set<string>();
    await store.write('key', 'same');
    for (let i = 0; i < 30; i += 1) {
      const { version } = (await store.stat('key'))!;
      versions.add(version);
      if (i % 3 === 0) expect(await store.replaceIf('key', 'same', version)).toBe(true);
      else if (i % 3 === 1) await store.write('key', 'same');
      else {
        await store.remove('key');
        expect(await store.createIfAbsent('key', 'same')).toBe(true);
      }
    }
    expect(versions.size).toBe(30);
  }));

  test('writes, creations, replacements and removals of one key at once: each version is replaced once, and stands for one content', on(async (store, place) => {
    const replaced: string[] = [];
    const [seen, done] = [new Map<string, string>(), { creations: 0, removals: 0 }];
    const turn = async (own: Store, lane: number) => {
      for (let i = 0; i < 8; i += 1) {
        const content = `${lane} ${i}`;
        const before = await own.stat('key');
        if ((lane + i) % 4 === 0) await own.write('key', content);
        else if ((lane + i) % 4 === 1 && (await own.createIfAbsent('key', content))) done.creations += 1;
        else if ((lane + i) % 4 === 2 && i > 4) {
          await own.remove('key');
          done.removals += 1;
        } else if (before && (await own.replaceIf('key', content, before.version))) replaced.push(before.version);
        const after = await store.stat('key');
        const text = after && (await readText(store, 'key').catch(() => null));
        if (after && text !== null && (await store.stat('key'))?.version === after.version) {
          expect(seen.get(after.version) ?? text).toBe(text);
          seen.set(after.version, text);
        }
      }
    };
    await Promise.all([0, 1, 2, 3, 4, 5].map((lane) => turn(place.open(), lane)));
    expect(new Set(replaced).size).toBe(replaced.length);
    expect(done.creations).toBeLessThanOrEqual(done.removals + 1);
  }));

  test('a counter that many replace at once loses nothing', on(async (store, place) => {
    await store.write('counter', '0');
    const add = async (own: Store) => {
      for (let added = 0; added < 8; ) {
        const { version } = (await own.stat('counter'))!;
        const value = Number(await readText(own, 'counter'));
        if (await own.replaceIf('counter', String(value + 1), version)) added += 1;
      }
    };
    await Promise.all(Array.from({ length: 5 }, () => add(place.open())));
    expect(await readText(store, 'counter')).toBe('40');
  }));
}

function removing(on: Run): void {
  test('remove takes one object; absence is no error', on(async (store) => {
    await store.write('a/b/c', 'x');
    await store.write('a/d', 'x');
    await store.remove('a/b/c');
    await store.remove('a/b/c');
    await store.remove('a');
    await store.remove('a/d/e');
    expect(await keys(store, '')).toEqual(['a/d']);
    await store.write('a/b/c', 'again');
    expect(await readText(store, 'a/b/c')).toBe('again');
  }));

  test('removeAll takes what lies below the prefix and nothing beside it', on(async (store) => {
    for (const key of ['w/a/1', 'w/a/b/2', 'w/ab/3', 'w/a.json', 'x']) await store.write(key, 'x');
    await store.removeAll('w/a');
    await store.removeAll('w/a');
    await store.removeAll('x');
    await store.removeAll('none');
    expect(await keys(store, '')).toEqual(['w/a.json', 'w/ab/3', 'x']);
  }));

  test('writes are not lost when others empty their folder', on(async (store, place) => {
    const turn = async (own: Store, writer: number) => {
      for (let i = 0; i < 10; i += 1) {
        await own.write(`deep/er/${writer}`, String(i));
        expect(await readText(own, `deep/er/${writer}`)).toBe(String(i));
        await own.remove(`deep/er/${writer}`);
      }
      await own.write(`deep/er/${writer}`, 'last');
    };
    await Promise.all([0, 1, 2, 3].map((writer) => turn(place.open(), writer)));
    expect(await keys(store, '')).toEqual([0, 1, 2, 3].map((writer) => `deep/er/${writer}`));
  }));
}

function refusing(on: Run): void {
  test.each([['', 'empty'], ['/a', 'absolute'], ['a//b', 'empty part'], ['a/', 'empty part'], ['../a', '".."'], ['a/../b', '".."'], ['a/./b', '"."'], ['a/..', '".."'], ['a\0b', 'NUL'], ['a\uD800', 'Unicode']])(
    'the key %j is refused by every call', async (key, problem) => {
      await on(async (store) => {
        const error = { name: 'InvalidKeyError', message: expect.stringContaining(problem) as string };
        await expect(store.write(key, 'x')).rejects.toMatchObject(error);
        await expect(store.openRead(key)).rejects.toMatchObject(error);
        await expect(store.stat(key)).rejects.toMatchObject(error);
        await expect(store.createIfAbsent(key, 'x')).rejects.toMatchObject(error);
        await expect(store.replaceIf(key, 'x', 'v')).rejects.toMatchObject(error);
        await expect(store.remove(key)).rejects.toMatchObject(error);
        await expect(store.removeAll(key)).rejects.toMatchObject(error);
        if (key !== '') await expect(listed(store, key)).rejects.toMatchObject(error);
        expect(await keys(store, '')).toEqual([]);
      })();
    });

  test('odd but honest keys are kept as they are', on(async (store) => {
    const odd = ['.hidden', '...', 'a b', 'new\nline', '%2e%2e', 'back\\slash', 'e\u0301', '\u00e9', '~', 'a:b', '-rf', '"*?<>|', '__proto__'];
    for (const key of odd) await store.write(`odd/${key}`, key);
    for (const key of odd) expect(await readText(store, `odd/${key}`)).toBe(key);
    expect((await keys(store, 'odd')).sort()).toEqual(odd.map((key) => `odd/${key}`).sort());
  }));
}
