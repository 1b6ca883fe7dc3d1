import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Seal, SealError } from '../../src/store/seal';

const key = Buffer.alloc(32, 1);
const other = Buffer.alloc(32, 2);

test('what was sealed opens in its context, and differs each time', () => {
  const seal = new Seal(key);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (plain, context) => {
      const sealed = seal.seal(plain, context);
      expect(seal.open(sealed, context)).toBe(plain);
      expect(seal.seal(plain, context)).not.toBe(sealed);
    }),
  );
});

test('the text names its format and key', () => {
  expect(new Seal(key).seal('secret', 'job')).toMatch(/^v1\.72cd6e84\.[\w-]{46}$/);
});

test('it opens by any earlier key, and seals by the current one', () => {
  const sealed = new Seal(other).seal('secret', 'job');
  const rotated = new Seal(key, [randomBytes(32), other]);
  expect(rotated.open(sealed, 'job')).toBe('secret');
  expect(new Seal(key).open(rotated.seal('new', 'job'), 'job')).toBe('new');
});

test('a text sealed by an earlier release still opens', () => {
  const sealed = 'v1.72cd6e84.AAECAwQFBgcICQoLz87wC1ObZQubHrm90Ppd2H4yoizebhAcLaI';
  expect(new Seal(key).open(sealed, 'job')).toBe('the-secret');
});

test.each([
  ['another context', (sealed: string) => new Seal(key).open(sealed, 'job 2'), 'changed, or belongs to another place'],
  ['an unknown key', (sealed: string) => new Seal(other).open(sealed, 'job'), 'sealed with key 72cd6e84, which is not among the keys given'],
  ['no sealed text', () => new Seal(key).open('https://example.com', 'job'), 'not a sealed text'],
  ['a later format', (sealed: string) => new Seal(key).open(sealed.replace('v1', 'v2'), 'job'), 'not a sealed text'],
  ['a short text', () => new Seal(key).open('v1.72cd6e84.AAAA', 'job'), 'not a sealed text'],
  ['padding', (sealed: string) => new Seal(key).open(`${sealed}=`, 'job'), 'not a sealed text'],
])('%s is refused', (_, open, message) => {
  const sealed = new Seal(key).seal('the-secret', 'job');
  const attempt = () => open(sealed);
  expect(attempt).toThrow(SealError);
  expect(attempt).toThrow(message);
});

test('no character can be changed, and no error holds the secret', () => {
  const seal = new Seal(key);
  const sealed = seal.seal('the-secret', 'job');
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
    let message = '';
    try {
      seal.open(changed, 'job');
    } catch (error) {
      message = inspect(error);
    }
    expect(message).toContain('SealError');
    expect(message).not.toContain('the-secret');
    expect(message).not.toContain(sealed.slice(12));
  }
});

test('keys have 32 bytes, and are not shown', () => {
  expect(() => new Seal(Buffer.alloc(31))).toThrow('must have 32 bytes, this one has 31');
  expect(() => new Seal(key, [Buffer.alloc(0)])).toThrow(SealError);
  const shown = inspect(new Seal(key, [other]), { depth: 9, showHidden: true }) + JSON.stringify(new Seal(key));
  expect(shown).not.toContain('01 01 01');
  expect(shown).not.toContain(key.toString('base64'));
});

test('a signature holds for its text and key only', () => {
  const seal = new Seal(key);
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.nat(42), (text, another, at) => {
      const signature = seal.sign(text);
      expect(signature).toMatch(/^[\w-]{43}$/);
      expect(seal.isSigned(text, signature)).toBe(true);
      expect(seal.isSigned(another, signature)).toBe(text === another);
      expect(new Seal(other).isSigned(text, signature)).toBe(false);
      const changed = signature.slice(0, at) + (signature[at] === 'A' ? 'B' : 'A') + signature.slice(at + 1);
      expect([changed, signature.slice(1), `${signature}=`, ''].some((wrong) => seal.isSigned(text, wrong))).toBe(false);
    }),
  );
});

test('an earlier key still vouches for what it signed, and signatures of earlier releases stay good', () => {
  expect(new Seal(key, [other]).isSigned('job', new Seal(other).sign('job'))).toBe(true);
  expect(new Seal(other).isSigned('job', new Seal(key, [other]).sign('job'))).toBe(false);
  expect(new Seal(key).sign('batch/b/job/00001')).toBe('GU3O5EKrVWOOjV93yn1tucQKp3W79D6cOVOZB4uore8');
});
