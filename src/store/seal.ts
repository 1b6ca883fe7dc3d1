import { createCipheriv, createDecipheriv, createHash, createHmac, createSecretKey, hkdfSync, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';

/** Bytes of a key. */
export const sealKeyBytes = 32;

const cipher = 'aes-256-gcm';
const format = 'v1';
const nonceBytes = 12;
const tagBytes = 16;
const keyIdBytes = 4;
/** Part of the derived signing key; addresses with tokens are out in the world, so it never changes. */
const signingLabel = 'plangrep-batch/sign/v1';

interface SealKey {
  id: string;
  key: KeyObject;
  /** Derived, so that what signs cannot be used to open. */
  signing: KeyObject;
}

/** A sealed text cannot be opened, or a key cannot be used. The message holds neither text nor key. */
export class SealError extends Error {
  override readonly name = 'SealError';
  /** The text is not what was sealed, here: no key will ever open it. */
  readonly isDamage: boolean;
  constructor(message: string, { isDamage = false }: { isDamage?: boolean } = {}) {
    super(message);
    this.isDamage = isDamage;
  }
}

/**
 * Seals remote secrets before they reach the store or a workflow's memo: AES-256-GCM with a random 96-bit nonce.
 * A sealed text is `v1.<key id>.<nonce, ciphertext and tag in base64url>` and opens only in the context it was sealed in, so that
 * a secret cannot be moved to another job's place. The key id is the first 4 bytes of the key's SHA-256, in hex.
 */
export class Seal {
  readonly #current: SealKey;
  readonly #keys: SealKey[];

  /**
   * @param key 32 bytes; seals.
   * @param oldKeys earlier keys, which only open: a rotation replaces `key` and keeps the one before here until nothing needs it.
   * @throws SealError when a key has another length
   */
  constructor(key: Buffer, oldKeys: Buffer[] = []) {
    this.#current = sealKey(key);
    this.#keys = [this.#current, ...oldKeys.map(sealKey)];
  }

  /** Seals `plain` for `context` (the workflow id of the job it belongs to). Two seals of the same text differ. */
  seal(plain: string, context: string): string {
    const nonce = randomBytes(nonceBytes);
    const gcm = createCipheriv(cipher, this.#current.key, nonce, { authTagLength: tagBytes });
    gcm.setAAD(Buffer.from(context));
    const sealed = Buffer.concat([nonce, gcm.update(plain, 'utf8'), gcm.final(), gcm.getAuthTag()]);
    return `${format}.${this.#current.id}.${sealed.toString('base64url')}`;
  }

  /**
   * The text that was sealed.
   * @throws SealError for another format, an unknown key, another context, or a text that was changed
   */
  open(sealed: string, context: string): string {
    const match = /^v1\.([0-9a-f]{8})\.([\w-]+)$/.exec(sealed);
    const bytes = Buffer.from(match?.[2] ?? '', 'base64url');
    // Base64url has several spellings of one value; only the one that was written is taken.
    if (!match || bytes.length < nonceBytes + tagBytes || bytes.toString('base64url') !== match[2]) {
      throw new SealError('this is not a sealed text of a known format', { isDamage: true });
    }
    const candidates = this.#keys.filter((key) => key.id === match[1]);
    if (candidates.length === 0) {
      throw new SealError(`sealed with key ${match[1]}, which is not among the keys given; add it to the old secret keys`);
    }
    for (const { key } of candidates) {
      const plain = decrypt(key, bytes, context);
      if (plain !== null) return plain;
    }
    throw new SealError('the sealed text was changed, or belongs to another place', { isDamage: true });
  }

  /** A signature that only holders of the key can make: HMAC-SHA256, 43 characters of base64url. The same text gives the same signature. */
  sign(text: string): string {
    return signature(this.#current, text);
  }

  /** Whether the current key, or one of the earlier ones, made this signature of the text. Compares in constant time. */
  isSigned(text: string, given: string): boolean {
    return this.#keys.map((key) => isSame(signature(key, text), given)).includes(true);
  }
}

const signature = ({ signing }: SealKey, text: string): string => createHmac('sha256', signing).update(text).digest('base64url');

function isSame(expected: string, given: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function sealKey(key: Buffer): SealKey {
  if (key.length !== sealKeyBytes) throw new SealError(`a secret key must have ${sealKeyBytes} bytes, this one has ${key.length}`);
  const id = createHash('sha256').update(key).digest('hex').slice(0, keyIdBytes * 2);
  const signing = createSecretKey(Buffer.from(hkdfSync('sha256', key, '', signingLabel, sealKeyBytes)));
  return { id, key: createSecretKey(key), signing };
}

function decrypt(key: KeyObject, sealed: Buffer, context: string): string | null {
  const gcm = createDecipheriv(cipher, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
  gcm.setAAD(Buffer.from(context));
  gcm.setAuthTag(sealed.subarray(-tagBytes));
  try {
    return Buffer.concat([gcm.update(sealed.subarray(nonceBytes, -tagBytes)), gcm.final()]).toString('utf8');
  } catch {
    return null;
  }
}
