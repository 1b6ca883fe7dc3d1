import Parser from 'stream-json/Parser';

/** Where a value stands: the key or position at each level, `keys[0]` the outermost. Only `keys.slice(0, depth)` counts; it is reused. */
export interface JsonPlace {
  readonly keys: readonly (string | number)[];
  readonly depth: number;
}

/** What a scan tells as it goes. Throwing ends the scan with that error. */
export interface JsonVisitor {
  open(place: JsonPlace, kind: 'object' | 'array'): void;
  close(place: JsonPlace): void;
  /** Whether `scalar` is wanted for the value that begins here; what is not wanted is checked and forgotten. */
  wants(place: JsonPlace): boolean;
  scalar(place: JsonPlace, value: string | number | boolean | null): void;
}

/** Longest key or wanted text that is kept, in UTF-16 units; what goes beyond it is cut off. */
export const maxKeptText = 8192;
/** Deepest nesting that is read. Results have about six levels; without a bound a hostile one could fill the memory with brackets. */
export const maxDepth = 256;

/** The bytes are no JSON: cut off, damaged on their way, or something else altogether. */
export class NotJsonError extends Error {
  override readonly name = 'NotJsonError';
}

interface Token {
  name: string;
  value?: string;
}

/** Takes tokens as they are made. The parser's own output queue would cost a third of the speed, and memory. */
class TokenParser extends Parser {
  constructor(private readonly onToken: (token: Token) => void) {
    // Nothing is packed: a text of any length passes in small pieces.
    super({ packValues: false, streamValues: true, decodeStrings: false });
    this.resume();
    // Errors are told to whoever writes; an event nobody hears would end the process.
    this.on('error', () => undefined);
  }

  override push(token: Token | null): boolean {
    if (token === null) return super.push(null);
    this.onToken(token);
    return true;
  }
}

/**
 * Reads JSON of any size piece by piece, checks that it is valid (UTF-8 included) and shows a visitor what it wants to see.
 * Memory does not grow with the input. About 45 MB a second of CPU time.
 */
export class JsonScanner {
  private readonly parser = new TokenParser((token) => this.take(token));
  private readonly decoder = new TextDecoder('utf-8', { fatal: true });
  private readonly place: { keys: (string | number)[]; depth: number } = { keys: [], depth: 0 };
  /** For each open container: whether it is an array. */
  private readonly arrays: boolean[] = [];
  /** The key or wanted value being read; null when it is not wanted. */
  private text: string | null = null;

  constructor(private readonly visitor: JsonVisitor) {}

  /** @throws NotJsonError, and what the visitor throws */
  async write(chunk: Uint8Array): Promise<void> {
    await this.feed(this.decode(chunk, true));
  }

  /** After the last piece. @throws NotJsonError when the JSON is not complete */
  async end(): Promise<void> {
    await this.feed(this.decode(undefined, false));
    await new Promise<void>((resolve, reject) => {
      this.parser.end((error?: Error | null) => (error ? reject(notJson(error)) : resolve()));
    });
  }

  private decode(chunk: Uint8Array | undefined, more: boolean): string {
    try {
      return this.decoder.decode(chunk, { stream: more });
    } catch {
      throw new NotJsonError('is not valid UTF-8');
    }
  }

  private feed(text: string): Promise<void> {
    if (text === '') return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.parser.write(text, (error?: Error | null) => (error ? reject(notJson(error)) : resolve()));
    });
  }

  private take({ name, value }: Token): void {
    switch (name) {
      case 'stringChunk':
      case 'numberChunk':
        if (this.text !== null && this.text.length < maxKeptText) this.text = (this.text + value!).slice(0, maxKeptText);
        return;
      case 'startKey':
        this.text = '';
        return;
      case 'endKey':
        this.place.keys[this.place.depth - 1] = this.text!;
        this.text = null;
        return;
      case 'startString':
      case 'startNumber':
        this.begin();
        this.text = this.visitor.wants(this.place) ? '' : null;
        return;
      case 'endString':
        return this.finish((text) => text);
      case 'endNumber':
        return this.finish(Number);
      case 'startObject':
        return this.open(false);
      case 'startArray':
        return this.open(true);
      case 'endObject':
      case 'endArray':
        return this.close();
      default:
        this.begin();
        if (this.visitor.wants(this.place)) this.visitor.scalar(this.place, name === 'nullValue' ? null : name === 'trueValue');
    }
  }

  /** A value begins: in an array that is one position further. */
  private begin(): void {
    const { keys, depth } = this.place;
    if (depth > 0 && this.arrays[depth - 1]) keys[depth - 1] = (keys[depth - 1] as number) + 1;
  }

  private finish(convert: (text: string) => string | number): void {
    if (this.text === null) return;
    const text = this.text;
    this.text = null;
    this.visitor.scalar(this.place, convert(text));
  }

  private open(array: boolean): void {
    this.begin();
    this.visitor.open(this.place, array ? 'array' : 'object');
    if (this.place.depth === maxDepth) throw new NotJsonError(`is nested deeper than ${maxDepth} levels`);
    this.place.keys[this.place.depth] = array ? -1 : '';
    this.arrays[this.place.depth] = array;
    this.place.depth += 1;
  }

  private close(): void {
    this.place.depth -= 1;
    this.visitor.close(this.place);
  }
}

/** The parser's messages name what it expected, never the text. */
const notJson = (error: Error): Error => (/^Parser (cannot|has)/.test(error.message) ? new NotJsonError(`is not valid JSON (${error.message})`) : error);
