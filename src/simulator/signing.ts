import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ApiError } from './errors';

/** A URL's query; a name that comes twice has a list. */
export type Query = Record<string, string | string[] | undefined>;

const text = (value: string | string[] | undefined): string => (typeof value === 'string' ? value : '');

/** Makes and checks upload tokens and signed URLs, from a secret that lives as long as the process. */
export class Signer {
  readonly #secret = randomBytes(32);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The token of a registered document; after base64 content it is another one. */
  uploadToken(documentId: string, base64: boolean): string {
    return `ut_${this.#sign(base64 ? 'stored' : 'registered', documentId).slice(0, 32)}`;
  }

  /** The id of a document's multipart upload. */
  multipartUploadId(documentId: string): string {
    return `mpu_${this.#sign('multipart', documentId).slice(0, 24)}`;
  }

  /** The id of a document among `job.files`; not its documentId, and there is no way from one to the other. */
  fileId(documentId: string): string {
    return `file_${this.#sign('file', documentId).slice(0, 20)}`;
  }

  /** A URL for one method, valid until an instant. */
  signedUrl(origin: string, method: string, path: string, expiresAtMs: number): string {
    const signature = this.#sign(method, path, String(expiresAtMs));
    return `${origin}${path}?X-Expires=${expiresAtMs}&X-Signature=${signature}`;
  }

  /** Whether a request came by a URL of ours that is still valid. @throws ApiError 403 */
  check(method: string, path: string, query: Query): void {
    const expires = text(query['X-Expires']);
    const given = Buffer.from(text(query['X-Signature']));
    const expected = Buffer.from(this.#sign(method, path, expires));
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new ApiError(403, 'SignatureDoesNotMatch', 'The signature of this URL is not ours.');
    }
    if (this.#now() >= Number(expires)) throw new ApiError(403, 'AccessDenied', 'Request has expired');
  }

  #sign(...parts: string[]): string {
    return createHmac('sha256', this.#secret).update(parts.join('\n')).digest('hex');
  }
}
