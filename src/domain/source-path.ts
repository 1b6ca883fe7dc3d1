/**
 * A path as its bytes, one character (U+0000 to U+00FF) a byte. File names are bytes, and not all of them are UTF-8; as
 * one-byte strings they compare, sort and join like the bytes do.
 */
export type BytePath = string;

const plain = /^[\x01-\x24\x26-\x7f]*$/;
const ascii = /^[\x00-\x7f]*$/;

/** The path's bytes, for calls to the file system. */
export const pathBytes = (path: BytePath): Buffer => Buffer.from(path, 'latin1');

/** A path that is known as text. */
export const fromText = (text: string): BytePath => (ascii.test(text) ? text : Buffer.from(text).toString('latin1'));

/**
 * The path as `source` fields spell it: UTF-8 as it is, `%` and each byte that is not part of valid UTF-8 as `%XX`.
 * Different paths have different spellings.
 */
export function spellPath(path: BytePath): string {
  if (plain.test(path)) return path;
  const bytes = pathBytes(path);
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? escapePercent(text) : spellBroken(bytes);
}

/**
 * The path that a spelling means. A `%` without two hex digits after it stands for itself, so that a hand-written
 * `100% done.pdf` is found; {@link spellPath} always writes `%25`.
 */
export function parsePath(source: string): BytePath {
  if (plain.test(source)) return source;
  return fromText(source).replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** The bytes of a document's absolute path, from a plan's `root` and a line's `source`. */
export const documentPath = (root: string, source: string): Buffer => {
  const folder = fromText(root);
  return pathBytes(`${folder}${folder.endsWith('/') ? '' : '/'}${parsePath(source)}`);
};

/** The path for people and globs: composed (NFC), with U+FFFD where it is not UTF-8. Different paths may look the same. */
export const pathText = (path: BytePath): string => (ascii.test(path) ? path : pathBytes(path).toString().normalize('NFC'));

/** The last part of a path. */
export const baseName = (path: BytePath): BytePath => path.slice(path.lastIndexOf('/') + 1);

/** All but the last part; empty for a path of one part. */
export const folderOf = (path: BytePath): BytePath => path.slice(0, Math.max(0, path.lastIndexOf('/')));

const escapePercent = (text: string): string => text.replaceAll('%', '%25');
const escapeByte = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;

function spellBroken(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const character = characterAt(bytes, at);
    text += character === null ? escapeByte(bytes[at]!) : escapePercent(character);
    at += character === null ? 1 : Buffer.byteLength(character);
  }
  return text;
}

/** The character whose UTF-8 form starts at `at`, or null when there is none. */
function characterAt(bytes: Buffer, at: number): string | null {
  const lead = bytes[at]!;
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const slice = bytes.subarray(at, at + length);
  const character = slice.toString();
  // What is no UTF-8 decodes to U+FFFD, whose own bytes differ from the slice.
  return Buffer.from(character).equals(slice) ? character : null;
}
