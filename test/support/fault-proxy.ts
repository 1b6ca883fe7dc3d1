import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Random } from '../../scripts/documents/random';

/** What befalls an exchange: a request and its answer on one connection. Bytes are counted from its beginning. */
export type ConnectionFault =
  /** Cut with a reset, or as if the other side were done, when so many bytes of the request or of the answer have passed. */
  | { kind: 'reset' | 'fin'; of: 'request' | 'answer'; afterBytes: number }
  /** Nothing passes any more after so many bytes; the connection stays open until somebody ends it. */
  | { kind: 'hold'; of: 'request' | 'answer'; afterBytes: number }
  /** The request has its effect, and nothing of its answer arrives: the connection is reset in its place. */
  | { kind: 'dropAnswer' }
  /** The answer comes at so many bytes a second. */
  | { kind: 'drip'; bytesPerSecond: number }
  /** What passes, in both directions, comes in pieces of 1 to so many bytes. */
  | { kind: 'split'; mostBytes: number };

/** What befalls the next exchange; null: nothing. */
export type Decide = () => ConnectionFault | null;

/** Meaning of the fields: see each. */
export interface SeededFaults {
  /** What happens, and when, follows from it. */
  seed: string;
  /** The share of exchanges that something befalls. */
  rate: number;
  /** What may befall them; a hold holds until its connection is given up. Default: all kinds but `hold` and `drip`. */
  kinds?: readonly ConnectionFault['kind'][];
}

/** Faults at moments that follow from a seed. */
export function seededFaults({ seed, rate, kinds = ['reset', 'fin', 'dropAnswer', 'split'] }: SeededFaults): Decide {
  const random = new Random(seed);
  return () => {
    if (random.next() >= rate) return null;
    const kind = random.pick(kinds);
    if (kind === 'dropAnswer') return { kind };
    if (kind === 'drip') return { kind, bytesPerSecond: random.int(100, 10_000) };
    if (kind === 'split') return { kind, mostBytes: random.int(1, 50) };
    // Most requests and answers have a few hundred bytes; some moments lie far behind them.
    return { kind, of: random.pick(['request', 'answer']), afterBytes: Math.floor(10 ** (4 * random.next())) };
  };
}

interface Exchange {
  fault: ConnectionFault | null;
  passed: { request: number; answer: number };
}

/** Stands between a client and a server, passes bytes on, and lets faults of connections happen to them, scripted ones or such as follow from a seed. */
export class FaultProxy {
  /** How often each kind happened. */
  readonly happened: Partial<Record<ConnectionFault['kind'], number>> = {};
  exchanges = 0;
  readonly #pieces = new Random('pieces');
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(
    private readonly target: string,
    private readonly decide: Decide,
  ) {
    // A client may say that it is done and still wait for the answer.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#serve(client));
  }

  /** @param target `http://host:port` that it leads to */
  static async start(target: string, decide: Decide): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, decide);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(client: Socket): void {
    const { hostname, port } = new URL(this.target);
    const server = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
    let exchange: Exchange = { fault: null, passed: { request: 0, answer: 0 } };
    let turn: 'request' | 'answer' = 'answer';
    const cut = (how: 'reset' | 'fin') => {
      for (const socket of [client, server]) {
        if (how === 'reset') socket.resetAndDestroy();
        else socket.destroySoon();
      }
    };
    const pipe = (from: Socket, to: Socket, of: 'request' | 'answer') => {
      this.#sockets.add(from);
      // Whatever ends one side ends the other.
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroySoon();
      });
      from.on('end', () => to.end());
      from.on('data', (chunk: Buffer) => {
        if (of === 'request' && turn === 'answer') exchange = this.#begin();
        turn = of;
        const pieces = this.#piecesOf(exchange, of, chunk);
        from.pause();
        void send(pieces, to, () => exchange.fault !== null && isDue(exchange.fault, exchange.passed, of)).then((due) => {
          if (!due) return from.resume();
          this.#count(exchange.fault!.kind);
          if (exchange.fault!.kind === 'dropAnswer') cut('reset');
          else if (exchange.fault!.kind === 'reset' || exchange.fault!.kind === 'fin') cut(exchange.fault!.kind);
          // A hold leaves it paused.
        });
      });
    };
    pipe(client, server, 'request');
    pipe(server, client, 'answer');
  }

  #begin(): Exchange {
    this.exchanges += 1;
    const fault = this.decide();
    if (fault?.kind === 'split' || fault?.kind === 'drip') this.#count(fault.kind);
    return { fault, passed: { request: 0, answer: 0 } };
  }

  #count(kind: ConnectionFault['kind']): void {
    this.happened[kind] = (this.happened[kind] ?? 0) + 1;
  }

  /** The chunk in the pieces in which it is sent, each with the wait before the next one, in ms. */
  *#piecesOf({ fault, passed }: Exchange, of: 'request' | 'answer', chunk: Buffer): Generator<{ bytes: Buffer; waitMs: number }> {
    for (let at = 0; at < chunk.length; ) {
      const piece = sizeOf(fault, of, passed, chunk.length - at, this.#pieces);
      passed[of] += piece;
      yield { bytes: chunk.subarray(at, at + piece), waitMs: fault?.kind === 'drip' && of === 'answer' ? (1000 * piece) / fault.bytesPerSecond : 0 };
      if (fault && isDue(fault, passed, of)) return;
      at += piece;
    }
  }
}

function sizeOf(fault: ConnectionFault | null, of: 'request' | 'answer', passed: Exchange['passed'], left: number, random: Random): number {
  if (fault?.kind === 'dropAnswer') return of === 'answer' ? 0 : left;
  if (fault?.kind === 'split') return Math.min(left, random.int(1, fault.mostBytes));
  if (fault?.kind === 'drip') return of === 'answer' ? Math.min(left, Math.max(1, Math.floor(fault.bytesPerSecond / 20))) : left;
  return fault && fault.of === of ? Math.min(left, Math.max(0, fault.afterBytes - passed[of])) : left;
}

/** Whether the moment has come at which a fault that ends the exchange does so. */
function isDue(fault: ConnectionFault, passed: Exchange['passed'], of: 'request' | 'answer'): boolean {
  if (fault.kind === 'dropAnswer') return of === 'answer';
  if (fault.kind === 'split' || fault.kind === 'drip') return false;
  return fault.of === of && passed[of] >= fault.afterBytes;
}

/** Writes pieces one after another, and no faster than they are taken. Tells whether something is to happen then. */
async function send(pieces: Iterable<{ bytes: Buffer; waitMs: number }>, to: Socket, due: () => boolean): Promise<boolean> {
  for (const { bytes, waitMs } of pieces) {
    if (to.destroyed) return false;
    if (bytes.length > 0) await new Promise<void>((resolve) => to.write(bytes, () => resolve()));
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  return due();
}
