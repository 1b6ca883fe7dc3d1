import type { IncomingMessage } from 'node:http';

/** The most that a webhook's body may have, in bytes: equal allowed. */
export const maxBodyBytes = 256 * 1024;
/** Of a body that is of no use, so much is passed over, in bytes, before the connection is closed. */
const passedOverBytes = 64 * 1024;

/**
 * The bytes of a request's body as they came; `too_large` with more than {@link maxBodyBytes}, `no_room` when `reserve` refuses some of them: the rest is
 * not read.
 * @throws when the sender goes away
 */
export async function readBody(request: IncomingMessage, reserve: (bytes: number) => boolean): Promise<Buffer | 'too_large' | 'no_room'> {
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return 'too_large';
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    const stop = (why: 'too_large' | 'no_room'): void => {
      request.removeListener('data', take).pause();
      resolve(why);
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBodyBytes) return stop('too_large');
      if (!reserve(chunk.length)) return stop('no_room');
      chunks.push(chunk);
    };
    request.on('data', take);
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => reject(new Error('the sender went away')));
  });
}

/** Whether so much of a request's body may still come that waiting for its end is no way to keep the connection. */
export function hasMuchLeft({ complete, headers }: IncomingMessage): boolean {
  return !complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > passedOverBytes);
}

/**
 * Waits until a request's body has come, or its sender is gone, or `ms` are over; reads only a little of it meanwhile. Whose connection is closed while he sends may
 * never see the answer that was given.
 */
export function passOver(request: IncomingMessage, ms: number): Promise<void> {
  let left = passedOverBytes;
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    request.on('data', (chunk: Buffer) => (left -= chunk.length) < 0 && request.pause());
    for (const end of ['end', 'close']) {
      request.once(end, () => {
        clearTimeout(timer);
        resolve();
      });
    }
    request.resume();
  });
}
