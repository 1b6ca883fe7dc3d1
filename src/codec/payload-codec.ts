import type { Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import type { PayloadKey } from './payload-key';

const protoPayload = temporal.api.common.v1.Payload;

/** Names and words of Temporal's own examples of encryption, so that its tools know what they see. */
const metadataNames = { encoding: 'encoding', cipher: 'encryption-cipher', keyId: 'encryption-key-id' } as const;
const [encryptedEncoding, cipherName] = ['binary/encrypted', 'AES-256-GCM'];
/** Longest part of a key's name that is repeated in a message: it may come from anybody. */
const shownIdLength = 64;

/** The keys of a process. */
export interface PayloadKeys {
  /** Encrypts and decrypts; null encrypts nothing. */
  readonly current: PayloadKey | null;
  /** Decrypt what other processes, or this one earlier, encrypted. */
  readonly old: readonly PayloadKey[];
}

/** Encrypted data cannot be read. Its message names the key, and holds neither key nor data. */
export class PayloadCodecError extends Error {
  override readonly name = 'PayloadCodecError';
  /**
   * @param code `unknown_key`: the key is not among those given; giving it heals everything that failed for it. `damaged`: it is, and the
   * data was changed, or encrypted with another key of this name.
   */
  constructor(readonly code: 'unknown_key' | 'damaged', readonly keyId: string, message: string) {
    super(message);
  }

  /** As a problem of a batch, and what commands call it. */
  get problem(): { code: 'payload_key_unknown' | 'payload_damaged'; message: string } {
    return { code: this.code === 'unknown_key' ? 'payload_key_unknown' : 'payload_damaged', message: this.message };
  }
}

/**
 * Encrypts what is handed to Temporal: AES-256-GCM, a random 96-bit nonce a payload, the key's name and the format as associated data. A
 * payload's own metadata is encrypted with it. Payloads that are not encrypted pass as they are, so that running workflows survive
 * switching encryption on, and off while the key is still listed.
 */
export class EncryptionCodec implements PayloadCodec {
  readonly #current: PayloadKey | null;
  readonly #keys: ReadonlyMap<string, PayloadKey>;

  /** @throws RangeError when two keys have one name: nobody could tell which one encrypted something */
  constructor({ current, old }: PayloadKeys) {
    const keys = new Map<string, PayloadKey>();
    for (const key of current ? [current, ...old] : old) {
      const known = keys.get(key.id);
      if (known && !known.sameBytes(key)) throw new RangeError(`two payload keys are called ${key.id}`);
      keys.set(key.id, key);
    }
    this.#current = current;
    this.#keys = keys;
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    const key = this.#current;
    return Promise.resolve(key ? payloads.map((payload) => encrypted(key, payload)) : payloads);
  }

  /** @throws PayloadCodecError, as a rejection */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => (isEncrypted(payload) ? this.#decrypted(payload) : payload));
  }

  #decrypted(encryptedPayload: Payload): Payload {
    const id = encryptionKeyId(encryptedPayload) ?? '';
    const key = this.#keys.get(id);
    if (!key) throw unknownKey(id);
    const plain = key.decrypt(encryptedPayload.data ?? new Uint8Array());
    const payload = plain && parsed(plain);
    if (!payload) throw new PayloadCodecError('damaged', id, `Data that was encrypted with payload key ${id} cannot be read: it was changed, or encrypted with another key of this name. Keys with different bytes need different names.`);
    return payload;
  }
}

/** The name of the key that encrypted a payload; null when it is not encrypted. */
export const encryptionKeyId = (payload: Payload): string | null => (isEncrypted(payload) ? textOf(payload.metadata?.[metadataNames.keyId]).slice(0, shownIdLength) : null);

/** Whether a payload is one of ours, or of another codec that follows Temporal's examples. */
const isEncrypted = ({ metadata }: Payload): boolean => textOf(metadata?.[metadataNames.encoding]) === encryptedEncoding;

function encrypted(key: PayloadKey, payload: Payload): Payload {
  const metadata = { [metadataNames.encoding]: encryptedEncoding, [metadataNames.cipher]: cipherName, [metadataNames.keyId]: key.id };
  return {
    metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value)])),
    data: key.encrypt(protoPayload.encode(payload).finish()),
  };
}

function parsed(plain: Buffer): Payload | null {
  try {
    return protoPayload.decode(plain);
  } catch {
    return null;
  }
}

const textOf = (bytes: Uint8Array | null | undefined): string => (bytes ? Buffer.from(bytes).toString('utf8') : '');

function unknownKey(id: string): PayloadCodecError {
  const shown = /^[\w.-]+$/.test(id) ? id : 'without a readable name';
  return new PayloadCodecError('unknown_key', shown, `Data is encrypted with payload key ${shown}, which this process does not have: add that key to PLANGREP_PAYLOAD_KEYS_OLD and start again. Nothing is lost.`);
}
