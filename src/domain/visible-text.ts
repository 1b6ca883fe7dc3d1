/**
 * What a terminal obeys, or hides, instead of showing it: controls, halves of surrogate pairs, separators of lines, marks that turn the reading
 * direction or have no width. Joiners stay, since emoji and some scripts are spelled with them.
 */
const obeyed = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

const escaped = (character: string): string =>
  ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' })[character] ?? Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join('');

/** A text in one line that shows all that is in it: a name of a file must not speak for this program. */
export const visibleText = (text: string): string => text.replace(obeyed, escaped);

/** Several lines, each {@link visibleText}. */
export const visibleLines = (text: string): string => text.split('\n').map(visibleText).join('\n');

/** JSON that means the same, and that a terminal can be shown. Its own escapes leave some of what {@link visibleText} escapes as it is. */
export const visibleJson = (json: string): string => json.replace(obeyed, (character) => (character === '\n' ? character : escaped(character)));
