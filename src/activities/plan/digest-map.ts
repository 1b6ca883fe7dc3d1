import { hash } from 'node:crypto';

const words = 3;

/**
 * Numbers by text, for millions of texts: keeps 96 bits of each text's SHA-256 in typed arrays, where a Map would keep the
 * texts. Two texts out of a million share those bits with a chance of one to 10^17.
 */
export class DigestMap {
  private slots = 1024;
  private keys = new Uint32Array(this.slots * words);
  /** The value plus 1; 0 for a free slot. */
  private values = new Uint32Array(this.slots);
  private count = 0;

  /** The number that the text has had since an earlier call, or `value`, which it has from now on. */
  claim(text: string, value: number): number {
    if (this.count * 3 > this.slots * 2) this.grow();
    const digest = hash('sha256', text, 'binary');
    const key = [wordOf(digest, 0), wordOf(digest, 4), wordOf(digest, 8)] as const;
    const slot = this.find(key);
    if (this.values[slot] !== 0) return this.values[slot]! - 1;
    this.set(slot, key, value + 1);
    this.count += 1;
    return value;
  }

  private find([a, b, c]: readonly [number, number, number]): number {
    for (let slot = a % this.slots; ; slot = (slot + 1) % this.slots) {
      const at = slot * words;
      const same = this.keys[at] === a && this.keys[at + 1] === b && this.keys[at + 2] === c;
      if (this.values[slot] === 0 || same) return slot;
    }
  }

  private set(slot: number, key: readonly [number, number, number], value: number): void {
    for (let word = 0; word < words; word += 1) this.keys[slot * words + word] = key[word]!;
    this.values[slot] = value;
  }

  private grow(): void {
    const { keys, values } = this;
    this.slots *= 2;
    this.keys = new Uint32Array(this.slots * words);
    this.values = new Uint32Array(this.slots);
    for (let slot = 0; slot < values.length; slot += 1) {
      if (values[slot] === 0) continue;
      const key = [keys[slot * words]!, keys[slot * words + 1]!, keys[slot * words + 2]!] as const;
      this.set(this.find(key), key, values[slot]!);
    }
  }
}

const wordOf = (bytes: string, at: number): number =>
  (bytes.charCodeAt(at) | (bytes.charCodeAt(at + 1) << 8) | (bytes.charCodeAt(at + 2) << 16) | (bytes.charCodeAt(at + 3) << 24)) >>> 0;
