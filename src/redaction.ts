/** What stands in place of a secret. */
export const censored = '[secret]';

/**
 * Fields that hold a secret, or something that may contain one, wherever they stand. Compared in lower case, without hyphens and underscores:
 * the one list for `apiKey`, `X-Api-Key` and `PLANGREP_API_KEY`.
 */
const wholeNames = new Set(['url', 'uploadurl', 'resulturl', 'signedurl', 'headers', 'rawheaders', 'parts', 'body', 'connectionoptions', 'env', 'tls']);
const endings = /(apikey|secretkey|privatekey|payloadkey|signingkey|accesskey|keysold|secret|secrets|token|tokens|password|passphrase|authorization|cookie|cookies|credential|credentials|signature)$/;

/** Whether a field of this name is never shown. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replaceAll(/[-_]/g, '');
  return wholeNames.has(plain) || endings.test(plain);
}

/** What a signature, token or key looks like inside any text: queries and users of addresses, bearer and basic credentials, and `name: value` of a secret's name. */
const secretText: [RegExp, string][] = [
  [/(https?:\/\/[^\s"'?\\<>]{1,1000})\?[^\s"'\\<>]*/gi, `$1?${censored}`],
  [/(https?:\/\/)[^\s"'/@\\<>]+@/gi, `$1${censored}@`],
  [/(bearer\s+)[^\s"'\\,]+/gi, `$1${censored}`],
  [/(\bbasic\s+)(?=[\w+/-]{0,1000}[\d=+/_-]|[\w+/-]{20})[^\s"'\\,]+/gi, `$1${censored}`],
  [/((?:api[-_]?key|(?:secret|private|payload|signing|access)[-_]?key|keys[-_]?old|secret|token|password|passphrase|authorization|cookie|signature)\\*["']?\s*[:=]\s*\\*["']?)(?:(?:bearer|basic)\s+)?[^\s"'\\,;&}\]]+/gi, `$1${censored}`],
];

/** The text without what is known to be secret, the queries of its addresses, which is where signed ones keep their signature, and credentials. */
export const withoutSecrets = (text: string, known: readonly string[] = []): string =>
  secretText.reduce((clean, [pattern, instead]) => clean.replace(pattern, instead), known.reduce((clean, secret) => (secret === '' ? clean : clean.replaceAll(secret, censored)), text));

/** A value of JSON without secrets: known fields by name at any depth, values that follow such a name in a list, bytes, and secrets in any text. */
export function redacted(value: unknown, known: readonly string[] = []): unknown {
  if (typeof value === 'string') return withoutSecrets(value, known);
  if (Array.isArray(value)) return value.map((one: unknown, index) => (isNamed(value[index - 1]) ? hidden(one) : redacted(one, known)));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  if (isBytes(entries)) return `[${entries.length} bytes]`;
  return Object.fromEntries(entries.map(([name, one]) => [withoutSecrets(name, known), isSecretName(name) ? hidden(one) : redacted(one, known)]));
}

/** Absence and flags tell nothing, and say much to whoever looks for a mistake. */
const hidden = (value: unknown): unknown => (value === null || typeof value === 'boolean' ? value : censored);

const isNamed = (before: unknown): boolean => typeof before === 'string' && before.length < 100 && isSecretName(before);

/** Buffers and byte arrays, as JSON has them. */
const isBytes = (entries: [string, unknown][]): boolean =>
  (entries.length === 2 && entries[0]![0] === 'type' && entries[0]![1] === 'Buffer' && Array.isArray(entries[1]![1])) ||
  (entries.length > 0 && entries.every(([name, value], index) => name === String(index) && Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256));
