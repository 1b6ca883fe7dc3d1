import { z } from 'zod';
import type { PayloadKeys } from '../codec/payload-codec';
import { PayloadKey, payloadKeyRule } from '../codec/payload-key';
import { fromFile, oneLine } from './key-file';
import { Secret } from './secret';

/** Shortest token that the codec endpoint takes: it guards every plain text. */
const minTokenLength = 16;
const advice = 'make one with: openssl rand -base64 32, and give the same one to every worker, receiver and client';

const payloadKey = z.string().transform((text, context) => {
  try {
    return PayloadKey.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: `must be ${payloadKeyRule}; ${advice}` });
    return z.NEVER;
  }
});
const token = oneLine.refine((text) => text.length >= minTokenLength, `must have at least ${minTokenLength} characters`).transform((text) => new Secret(text));

/** Variables about encryption of what Temporal stores. */
export const payloadShape = {
  PLANGREP_PAYLOAD_KEY: payloadKey.optional(),
  PLANGREP_PAYLOAD_KEY_FILE: fromFile((read) => read()).pipe(payloadKey).optional(),
  PLANGREP_PAYLOAD_KEYS_OLD: z.string().transform((list) => list.split(',').map((key) => key.trim()).filter(Boolean)).pipe(z.array(payloadKey)).default([]),
  PLANGREP_CODEC_TOKEN: token.optional(),
  PLANGREP_CODEC_TOKEN_FILE: fromFile((read) => read()).pipe(token).optional(),
};
type PayloadEnvironment = z.output<z.ZodObject<typeof payloadShape>>;

/** What encrypts and decrypts; nothing encrypts when no key is set. */
export const payloadKeysOf = ({ PLANGREP_PAYLOAD_KEY_FILE: fromFile, PLANGREP_PAYLOAD_KEY: plain, PLANGREP_PAYLOAD_KEYS_OLD: old }: PayloadEnvironment): PayloadKeys =>
  Object.freeze({ current: fromFile ?? plain ?? null, old: Object.freeze(old) });

/** What the codec endpoint wants to hear; null when it asks for nothing. */
export const codecTokenOf = ({ PLANGREP_CODEC_TOKEN_FILE: fromFile, PLANGREP_CODEC_TOKEN: plain }: PayloadEnvironment): Secret | null => fromFile ?? plain ?? null;

/** What is wrong with the keys together: one name for two of them, or one that seals remote secrets too. */
export function payloadKeyProblems({ current, old }: PayloadKeys, secretKeys: readonly Secret<Buffer>[]): { variable: string; message: string }[] {
  const named = [...(current ? [['PLANGREP_PAYLOAD_KEY', current] as const] : []), ...old.map((key) => ['PLANGREP_PAYLOAD_KEYS_OLD', key] as const)];
  return named.flatMap(([variable, key], index) => {
    if (secretKeys.some((secret) => key.isBytes(secret.reveal()))) return [{ variable, message: `holds the secret key (PLANGREP_SECRET_KEY) as ${key.id}: make another one, since whoever may read batches must not open sealed secrets` }];
    const other = named.slice(0, index).find(([, earlier]) => earlier.id === key.id && !earlier.sameBytes(key));
    return other ? [{ variable, message: `has two keys called ${key.id}: give each key a name of its own, NAME:BASE64` }] : [];
  });
}
