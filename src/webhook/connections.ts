import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Open files that everything else may need: Temporal, output, the metrics. */
const otherFiles = 64;

/**
 * Keeps a server's connections bounded without ever refusing a new one: the connection that has been of no use for longest makes room. Who opens thousands and says nothing,
 * or nothing of use, so pushes out his own; a webhook needs milliseconds.
 */
export class Connections {
  /** Without a request in hand, the one that was of use last at the end. */
  readonly #idle = new Set<Socket>();
  /** With requests in hand that proved to be ours, and how many. */
  readonly #held = new Map<Socket, number>();

  /** @param onDropped called for each connection that had to make room */
  constructor(server: Server, most: number, onDropped: () => void) {
    server.on('connection', (socket: Socket) => {
      this.#idle.add(socket);
      socket.once('close', () => void (this.#idle.delete(socket), this.#held.delete(socket)));
      if (this.#idle.size + this.#held.size <= most) return;
      const [longest] = this.#idle;
      this.#idle.delete(longest!);
      // Without a goodbye that the other side could leave unanswered.
      longest!.resetAndDestroy();
      onDropped();
    });
  }

  /** A request that proved to be ours is in hand: its connection stays, until the function that is given back is called, once. */
  hold(socket: Socket): () => void {
    this.#idle.delete(socket);
    this.#held.set(socket, (this.#held.get(socket) ?? 0) + 1);
    return () => {
      const left = (this.#held.get(socket) ?? 0) - 1;
      if (left > 0) return void this.#held.set(socket, left);
      this.#held.delete(socket);
      if (!socket.destroyed) this.#idle.add(socket);
    };
  }
}

/** So many connections as are wanted, or as this process may have files open beside its others: beyond that no connection could be taken at all. */
export function affordable(connections: number, readLimits = () => readFileSync('/proc/self/limits', 'utf8')): number {
  let openFiles = Infinity;
  try {
    openFiles = Number(/^Max open files\s+(\d+)/m.exec(readLimits())?.[1] ?? Infinity);
  } catch {
    // Only Linux tells.
  }
  return Math.max(1, Math.min(connections, openFiles - otherFiles));
}
