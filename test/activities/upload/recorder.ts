import { createHash } from 'node:crypto';
import type { PlangrepClient } from '../../../src/plangrep/client';

/** Which bytes left this process for each document, in requests that were answered well. What the other side makes of digests does not matter. */
export class Recorder {
  /** By document: its parts, by number. A document that is sent whole, or by form, is its own part 1. */
  readonly #parts = new Map<string, Map<number, Buffer>>();

  constructor(plangrep: PlangrepClient) {
    const put = plangrep.putSigned.bind(plangrep);
    jest.spyOn(plangrep, 'putSigned').mockImplementation(async (url, options) => {
      const { bytes, body } = recorded(options.body as AsyncIterable<Buffer>);
      const answer = await put(url, { ...options, body });
      const [documentId, , part = '1'] = new URL(url).pathname.split('/').slice(3);
      this.#keep(documentId!, Number(part), bytes);
      return answer;
    });
    const upload = plangrep.uploadFiles.bind(plangrep);
    jest.spyOn(plangrep, 'uploadFiles').mockImplementation(async (jobId, [file], options) => {
      const { bytes, body } = recorded((async function* () { yield* (await file!.open()) as AsyncIterable<Buffer>; })());
      const answer = await upload(jobId, [{ ...file!, open: () => body }], options);
      this.#keep(answer.uploads[0]!.documentId, 1, bytes);
      return answer;
    });
  }

  #keep(documentId: string, part: number, bytes: Buffer[]): void {
    const parts = this.#parts.get(documentId) ?? new Map<number, Buffer>();
    this.#parts.set(documentId, parts.set(part, Buffer.concat(bytes)));
  }

  /** SHA-256 of all that was sent as this document. */
  digestOf(documentId: string): string {
    const parts = [...(this.#parts.get(documentId) ?? [])].sort(([a], [b]) => a - b);
    return createHash('sha256').update(Buffer.concat(parts.map(([, bytes]) => bytes))).digest('hex');
  }
}

function recorded(source: AsyncIterable<Buffer>): { bytes: Buffer[]; body: AsyncIterable<Buffer> } {
  const bytes: Buffer[] = [];
  const body = (async function* () {
    for await (const chunk of source) {
      bytes.push(Buffer.from(chunk));
      yield chunk;
    }
  })();
  return { bytes, body };
}
