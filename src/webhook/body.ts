import type { IncomingMessage } from 'node:http';

/** The most that a webhook's body may have, in bytes: equal allowed. */
export const maxBodyBytes = 256 * 1024;

/** The bytes of a request's body as they came; null when there are more than {@link maxBodyBytes}: the rest is passed over. @throws when the sender goes away */
export async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return null;
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBodyBytes) chunks.push(chunk);
      else resolve(null);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => reject(new Error('the sender went away')));
  });
}
