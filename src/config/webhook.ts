import { z } from 'zod';
import { defaultScheme, type SignatureScheme } from '../plangrep/signature';

/** How webhooks reach us, and how they are signed. */
export interface WebhookSettings {
  /**
   * `PLANGREP_WEBHOOK_URL`: the public address below which Plangrep posts, without a slash at the end; null means polling only. https, or
   * http on this machine. Its path is a prefix that the receiver takes with or without.
   */
  readonly url: string | null;
  /** `PLANGREP_WEBHOOK_SIGNATURE_*` and `PLANGREP_WEBHOOK_TIMESTAMP_*`; the documentation leaves the scheme open (/api-reference/jobs/create-job). */
  readonly scheme: Readonly<SignatureScheme>;
}

const headerName = z.string().trim().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'must be the name of a header').transform((name) => name.toLowerCase());
const noPrefix = 'none';

/** Variables of the receiver, beside the address. */
export const webhookShape = {
  PLANGREP_WEBHOOK_SIGNATURE_HEADER: headerName.default(defaultScheme.header),
  PLANGREP_WEBHOOK_SIGNATURE_PREFIX: z.string().trim().regex(/^[\x21-\x2b\x2d-\x7e]{1,100}$/, 'must be one word of printable characters without a comma, or none').optional(),
  PLANGREP_WEBHOOK_SIGNATURE_ALGORITHM: z.enum(['sha256', 'sha512'], 'must be sha256 or sha512').default(defaultScheme.algorithm),
  PLANGREP_WEBHOOK_SIGNATURE_ENCODING: z.enum(['hex', 'base64'], 'must be hex or base64').default(defaultScheme.encoding),
  PLANGREP_WEBHOOK_TIMESTAMP_HEADER: headerName.optional(),
  PLANGREP_WEBHOOK_TIMESTAMP_SEPARATOR: z.string().trim().regex(/^[\x21-\x7e]{1,10}$/, 'must be 1 to 10 printable characters, or none').default('.'),
  PLANGREP_WEBHOOK_TIMESTAMP_TOLERANCE_SECONDS: z.string().trim().regex(/^\d+$/, 'must be a whole number').transform(Number).pipe(z.number().min(1, 'must be at least 1').max(86_400, 'must be at most 86400')).default(300),
};
type WebhookEnvironment = z.output<z.ZodObject<typeof webhookShape>>;

const wordOf = (text: string): string => (text === noPrefix ? '' : text);

/** The settings that the variables give. An empty variable counts as not set, so `none` stands for an empty prefix or separator. */
export function webhookOf(url: string | null, read: WebhookEnvironment): WebhookSettings {
  const timestampHeader = read.PLANGREP_WEBHOOK_TIMESTAMP_HEADER;
  const scheme: SignatureScheme = {
    header: read.PLANGREP_WEBHOOK_SIGNATURE_HEADER,
    prefix: wordOf(read.PLANGREP_WEBHOOK_SIGNATURE_PREFIX ?? `${read.PLANGREP_WEBHOOK_SIGNATURE_ALGORITHM}=`),
    algorithm: read.PLANGREP_WEBHOOK_SIGNATURE_ALGORITHM,
    encoding: read.PLANGREP_WEBHOOK_SIGNATURE_ENCODING,
    timestamp:
      timestampHeader === undefined
        ? null
        : { header: timestampHeader, separator: wordOf(read.PLANGREP_WEBHOOK_TIMESTAMP_SEPARATOR), toleranceMs: read.PLANGREP_WEBHOOK_TIMESTAMP_TOLERANCE_SECONDS * 1000 },
  };
  return Object.freeze({ url, scheme: Object.freeze(scheme) });
}
