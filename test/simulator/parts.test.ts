import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { Parts } from '../../src/simulator/parts';
import { Scratch } from '../../src/simulator/scratch';
import { sha256Of } from './caller';

const scratch = new Scratch();
afterAll(() => scratch.close());

const partsFor = (countedBytes: number): Parts => new Parts(1_000, { scratch, settings: { bytesPerPage: 100, countedBytes } });
const body = (content: Buffer): AsyncIterable<Buffer> =>
  (async function* () {
    for (let at = 0; at < content.length; at += 100) yield content.subarray(at, at + 100);
  })();
const broken = (content: Buffer): AsyncIterable<Buffer> =>
  (async function* () {
    yield content;
    throw new Error('reset');
  })();
const anyHash = (content: Buffer) => ({ sizeBytes: content.length, sha256: null });
const filesLeft = async (): Promise<string[]> => readdirSync((await scratch.folder())!);

test.each([['kept until the end', 10_000], ['hashed at once', 0]])('parts that are %s make the same whole in any order, at the same time, repeated and broken off', async (_how, countedBytes) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 400 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(5), { maxLength: 8 }),
      fc.array(fc.nat(5), { maxLength: 4 }),
      async (contents, extra, failing) => {
        const parts = partsFor(countedBytes);
        const write = (index: number): Promise<unknown> => parts.write(index + 1, body(Buffer.from(contents[index]!)), anyHash(Buffer.from(contents[index]!)));
        const breakOff = (index: number): Promise<unknown> => parts.write(index + 1, broken(Buffer.from([1, 2, 3])), anyHash(Buffer.from([0]))).catch(() => undefined);
        const existing = (index: number): boolean => index < contents.length;
        await Promise.all([...failing.filter(existing).map(breakOff), ...extra.filter(existing).map(write)]);
        await Promise.all(contents.map((_, index) => write(index)));
        const received = await parts.finish(contents.length);
        expect(received.sha256).toBe(sha256Of(Buffer.concat(contents)));
        expect(received.sizeBytes).toBe(Buffer.concat(contents).length);
        await received.discard();
        await parts.discard();
        expect(await filesLeft()).toEqual([]);
      },
    ),
    { numRuns: 30 },
  );
});

test('a part that is hashed already can be repeated, but not changed', async () => {
  const parts = partsFor(0);
  const [first, other] = [Buffer.from('%PDF-first'), Buffer.from('%PDF-other')];
  await parts.write(1, body(first), anyHash(first));
  expect((await parts.write(1, body(first), anyHash(first))).sha256).toBe(sha256Of(first));
  await expect(parts.write(1, body(other), anyHash(other))).rejects.toMatchObject({ status: 409, code: 'PartAlreadyStored' });
  const received = await parts.finish(1);
  expect(await received.store()).toEqual({ pages: 1, problem: null });
});

test('a part of another size or digest is refused, and an earlier one stays', async () => {
  for (const countedBytes of [0, 10_000]) {
    const parts = partsFor(countedBytes);
    const part = Buffer.from('right');
    await expect(parts.write(1, body(part), { sizeBytes: 6, sha256: null })).rejects.toMatchObject({ code: 'IncompleteBody' });
    await expect(parts.write(1, body(part), { sizeBytes: 5, sha256: sha256Of(Buffer.from('wrong')) })).rejects.toMatchObject({ code: 'BadDigest' });
    expect(parts.get(1)).toBeUndefined();
    await parts.write(1, body(part), { sizeBytes: 5, sha256: sha256Of(part) });
    await expect(parts.write(1, body(Buffer.from('other')), { sizeBytes: 5, sha256: sha256Of(part) })).rejects.toMatchObject({ code: 'BadDigest' });
    expect((await parts.finish(1)).sha256).toBe(sha256Of(part));
    await parts.discard();
    await expect(parts.write(2, body(part), anyHash(part))).rejects.toMatchObject({ code: 'NoSuchUpload' });
    expect(await filesLeft()).toEqual([]);
  }
});
