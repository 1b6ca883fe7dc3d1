import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { basename, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import type * as files from 'node:fs/promises';
import { Passages } from './passages';
import { keyClass, operationOf } from './names';

/**
 * Loaded with `node --require` into the worker and receiver processes of a crash run, and nowhere else: it wraps the built product from outside, so that every
 * remote call, store write, activity and webhook passes named points, at which {@link Passages} may kill. The product itself knows nothing of it.
 */

type Method = (this: unknown, ...args: never[]) => unknown;
type Anything = Record<string, Method>;

/** A remote call of {@link Transport}. */
interface Exchange {
  method: string;
  url: URL;
}

interface Answer {
  body: NodeJS.EventEmitter;
}

/** Of undici's diagnostics channels. */
interface Sent {
  request: { method: string; path: string };
  headers: string;
  socket: Socket;
}

const { CRASH_FOLDER: folder, CRASH_ROLE: role = '', CRASH_LIB: lib = '', CRASH_QUICK: quick } = process.env;
if (folder && isMainThread) wrapAll(new Passages(folder, role));

function wrapAll(passages: Passages): void {
  const pass = (point: string): void => passages.pass(point);
  const load = createRequire(join(lib, 'cli.js'));
  pass(`${passages.kind} start`);
  if (passages.kind === 'receiver') return wrapReceiver(load, pass);
  wrapCalls(load, pass);
  wrapStore(load, pass);
  wrapActivities(load, pass);
  if (quick) shortenStickiness(load);
}

/** Puts `around` in the place of a method. */
function wrap(owner: object, name: string, around: (original: Method) => Method): void {
  const methods = owner as Anything;
  methods[name] = around(methods[name]!);
}

/** `before`: nothing has left. `sending`: some of a body has. `sent`: all has, and no answer is known. `answered`: its headers are. `after`: all of it is. */
function wrapCalls(load: NodeJS.Require, pass: (point: string) => void): void {
  const { Transport } = load('./plangrep/transport') as { Transport: { prototype: object } };
  wrap(Transport.prototype, 'request', (request) =>
    async function (this: unknown, ...args: never[]) {
      const { method, url } = args[0] as unknown as Exchange;
      const operation = operationOf(method, url.pathname);
      pass(`${operation} before`);
      const answer = (await request.apply(this, args)) as Answer;
      pass(`${operation} answered`);
      answer.body.once('end', () => pass(`${operation} after`));
      return answer;
    },
  );
  const streamed = new Set(['putObject', 'putPart', 'uploadFiles']);
  const pathOf = ({ request }: Sent): string => request.path.split('?', 1)[0]!;
  subscribe('undici:client:sendHeaders', (message) => {
    const sent = message as Sent;
    const operation = operationOf(sent.request.method, pathOf(sent));
    if (!streamed.has(operation)) return;
    const { socket } = sent;
    const start = socket.bytesWritten + sent.headers.length;
    const look = (): unknown => (socket.bytesWritten > start ? pass(`${operation} sending`) : !socket.destroyed && setImmediate(look));
    setImmediate(look);
  });
  subscribe('undici:request:bodySent', (message) => pass(`${operationOf((message as Sent).request.method, pathOf(message as Sent))} sent`));
}

/**
 * `before`: nothing is on the disk. `written`: some is, under a temporary name. `staged`: all is. `placed`: linked or renamed into its place.
 * `named`: and its temporary name is gone. `after`: the folder is on the disk as well.
 */
function wrapStore(load: NodeJS.Require, pass: (point: string) => void): void {
  const { FolderStore } = load('./store/folder') as { FolderStore: { prototype: object } };
  const running = new AsyncLocalStorage<string>();
  for (const [method, verb] of Object.entries({ write: 'write', createIfAbsent: 'write', replaceIf: 'write', remove: 'remove', removeAll: 'remove' })) {
    wrap(FolderStore.prototype, method, (original) =>
      async function (this: unknown, ...args: never[]) {
        const name = `${verb} ${keyClass(args[0] as unknown as string)}`;
        pass(`${name} before`);
        const result = await running.run(name, () => original.apply(this, args));
        pass(`${name} after`);
        return result;
      },
    );
  }
  const within = (step: string): void => {
    const name = running.getStore();
    if (name) pass(`${name} ${step}`);
  };
  wrapFiles(load('node:fs/promises') as typeof files, within, pass);
}

const isLock = (path: unknown): boolean => String(path).includes('/.locks/');
const isStaged = (path: unknown): boolean => basename(String(path)).startsWith('.tmp-');

function wrapFiles(promises: typeof files, within: (step: string) => void, pass: (point: string) => void): void {
  const after = (name: string, step: (...args: unknown[]) => void): void =>
    wrap(promises, name, (original) =>
      async function (this: unknown, ...args: never[]) {
        const result = await original.apply(this, args);
        step(...args, result);
        return result;
      },
    );
  after('open', (path, flags, ...rest) => {
    if (flags !== 'wx') return;
    if (isLock(path)) pass('lock taken');
    else if (isStaged(path)) wrapHandle(rest.at(-1) as unknown as object, within);
  });
  after('link', () => within('placed'));
  after('rename', () => within('placed'));
  after('unlink', (path) => !isLock(path) && within(isStaged(path) ? 'named' : 'removing'));
}

function wrapHandle(handle: object, within: (step: string) => void): void {
  let first = true;
  wrap(handle, 'write', (write) =>
    async function (...args: never[]) {
      const written = await write.apply(handle, args);
      if (first) within('written');
      first = false;
      return written;
    },
  );
  wrap(handle, 'sync', (sync) =>
    async function (...args: never[]) {
      await sync.apply(handle, args);
      within('staged');
    },
  );
}

/** `begun`: an attempt begins. `done`: its work is done, and Temporal does not know. */
function wrapActivities(load: NodeJS.Require, pass: (point: string) => void): void {
  wrap(load('./activities') as object, 'createActivities', (create) =>
    function (this: unknown, ...args: never[]) {
      const queues = create.apply(this, args) as Record<string, Anything>;
      for (const activities of Object.values(queues)) for (const name of Object.keys(activities)) wrap(activities, name, (activity) => named(name, activity, pass));
      return queues;
    },
  );
}

const named = (name: string, activity: Method, pass: (point: string) => void): Method =>
  async function (this: unknown, ...args: never[]) {
    pass(`activity ${name} begun`);
    const result = await activity.apply(this, args);
    pass(`activity ${name} done`);
    return result;
  };

/** A dead worker's queue of its own is given up after 1 s instead of 10: nothing but the waiting changes. */
function shortenStickiness(load: NodeJS.Require): void {
  const { Worker } = load('@temporalio/worker') as { Worker: object };
  wrap(Worker, 'create', (create) =>
    function (this: unknown, ...args: never[]) {
      return create.apply(this, [{ ...(args[0] as unknown as object), stickyQueueScheduleToStartTimeout: '1s' }] as never[]);
    },
  );
}

/** `received`: nothing of it was read. `before` and `after` the signal. `answered`: the sender knows. */
function wrapReceiver(load: NodeJS.Require, pass: (point: string) => void): void {
  wrap(load('node:http') as object, 'createServer', (create) =>
    function (this: unknown, ...args: never[]) {
      const server = create.apply(this, args) as Server;
      const emit = server.emit.bind(server) as (...event: unknown[]) => boolean;
      server.emit = (event: string, ...about: unknown[]) => {
        if (event === 'request') seeRequest(about as [IncomingMessage, ServerResponse], pass);
        return emit(event, ...about);
      };
      return server;
    },
  );
  const temporal = load('./webhook/temporal') as object;
  for (const [method, name] of [['readSealedSecret', 'secret'], ['tellWorkflow', 'signal']] as const) {
    wrap(temporal, method, (call) =>
      async function (this: unknown, ...args: never[]) {
        pass(`${name} before`);
        const result = await call.apply(this, args);
        pass(`${name} after`);
        return result;
      },
    );
  }
}

function seeRequest([request, response]: [IncomingMessage, ServerResponse], pass: (point: string) => void): void {
  if (request.method !== 'POST') return;
  pass('webhook received');
  response.once('finish', () => pass('webhook answered'));
}
