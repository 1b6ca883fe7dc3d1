import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * How webhooks are signed. The documentation says that they are, not how (/api-reference/jobs/create-job), so every part
 * can be set; what is signed is the raw body, or `<time><separator><raw body>` when a time is sent along.
 */
export interface SignatureScheme {
  /** Header that holds the signature, or several between commas or spaces. Any case. */
  header: string;
  /** What stands before each signature, such as `sha256=`. May be empty. */
  prefix: string;
  algorithm: 'sha256' | 'sha512';
  encoding: 'hex' | 'base64';
  /** Null when no time is signed. `toleranceMs` bounds the age in both directions and must be finite and above 0. */
  timestamp: { header: string; separator: string; toleranceMs: number } | null;
}

/** HMAC-SHA256 over the raw body, in hex: an assumption, used until the real scheme is known. */
export const defaultScheme: Readonly<SignatureScheme> = { header: 'x-plangrep-signature', prefix: 'sha256=', algorithm: 'sha256', encoding: 'hex', timestamp: null };

/** A request's headers by their lowercase names. */
export type WebhookHeaders = Record<string, string | string[] | undefined>;

/** The signature of a body, with its prefix. `timestamp` is the signed time in seconds since 1970, for schemes that have one. */
export function signWebhook(secret: string, body: Uint8Array | string, scheme: SignatureScheme = defaultScheme, timestamp = ''): string {
  return scheme.prefix + digest(secret, body, scheme, timestamp).toString(scheme.encoding);
}

function digest(secret: string, body: Uint8Array | string, scheme: SignatureScheme, timestamp: string): Buffer {
  const hmac = createHmac(scheme.algorithm, secret);
  if (scheme.timestamp) hmac.update(timestamp + scheme.timestamp.separator);
  return hmac.update(body).digest();
}

/**
 * Whether a webhook was signed with this secret, and, when the scheme signs a time, at most `toleranceMs` before or after
 * `nowMs`. `body` must be the bytes as received, before any parsing. Compares in constant time.
 * @throws RangeError when the scheme's tolerance is not finite
 */
export function verifyWebhook(request: { headers: WebhookHeaders; body: Uint8Array | string }, secret: string, nowMs: number, scheme: SignatureScheme = defaultScheme): boolean {
  const timestamp = scheme.timestamp ? header(request.headers, scheme.timestamp.header) : '';
  if (scheme.timestamp && !isFresh(timestamp, nowMs, scheme.timestamp.toleranceMs)) return false;
  const expected = digest(secret, request.body, scheme, timestamp);
  const given = header(request.headers, scheme.header).split(/[,\s]+/).filter((text) => text !== '');
  return secret !== '' && given.some((text) => isSame(text, expected, scheme));
}

function header(headers: WebhookHeaders, name: string): string {
  const value = headers[name.toLowerCase()];
  return (Array.isArray(value) ? value.join(',') : value) ?? '';
}

function isFresh(timestamp: string, nowMs: number, toleranceMs: number): boolean {
  if (!(toleranceMs > 0 && Number.isFinite(toleranceMs))) throw new RangeError('The tolerance of a signed time must be finite and above 0');
  return /^\d{1,12}$/.test(timestamp) && Math.abs(Number(timestamp) * 1000 - nowMs) <= toleranceMs;
}

/** Compares the texts: decoders take several spellings of the same bytes, and half a byte more. Hex counts in any case, Base64 with or without its padding. */
function isSame(text: string, expected: Buffer, { prefix, encoding }: SignatureScheme): boolean {
  if (!text.startsWith(prefix)) return false;
  const bytes = (digits: string): Buffer => Buffer.from(encoding === 'hex' ? digits.toLowerCase() : digits.replace(/={1,2}$/, ''));
  const [given, right] = [bytes(text.slice(prefix.length)), bytes(expected.toString(encoding))];
  return given.length === right.length && timingSafeEqual(given, right);
}
