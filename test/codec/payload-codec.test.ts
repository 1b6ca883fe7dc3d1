import { randomBytes } from 'node:crypto';
import { format, inspect } from 'node:util';
import { ApplicationFailure, defaultPayloadConverter, type Payload } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import fc from 'fast-check';
import { createDataConverter, createPayloadCodec } from '../../src/codec/data-converter';
import { failureConverter } from '../../src/codec/failure-converter';
import { EncryptionCodec, PayloadCodecError } from '../../src/codec/payload-codec';
import { PayloadKey } from '../../src/codec/payload-key';

const bytes = randomBytes(32);
const base64 = bytes.toString('base64');
const [key, other] = [new PayloadKey('k1', bytes), new PayloadKey('k2', randomBytes(32))];
const codec = new EncryptionCodec({ current: key, old: [] });
const json = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const one = async (answer: Promise<Payload[]>): Promise<Payload> => (await answer)[0]!;
const metadataOf = ({ metadata }: Payload) => Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString()]));
const changed = (payload: Payload, change: (data: Buffer) => Buffer): Payload => ({ ...payload, data: change(Buffer.from(payload.data!)) });

/** What rejecting says; null when nothing was wrong. */
const problemOf = (work: Promise<unknown>): Promise<PayloadCodecError | null> =>
  work.then(
    () => null,
    (error: unknown) => {
      if (!(error instanceof PayloadCodecError)) throw error;
      return error;
    },
  );

describe('PayloadKey', () => {
  it('is read from base64, with or without a name of its own', () => {
    expect(PayloadKey.parse(` 2026-11:${base64}\n`).id).toBe('2026-11');
    const derived = PayloadKey.parse(base64);
    expect(derived.id).toMatch(/^[0-9a-f]{8}$/);
    expect(PayloadKey.parse(base64.replaceAll('+', '-').replaceAll('/', '_').replace('=', '')).id).toBe(derived.id);
    expect(derived.sameBytes(PayloadKey.parse(`x:${base64}`))).toBe(true);
    expect(derived.isBytes(bytes)).toBe(true);
    expect(derived.sameBytes(other)).toBe(false);
  });

  it.each([
    ['nothing', ''],
    ['a word', 'short'],
    ['too long a text', `${base64}A`],
    ['an empty name', `:${base64}`],
    ['a space in the name', `a b:${base64}`],
    ['a colon in the name', `a:b:${base64}`],
    ['too long a name', `${'n'.repeat(65)}:${base64}`],
    ['another letter in the name', `ä:${base64}`],
    ['31 bytes', randomBytes(31).toString('base64')],
    ['33 bytes', randomBytes(33).toString('base64')],
  ])('refuses %s without repeating it', (_what, text) => {
    const shown = text.split(':').at(-1)!;
    try {
      PayloadKey.parse(text);
      throw new Error('taken');
    } catch (error) {
      expect((error as Error).message).toMatch(/^a payload key must be 32 bytes/);
      if (shown !== '') expect((error as Error).message).not.toContain(shown);
    }
  });

  it('never shows its bytes, however it is printed, copied or serialised', () => {
    const shown = [key, codec, { codec }, createDataConverter({ key: base64, oldKeys: [base64] }), [key], new Map([['k', key]]), new Error('e', { cause: key })].flatMap((value) => [
      inspect(value, { depth: null, showHidden: true, getters: true, customInspect: false }),
      inspect(value, { depth: null }),
      format('%s %s %o %O %j', value, value, value, value, value),
      JSON.stringify(value),
      JSON.stringify({ ...(value as object) }),
    ]);
    shown.push(inspect(structuredClone(Object.assign({}, key)), { showHidden: true }));
    for (const text of shown) for (const form of [base64, bytes.toString('hex'), bytes.toString('latin1'), [...bytes].join(','), [...bytes].join(', '), bytes.toString('hex').replaceAll(/(..)/g, '$1 ').trim()]) expect(text).not.toContain(form);
  });
});

describe('EncryptionCodec', () => {
  it('gives back any payload as it was, bit for bit, and marks what it encrypted as Temporal’s examples do', async () => {
    const payload = fc.record({ metadata: fc.dictionary(fc.string(), fc.uint8Array()), data: fc.uint8Array({ maxLength: 3000 }) });
    await fc.assert(
      fc.asyncProperty(payload, async (given) => {
        const encrypted = await one(codec.encode([given]));
        expect(metadataOf(encrypted)).toEqual({ encoding: 'binary/encrypted', 'encryption-cipher': 'AES-256-GCM', 'encryption-key-id': 'k1' });
        const back = await one(codec.decode([encrypted]));
        expect(Object.entries(back.metadata ?? {}).map(([name, value]) => [name, [...value]])).toEqual(Object.entries(given.metadata).map(([name, value]) => [name, [...value]]));
        expect([...(back.data ?? [])]).toEqual([...given.data]);
      }),
    );
  });

  it('hides metadata and data, and never encrypts twice alike', async () => {
    const payload = { metadata: { encoding: Buffer.from('json/plain'), note: Buffer.from('in-the-metadata') }, data: Buffer.from('"in-the-data"') };
    const all = await Promise.all(Array.from({ length: 200 }, () => one(codec.encode([payload]))));
    const texts = all.map((encrypted) => Buffer.from(temporal.api.common.v1.Payload.encode(encrypted).finish()).toString('latin1'));
    expect(texts.filter((text) => /in-the-|json/.test(text))).toEqual([]);
    expect(new Set(all.map(({ data }) => Buffer.from(data!).subarray(1, 13).toString('hex'))).size).toBe(200);
  });

  it('adds less than 160 bytes to a payload', async () => {
    for (const size of [0, 10, 1_000, 100_000]) {
      const plain = json('x'.repeat(size));
      const length = (payload: Payload): number => temporal.api.common.v1.Payload.encode(payload).finish().length;
      expect(length(await one(codec.encode([plain]))) - length(plain)).toBeLessThan(160);
    }
  });

  it('passes what is not encrypted, both ways when it has no key', async () => {
    const plain = [json({ a: 1 }), { metadata: null, data: null }, {}];
    expect(await codec.decode(plain)).toEqual(plain);
    expect(await createPayloadCodec().encode(plain)).toBe(plain);
    expect(await createPayloadCodec().decode(plain)).toEqual(plain);
    expect(await codec.encode([])).toEqual([]);
  });

  it('opens with an earlier key, and encrypts with the current one', async () => {
    const rotated = new EncryptionCodec({ current: other, old: [key] });
    const [fromBefore, fromNow] = [await one(codec.encode([json('a')])), await one(rotated.encode([json('b')]))];
    expect((await rotated.decode([fromBefore, fromNow])).map((payload) => defaultPayloadConverter.fromPayload(payload))).toEqual(['a', 'b']);
    expect(metadataOf(fromNow)['encryption-key-id']).toBe('k2');
    const off = new EncryptionCodec({ current: null, old: [key] });
    expect(defaultPayloadConverter.fromPayload(await one(off.decode([fromBefore])))).toBe('a');
    expect(await off.encode([fromBefore])).toEqual([fromBefore]);
  });

  it('says which key is missing, in which variable it belongs, and no more', async () => {
    const problem = await problemOf(createPayloadCodec({ key: base64 }).decode([await one(codec.encode([json('hidden')]))]));
    expect(problem).toMatchObject({ code: 'unknown_key', keyId: 'k1', message: expect.stringMatching(/payload key k1, .* PLANGREP_PAYLOAD_KEYS_OLD/) });
    expect(inspect(problem, { depth: null })).not.toMatch(new RegExp(`hidden|${base64.slice(0, 20).replaceAll(/[+/]/g, '.')}`));
    const foreign = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from('x') };
    expect(await problemOf(codec.decode([foreign]))).toMatchObject({ code: 'unknown_key', keyId: 'without a readable name' });
  });

  it('refuses two keys of one name, and one key under two names is no harm', () => {
    expect(() => new EncryptionCodec({ current: key, old: [new PayloadKey('k1', randomBytes(32))] })).toThrow('two payload keys are called k1');
    expect(() => createDataConverter({ key: `a:${base64}`, oldKeys: [`a:${base64}`, `b:${base64}`] })).not.toThrow();
  });

  it('notices any change of what it encrypted, a swap of names included', async () => {
    const encrypted = await one(codec.encode([json('something')]));
    const length = encrypted.data!.length;
    await fc.assert(
      fc.asyncProperty(fc.nat(length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const flipped = changed(encrypted, (data) => (data.writeUInt8(data[at]! ^ flip, at), data));
        expect(await problemOf(codec.decode([flipped]))).toMatchObject({ code: 'damaged', keyId: 'k1' });
      }),
    );
    for (let cut = 0; cut < length; cut++) expect(await problemOf(codec.decode([changed(encrypted, (data) => data.subarray(0, cut))]))).toMatchObject({ code: 'damaged' });
    const twin = new EncryptionCodec({ current: new PayloadKey('twin', bytes), old: [] });
    const renamed = { ...encrypted, metadata: { ...encrypted.metadata, 'encryption-key-id': Buffer.from('twin') } };
    expect(await problemOf(twin.decode([renamed]))).toMatchObject({ code: 'damaged', keyId: 'twin' });
    const sameName = new EncryptionCodec({ current: new PayloadKey('k1', randomBytes(32)), old: [] });
    expect(await problemOf(sameName.decode([encrypted]))).toMatchObject({ code: 'damaged', message: expect.stringContaining('another key of this name') });
  });

  it('answers whatever stands in a payload with a payload or an error of its own', async () => {
    const metadata = fc.record({ encoding: fc.constant(Buffer.from('binary/encrypted')), 'encryption-key-id': fc.oneof(fc.constant(Buffer.from('k1')), fc.uint8Array({ maxLength: 200 })) }, { requiredKeys: [] });
    await fc.assert(
      fc.asyncProperty(metadata, fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null }), async (given, data) => {
        const problem = await problemOf(codec.decode([{ metadata: given as Record<string, Uint8Array>, data }]));
        if (problem) expect(problem.message.length).toBeLessThan(400);
      }),
    );
    // Authentic, and no payload inside: a key that somebody uses for something else too.
    const data = key.encrypt(Buffer.from([0xff, 0xff, 0xff]));
    expect(await problemOf(codec.decode([{ metadata: { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from('k1') }, data }]))).toMatchObject({ code: 'damaged' });
  });
});

describe('failureConverter', () => {
  const texts = (value: unknown): string => JSON.stringify(value, (_name, one: unknown) => (one instanceof Uint8Array ? '' : one));

  it('leaves no message and no stack in plain text, causes included, and gives them back', () => {
    const error = new ApplicationFailure('outer-text', 'Rejected', true, [{ folder: 'in-the-details' }], new Error('inner-text'));
    const failure = failureConverter.errorToFailure(error, defaultPayloadConverter);
    expect(texts(failure)).not.toMatch(/outer-text|inner-text|payload-codec\.test/);
    expect(failure).toMatchObject({ message: 'Encoded failure', applicationFailureInfo: { type: 'Rejected', nonRetryable: true } });
    const back = failureConverter.failureToError(failure, defaultPayloadConverter) as ApplicationFailure;
    expect(back).toMatchObject({ message: 'outer-text', type: 'Rejected', cause: { message: 'inner-text' } });
    expect(back.stack).toContain('payload-codec.test');
  });

  it('encodes again what it got from a history, in plain text or not, and changes nothing of the error', () => {
    const plain = { message: 'plain-text', stackTrace: 'plain-stack', source: 'x', applicationFailureInfo: { type: 'T' }, cause: { message: 'plain-cause', stackTrace: '', source: 'x', applicationFailureInfo: {} } };
    const error = failureConverter.failureToError(plain, defaultPayloadConverter);
    const first = failureConverter.errorToFailure(error, defaultPayloadConverter);
    expect(texts(first)).not.toContain('plain-');
    const again = failureConverter.failureToError(first, defaultPayloadConverter);
    expect(again).toMatchObject({ message: 'plain-text', cause: { message: 'plain-cause' } });
    for (const repeated of [again, again, error]) {
      const failure = failureConverter.errorToFailure(repeated, defaultPayloadConverter);
      expect(texts(failure)).not.toContain('plain-');
      expect(failureConverter.failureToError(failure, defaultPayloadConverter)).toMatchObject({ message: 'plain-text', cause: { message: 'plain-cause' } });
    }
  });
});
