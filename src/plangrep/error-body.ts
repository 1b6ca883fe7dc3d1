/** What an error's body says: a code to branch on, and a text for people. */
export interface ErrorText {
  code: string | null;
  message: string | null;
}

const codePattern = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/;
const longestMessage = 300;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function asCode(value: unknown): string | null {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && codePattern.test(text) ? text : null;
}

/** A text that may be shown: one line, at most 300 characters, URLs cut to their origin, the given secrets and any bearer key blotted out. */
export function publicText(text: string, secrets: readonly string[] = []): string {
  const blotted = secrets.filter((secret) => secret.length > 0).reduce((all, secret) => all.replaceAll(secret, '[secret]'), text);
  return blotted
    .replace(/\b(https?:\/\/[^\s/?#"'<>]+)[^\s"'<>]*/gi, '$1/...')
    .replace(/\bbearer\s+\S+/gi, 'Bearer [secret]')
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, longestMessage);
}

function fromJson(body: unknown): ErrorText {
  if (!isObject(body)) return { code: null, message: null };
  const inner = body['error'];
  if (typeof inner === 'string') {
    const said = typeof body['message'] === 'string' ? body['message'] : inner;
    return { code: asCode(body['code']) ?? asCode(inner), message: said };
  }
  const source = isObject(inner) ? inner : body;
  const message = source['message'] ?? body['message'];
  return { code: asCode(source['code']) ?? asCode(body['code']), message: typeof message === 'string' ? message : null };
}

/** Reads an API error: nested `{error: {code, message}}`, flat `{code, message}`, or `error` as a text. Anything else says nothing. */
export function readApiError(body: string): ErrorText {
  try {
    return fromJson(JSON.parse(body));
  } catch {
    return { code: null, message: null };
  }
}

/** Reads a storage error: the code of an S3-style XML body. Its text is left alone, since it can repeat the signed request. */
export function readStorageError(body: string): ErrorText {
  return { code: asCode(/<Code>\s*([^<\s]{1,100})\s*<\/Code>/.exec(body)?.[1]), message: null };
}
