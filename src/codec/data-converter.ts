import type { DataConverter, PayloadCodec } from '@temporalio/common';
import { EncryptionCodec, type PayloadKeys } from './payload-codec';
import { PayloadKey } from './payload-key';

/** The module that workflows need too, for a bundle made with encryption. */
export const failureConverterPath = require.resolve('./failure-converter');

/** Keys as the environment's variables hold them: `base64` or `name:base64` of 32 bytes. */
export interface PayloadKeyOptions {
  /** As `PLANGREP_PAYLOAD_KEY`. Default: none, and nothing is encrypted. */
  key?: string | null | undefined;
  /** As `PLANGREP_PAYLOAD_KEYS_OLD`, one a place: decrypt only. Default: none. */
  oldKeys?: readonly string[] | undefined;
}

/**
 * What a Temporal client or worker needs to share encrypted batches: the `dataConverter` of `@temporalio/client`. Without keys it encrypts nothing
 * and says which key is missing when it meets encrypted data.
 * @throws RangeError for a key that is none, or two keys of one name
 */
export const createDataConverter = (options: PayloadKeyOptions = {}): DataConverter => dataConverterOf(readKeys(options));

/** Its codec alone, for a data converter of your own; messages of failures stay in plain text with it. @throws as {@link createDataConverter} */
export const createPayloadCodec = (options: PayloadKeyOptions = {}): PayloadCodec => new EncryptionCodec(readKeys(options));

/** See {@link createDataConverter}. */
export const dataConverterOf = (keys: PayloadKeys): DataConverter => ({
  payloadCodecs: [new EncryptionCodec(keys)],
  ...(keys.current && { failureConverterPath }),
});

const readKeys = ({ key, oldKeys = [] }: PayloadKeyOptions): PayloadKeys => ({ current: key ? PayloadKey.parse(key) : null, old: oldKeys.map((old) => PayloadKey.parse(old)) });
