/** The forms in which a text could stand in a file of another program: as it is, in hexadecimal, in an address, in base64 at any offset, in UTF-16. */
export function formsOf(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const aligned = [0, 1, 2].flatMap((before) => {
    const base64 = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // Without the groups that hold something of what stands before or behind.
    const inner = base64.slice(before === 0 ? 0 : 4, Math.floor((before + bytes.length) / 3) * 4);
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
  });
  return [...[text, bytes.toString('hex'), encodeURIComponent(text), ...aligned].map((form) => Buffer.from(form)), Buffer.from(text, 'utf16le')];
}

/** Which of these texts stand in a file's bytes, in any of their forms. */
export const textsIn = (bytes: Buffer, texts: readonly string[]): string[] => texts.filter((text) => formsOf(text).some((form) => bytes.includes(form)));
