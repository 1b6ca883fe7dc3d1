/** A process that works on a store together with others; run by folder.test.ts. Prints its answer as JSON. */
import { text } from 'node:stream/consumers';
import { FolderStore } from '../../src/store/folder';

const rounds = 25;

async function count(store: FolderStore, name: string): Promise<{ won: number[] }> {
  const won: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (await store.createIfAbsent(`claims/${round}`, name)) won.push(round);
    for (let added = false; !added; ) {
      const { version } = (await store.stat('counter'))!;
      const value = Number(await text(await store.openRead('counter')));
      added = await store.replaceIf('counter', String(value + 1), version);
    }
  }
  return { won };
}

/** What ensureWritable says to a user who owns nothing here. */
async function denied(store: FolderStore): Promise<unknown> {
  const nobody = 65_534;
  if (process.getuid?.() === 0) process.setuid!(nobody);
  return store.ensureWritable().then(
    () => ({ message: 'it was writable' }),
    (error: Error & { code: string; location: string }) => ({ name: error.name, code: error.code, location: error.location, message: error.message }),
  );
}

/** Begins a write that never ends, and says so once some of it is on the disk. */
async function stall(store: FolderStore): Promise<unknown> {
  async function* content() {
    yield Buffer.alloc(100_000);
    console.log('writing');
    await new Promise((resolve) => setTimeout(resolve, 2 ** 30));
    yield Buffer.alloc(1);
  }
  return store.write('a/large', content());
}

const described = (error: Error & { code?: string }) => ({ name: error.name, code: error.code, message: error.message });

/** Many writes at once, more than may be open; then one alone. */
async function crowd(store: FolderStore): Promise<unknown> {
  const ended = await Promise.allSettled(Array.from({ length: 300 }, (_, i) => store.write(`crowd/${i}`, Buffer.alloc(10_000))));
  const messages = ended.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : []));
  return { failed: messages.length, messages: messages.slice(0, 5), later: await store.write('later', 'x').then(() => true) };
}

/** One write above what a file may have. */
async function large(store: FolderStore): Promise<unknown> {
  async function* content() {
    for (let i = 0; i < 40; i += 1) yield await Promise.resolve(Buffer.alloc(64 * 1024));
  }
  return store.write('a/large', content()).catch(described);
}

async function main(): Promise<void> {
  const [root, task, name] = process.argv.slice(2);
  const store = new FolderStore(root!);
  if (task === 'stall') await stall(store);
  else console.log(JSON.stringify(await { count: () => count(store, name!), denied: () => denied(store), crowd: () => crowd(store), large: () => large(store) }[task!]!()));
}
void main();
