import type { Payload } from '@temporalio/common';
import { z } from 'zod';

/** The most payloads of one request. */
const maxPayloads = 10_000;

const bytes = z
  .string()
  .regex(/^[A-Za-z0-9+/_-]*={0,2}$/, 'must be base64')
  .transform((text) => new Uint8Array(Buffer.from(text, 'base64')));
/** Fields of later versions of Temporal stay as they are. */
const payloadSchema = z.looseObject({ metadata: z.record(z.string(), bytes).nullish(), data: bytes.nullish() });
const bodySchema = z.object({ payloads: z.array(payloadSchema).max(maxPayloads).default([]) }, 'must be an object with payloads');

/** What Temporal's tools send to a codec endpoint is not that; the message names places, never contents. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** The payloads of a request, in Protobuf's JSON form. @throws WireError */
export function readPayloads(body: unknown): Payload[] {
  const { success, data, error } = bodySchema.safeParse(body);
  if (success) return data.payloads.map(({ metadata, data: content, ...rest }) => ({ ...rest, metadata: metadata ?? null, data: content ?? null }));
  throw new WireError(error.issues.slice(0, 3).map(({ path, message }) => `${path.slice(0, 3).join('.') || 'the body'}: ${message}`).join('; '));
}

/** The answer of a codec endpoint. */
export function writePayloads(payloads: Payload[]): object {
  const base64 = (content: Uint8Array): string => Buffer.from(content).toString('base64');
  const written = ({ metadata, data, ...rest }: Payload) => ({
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => !Array.isArray(value) || value.length > 0)),
    ...(metadata && { metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, base64(value)])) }),
    ...(data && data.length > 0 && { data: base64(data) }),
  });
  return { payloads: payloads.map(written) };
}
