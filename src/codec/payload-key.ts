import { createCipheriv, createDecipheriv, createHash, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';

/** Bytes of a key. */
export const payloadKeyBytes = 32;

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;
/** First byte of what is encrypted, so that another format can follow. */
const version = 1;
/** Longest name of a key, and of how many bytes of its SHA-256 the name is made when it has none. */
const [maxIdLength, derivedIdBytes] = [64, 4];
const idPattern = new RegExp(`^[A-Za-z0-9._-]{1,${maxIdLength}}$`);

/** What a text that gives a key must look like; part of every message about one. */
export const payloadKeyRule = `32 bytes in base64, or a name for them, a colon and the bytes; a name has 1 to ${maxIdLength} letters, digits and ". _ -"`;

/**
 * One AES-256-GCM key and its name, which stands in clear text beside whatever the key encrypted. It shows its name and nothing else,
 * whoever prints, inspects, copies or serialises it.
 */
export class PayloadKey {
  readonly id: string;
  readonly #key: KeyObject;
  /** Proves name and version along with the content, so that neither can be exchanged. */
  readonly #associated: Buffer;

  /** @throws RangeError for another length or name; the message holds neither */
  constructor(id: string, bytes: Uint8Array) {
    if (bytes.length !== payloadKeyBytes || !idPattern.test(id)) throw new RangeError(`a payload key must be ${payloadKeyRule}`);
    this.id = id;
    this.#key = createSecretKey(bytes);
    this.#associated = Buffer.from(`plangrep-batch/payload/v${version}/${id}`);
  }

  /**
   * Reads `base64` or `name:base64`. Without a name it gets one made of its SHA-256, so that all who have the key call it the same.
   * @throws RangeError; the message does not repeat the text
   */
  static parse(text: string): PayloadKey {
    const [, id, base64 = ''] = /^(?:([^:]*):)?([A-Za-z0-9+/_-]{43}=?)$/.exec(text.trim()) ?? [];
    const bytes = Buffer.from(base64, 'base64');
    return new PayloadKey(id ?? createHash('sha256').update(bytes).digest('hex').slice(0, derivedIdBytes * 2), bytes);
  }

  /** Whether both are the same bytes, whatever they are called. */
  sameBytes(other: PayloadKey): boolean {
    return this.#key.equals(other.#key);
  }

  /** Whether it is these bytes. */
  isBytes(bytes: Uint8Array): boolean {
    return this.#key.equals(createSecretKey(bytes));
  }

  /** Version, a random nonce, ciphertext and tag. Two calls never give the same. */
  encrypt(plain: Uint8Array): Buffer {
    const nonce = randomBytes(nonceBytes);
    const gcm = createCipheriv(cipher, this.#key, nonce, { authTagLength: tagBytes });
    gcm.setAAD(this.#associated);
    return Buffer.concat([Buffer.of(version), nonce, gcm.update(plain), gcm.final(), gcm.getAuthTag()]);
  }

  /** What was encrypted; null when it was changed, cut, or encrypted with another key or under another name. */
  decrypt(encrypted: Uint8Array): Buffer | null {
    if (encrypted.length < 1 + nonceBytes + tagBytes || encrypted[0] !== version) return null;
    const gcm = createDecipheriv(cipher, this.#key, encrypted.subarray(1, 1 + nonceBytes), { authTagLength: tagBytes });
    gcm.setAAD(this.#associated);
    gcm.setAuthTag(encrypted.subarray(-tagBytes));
    try {
      return Buffer.concat([gcm.update(encrypted.subarray(1 + nonceBytes, -tagBytes)), gcm.final()]);
    } catch {
      return null;
    }
  }
}
