import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RequestFault } from './faults';
import type { SimJob } from './job';
import type { SimulatorState } from './state';

const gatewayPage = '<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>\n';

/** The code that an error of this status has when it is none of ours. */
const codes: Record<number, string> = {
  401: 'unauthorized', 402: 'insufficient_credits', 403: 'insufficient_scope', 404: 'not_found', 409: 'invalid_state', 413: 'limit_exceeded', 429: 'rate_limited',
};

/** Lets scripted faults happen to the requests of a server. */
export function meetFaults(app: FastifyInstance, state: SimulatorState): void {
  app.addHook('onRequest', async (request, reply) => {
    const { operation } = request.routeOptions.config;
    const fault = operation === undefined ? undefined : state.faults.forRequest(operation, request.url, jobOf(state, request));
    if (!fault || operation === undefined) return;
    request.fault = fault;
    if (fault.delayMs !== undefined) await sleep(fault.delayMs, undefined, { ref: false });
    if (fault.drop === 'before') return cut(state, operation, request, reply);
    if (answersItself(fault) && !fault.after) return sendScripted(fault, reply);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const { fault } = request;
    const { operation } = request.routeOptions.config;
    if (!fault || operation === undefined) return payload;
    if (fault.drop === 'after') return cut(state, operation, request, reply);
    if (fault.truncateBytes !== undefined) return cutShort(reply, payload, fault.truncateBytes);
    if (fault.etag !== undefined) reply.header('etag', fault.etag);
    const answer = answersItself(fault) && fault.after ? replaceAnswer(fault, reply) : payload;
    return spoilt(fault, reply, answer);
  });
}

function jobOf(state: SimulatorState, request: FastifyRequest): SimJob | undefined {
  const { jobId } = (request.params ?? {}) as { jobId?: string };
  return jobId === undefined ? undefined : state.jobs.get(jobId);
}

/** Effects that leave the answer what it is, though late or spoilt. */
const lesserEffects = ['drop', 'truncateBytes', 'etag', 'delayMs', 'stallBytes', 'dripBytesPerSecond', 'lengthOff', 'gzip'] as const;

/** A fault with no other effect but a lesser one leaves the answer as it is; one with none at all answers 500. */
function answersItself(fault: RequestFault): boolean {
  if (fault.status !== undefined || fault.html || fault.body !== undefined) return true;
  return lesserEffects.every((effect) => fault[effect] === undefined);
}

function scripted(fault: RequestFault): { status: number; type: string; body: string } {
  const status = fault.status ?? (fault.html ? 502 : 500);
  if (fault.html) return { status, type: 'text/html', body: gatewayPage };
  if (typeof fault.body === 'string') return { status, type: 'text/plain', body: fault.body };
  const body = fault.body ?? { error: { code: codes[status] ?? 'scripted_fault', message: 'A scripted fault.' } };
  return { status, type: 'application/json', body: JSON.stringify(body) };
}

function sendScripted(fault: RequestFault, reply: FastifyReply): FastifyReply {
  const { status, type, body } = scripted(fault);
  return reply.code(status).header('content-type', type).headers(fault.headers ?? {}).send(body);
}

function replaceAnswer(fault: RequestFault, reply: FastifyReply): string {
  const { status, type, body } = scripted(fault);
  reply.removeHeader('content-length').code(status).header('content-type', type).headers(fault.headers ?? {});
  return body;
}

/** An answer of the right content in the wrong form. */
function spoilt({ gzip, lengthOff, dripBytesPerSecond }: RequestFault, reply: FastifyReply, payload: unknown): unknown {
  if (gzip === undefined && lengthOff === undefined && dripBytesPerSecond === undefined) return payload;
  let body = piecesOf(payload);
  if (gzip) {
    reply.removeHeader('content-length').header('content-encoding', 'gzip');
    body = Readable.from(body).pipe(createGzip());
  } else {
    const sizeBytes = Array.isArray(body) ? body[0]!.length : Number(reply.getHeader('content-length') ?? 0);
    if (sizeBytes > 0) reply.header('content-length', sizeBytes + (lengthOff ?? 0));
  }
  return Readable.from(dripBytesPerSecond === undefined ? body : drip(body, dripBytesPerSecond), { objectMode: false });
}

/** The body of an answer: in one piece, or as it is made. */
const piecesOf = (payload: unknown): Buffer[] | AsyncIterable<Buffer | string> =>
  typeof payload === 'string' || Buffer.isBuffer(payload) ? [Buffer.from(payload as string)] : (payload as AsyncIterable<Buffer | string>);

/** Ten times a second a little, one byte at least. */
async function* drip(body: Iterable<Buffer> | AsyncIterable<Buffer | string>, bytesPerSecond: number): AsyncGenerator<Buffer> {
  const step = Math.max(1, Math.floor(bytesPerSecond / 10));
  for await (const piece of body) {
    const bytes = Buffer.from(piece as string);
    for (let at = 0; at < bytes.length; at += step) {
      yield bytes.subarray(at, at + step);
      await sleep((1000 * step) / bytesPerSecond, undefined, { ref: false });
    }
  }
}

function cut(state: SimulatorState, operation: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  state.counters.count(operation, 'dropped');
  request.raw.socket.destroy();
  return reply.hijack();
}

/** The first bytes of an answer that promises all of them; then the connection is cut. */
function cutShort(reply: FastifyReply, payload: unknown, bytes: number): Readable {
  const whole = piecesOf(payload);
  if (Array.isArray(whole)) reply.header('content-length', whole[0]!.length);
  return Readable.from(firstBytes(whole, bytes), { objectMode: false });
}

async function* firstBytes(whole: Iterable<Buffer> | AsyncIterable<Buffer | string>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const piece of whole) {
    const chunk = Buffer.from(piece as string).subarray(0, left);
    left -= chunk.length;
    yield chunk;
    if (left <= 0) break;
  }
  // What was written should have left before the error below makes the server cut the connection.
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  throw new Error('cut by a scripted fault');
}
