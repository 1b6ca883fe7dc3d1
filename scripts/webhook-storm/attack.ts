import { connect, type Socket } from 'node:net';

const part = `10000\r\n${'x'.repeat(65_536)}\r\n`;

/** What attackers did so far. */
export interface Damage {
  connections: number;
  /** Sent whole. */
  requests: number;
  /** Answers by their status. */
  answers: Record<string, number>;
  /** Bytes that the kernel took from us. */
  bytes: number;
}

/** Attackers over raw sockets, as many as are asked for, that go on until they are stopped: each takes a new connection when its old one ends. */
export class Attack {
  readonly damage: Damage = { connections: 0, requests: 0, answers: {}, bytes: 0 };
  readonly #sockets = new Set<Socket>();
  readonly #running: Promise<void>[] = [];
  #over = false;

  constructor(readonly port: number) {}

  /** Requests as fast as they are answered, so many at a time on each connection. */
  flood(connections: number, next: () => string, pipelined = 1): void {
    this.#repeat(connections, async (socket, ended) => {
      let waiting = 0;
      let rest = '';
      const go = (): void => {
        waiting = pipelined;
        socket.write(Array.from({ length: pipelined }, next).join(''));
      };
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        const text = rest + chunk;
        for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
          this.damage.answers[status!] = (this.damage.answers[status!] ?? 0) + 1;
          this.damage.requests += 1;
          waiting -= 1;
        }
        // A status that came in two pieces is found next time, and none twice.
        rest = /HTTP\/1\.1 \d{3} [^]*$/.test(text.slice(-12)) ? '' : text.slice(-12);
        if (waiting <= 0 && !this.#over) go();
      });
      go();
      await ended;
    });
  }

  /** Connections that send this much and then nothing. */
  hold(connections: number, text: string): void {
    this.#repeat(connections, async (socket, ended) => {
      socket.resume().write(text);
      await ended;
    });
  }

  /** Bodies of ten megabytes, in chunks, as fast as they are taken. */
  pour(connections: number, path: string): void {
    this.#repeat(connections, async (socket, ended) => {
      socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
      for (let parts = 0; parts < 160 && !socket.destroyed; parts++) {
        if (!socket.write(part)) await Promise.race([ended, new Promise((go) => socket.once('drain', go))]);
        this.damage.bytes += part.length;
      }
      this.damage.requests += 1;
      socket.end('0\r\n\r\n').resume();
      await ended;
    });
  }

  /** Ends all of them at once. */
  async stop(): Promise<Damage> {
    this.#over = true;
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#running);
    return this.damage;
  }

  #repeat(connections: number, attack: (socket: Socket, ended: Promise<void>) => Promise<void>): void {
    for (let count = 0; count < connections; count++) this.#running.push(this.#again(attack));
  }

  async #again(attack: (socket: Socket, ended: Promise<void>) => Promise<void>): Promise<void> {
    while (!this.#over) {
      const socket = connect(this.port, '127.0.0.1');
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      const ended = new Promise<void>((done) => void socket.once('close', () => done()));
      const connected = new Promise<boolean>((done) => void socket.once('connect', () => done(true)).once('close', () => done(false)));
      if (await connected) {
        this.damage.connections += 1;
        await attack(socket, ended);
      }
      socket.destroy();
      await ended;
      this.#sockets.delete(socket);
    }
  }
}
