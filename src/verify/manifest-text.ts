import { manifestLineSchema, type ManifestLine } from '../contract/archive';
import type { Store } from '../store';
import { parseJson, splitLines } from '../store/jsonl';

/** A line of manifest.jsonl as it lies there. */
export interface ActualLine {
  text: string;
  /** What it says. @throws BrokenFileError when it is no line of a manifest */
  parse(): ManifestLine;
}

/** The lines of manifest.jsonl, one at a time, each understood only when it is asked. @throws NotFoundError, BrokenFileError */
export async function* actualLines(store: Store, key: string): AsyncGenerator<ActualLine> {
  const stream = await store.openRead(key);
  try {
    let number = 0;
    for await (const bytes of splitLines(stream, key)) {
      number += 1;
      const [text, at] = [bytes.toString(), number];
      let parsed: ManifestLine | undefined;
      yield { text, parse: () => (parsed ??= parseJson(text, manifestLineSchema, key, at)) };
    }
  } finally {
    stream.destroy();
  }
}
