/** The longest name that is sent, in UTF-8 bytes. */
export const maxNameBytes = 200;
/** The longest ending that counts as an extension, in UTF-8 bytes with its dot; a longer one is cut like the rest of the name. */
const maxExtensionBytes = 32;

// Controls, separators of paths, what Windows or a form header cannot hold, marks that turn the reading direction or stand
// for nothing, halves of surrogate pairs, and U+FFFD, which stands for bytes that are no UTF-8.
const unsafe = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}/\\:*?"<>|\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffd\ufffe\uffff]/gu;

// Nearly every name; the rest of the work is for the others.
const plain = /^(?=.{1,200}$)\w[\w .,()&+=@#~-]*$/;
const ascii = /^[\x00-\x7f]*$/;

/**
 * A name that can be sent: composed (NFC), every unsafe character as `_`, at most {@link maxNameBytes} bytes with its
 * extension kept. `.`, `..` and names of spaces only become `_` too. Names that differ may become the same; see {@link JobNames}.
 */
export function sendableName(name: string): string {
  if (plain.test(name)) return name;
  const safe = name.normalize('NFC').replace(unsafe, '_');
  return shorten(/^(?:\.{1,2}|\s*)$/.test(safe) ? '_' : safe, '');
}

/** The names of one job's documents: no two are the same, also where case does not count. */
export class JobNames {
  private readonly taken = new Set<string>();

  /** The sendable name itself, or with ` (2)`, ` (3)`, ... before its extension when an earlier document has it. */
  take(name: string): string {
    let free = name;
    for (let copy = 2; this.taken.has(foldCase(free)); copy += 1) free = shorten(name, ` (${copy})`);
    this.taken.add(foldCase(free));
    return free;
  }
}

// Upper case first: it is what makes "ß" and "SS", and the forms of sigma, the same.
const foldCase = (name: string): string => (ascii.test(name) ? name.toLowerCase() : name.toUpperCase().toLowerCase().normalize('NFC'));

function shorten(name: string, mark: string): string {
  const extension = extensionOf(name);
  const stem = name.slice(0, name.length - extension.length);
  return cut(stem, maxNameBytes - Buffer.byteLength(mark + extension)) + mark + extension;
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 ? name.slice(dot) : '';
  return Buffer.byteLength(extension) <= maxExtensionBytes ? extension : '';
}

/** The longest start of `text` that has at most `bytes` bytes, in whole characters. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  let end = 0;
  let length = 0;
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > bytes) break;
    end += character.length;
  }
  return text.slice(0, end);
}
