import fc from 'fast-check';
import { publicText, readApiError, readStorageError } from '../../src/plangrep/error-body';

test.each([
  ['{"error":{"code":"a","message":"m"}}', 'a', 'm'],
  ['{"code":"a","message":"m"}', 'a', 'm'],
  ['{"error":"a_code","message":"m"}', 'a_code', 'm'],
  ['{"error":"Some words.","message":"m"}', null, 'm'],
  ['{"error":"Some words."}', null, 'Some words.'],
  ['{"error":"not_found"}', 'not_found', 'not_found'],
  ['{"error":{"code":404},"message":"m"}', '404', 'm'],
  ['{"error":{"code":null,"message":5}}', null, null],
  ['{"error":{"code":"has spaces"}}', null, null],
  ['{"error":null,"code":"a"}', 'a', null],
  ['[]', null, null],
  ['null', null, null],
  ['"text"', null, null],
  ['<html>', null, null],
  ['', null, null],
])('an error of the API: %s', (body, code, message) => {
  expect(readApiError(body)).toEqual({ code, message });
});

test('an error of storage gives its code and never its text', () => {
  const body = '<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>m</Message><StringToSign>secret</StringToSign></Error>';
  expect(readStorageError(body)).toEqual({ code: 'SignatureDoesNotMatch', message: null });
  expect(readStorageError('<html>')).toEqual({ code: null, message: null });
});

test('a shown text is short, on one line, without queries, keys and control characters', () => {
  expect(publicText('a\n\u0000b\t\u202Ec')).toBe('a b c');
  expect(publicText('x'.repeat(1000))).toHaveLength(300);
  expect(publicText('see https://u.example/path?sig=1#x, "http://a/b?c"')).toBe('see https://u.example/... "http://a/..."');
  expect(publicText('Authorization: bearer abc.def')).toBe('Authorization: Bearer [secret]');
});

test('a known secret is never shown, wherever it stands', () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9]{8,20}$/);
  fc.assert(
    fc.property(secret, fc.string(), fc.string(), (hidden, before, after) => {
      fc.pre(!'[secret]'.includes(hidden));
      expect(publicText(before + hidden + after, [hidden, ''])).not.toContain(hidden);
    }),
  );
});
