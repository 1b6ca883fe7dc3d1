import { setTimeout as delay } from 'node:timers/promises';
import { watched, type Movement } from '../../../src/activities/upload/stall';
import { failureTypes } from '../../../src/contract/failures';
import { ScriptedServer } from '../../plangrep/scripted-server';

const free = new AbortController().signal;
const never = new Promise<never>(() => undefined);
const options = { what: 'a.pdf', awaits: 'storage', limitMs: 120_000, signal: free } as const;

describe('watched, on a clock of the test', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** What the work failed with, once so much time has passed. */
  async function after(ms: number, work: (movement: Movement) => Promise<unknown>): Promise<unknown> {
    let outcome: unknown = null;
    watched(options, work).then(
      () => (outcome = 'done'),
      (error: unknown) => (outcome = error),
    );
    await jest.advanceTimersByTimeAsync(ms);
    return outcome;
  }

  test('what stands still fails within a quarter more than the limit, though it cannot be interrupted', async () => {
    expect(await after(120_000, () => never)).toBeNull();
    expect(await after(150_000, () => never)).toMatchObject({ kind: 'transport', code: 'STALLED', origin: 'storage', message: expect.stringContaining('a.pdf stood still for 120 s: it waits for the storage') });
  });

  test('what moves goes on for as long as it takes', async () => {
    const slow = async ({ moved }: Movement) => {
      for (let byte = 0; byte < 1_000; byte += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100_000));
        moved(1);
      }
    };
    expect(await after(99_999_000, slow)).toBeNull();
  });

  test.each([
    ['source', failureTypes.sourceUnavailable],
    ['archive', failureTypes.archiveUnavailable],
  ] as const)('a %s that does not answer is its own failure, and retried', async (whom, type) => {
    expect(await after(150_000, ({ awaiting }) => awaiting(whom, never))).toMatchObject({ type, nonRetryable: false, message: expect.stringContaining(`waits for the ${whom}`) });
  });

  test('what stands still is told to stop, and so is what is not wanted any more', async () => {
    const told: unknown[] = [];
    const listen = ({ signal }: Movement) => {
      signal.addEventListener('abort', () => told.push(signal.reason));
      return never;
    };
    const failure = await after(150_000, listen);
    const stop = new AbortController();
    void watched({ ...options, signal: stop.signal }, listen).catch(() => undefined);
    stop.abort('not wanted');
    expect(told).toEqual([failure, 'not wanted']);
  });
});

describe('watched, over a connection', () => {
  const server = new ScriptedServer();
  beforeAll(() => server.start());
  afterAll(() => server.stop());

  const chunk = Buffer.alloc(256 * 1024);
  async function* counted({ moved }: Movement, chunks: number): AsyncGenerator<Buffer> {
    for (let made = 0; made < chunks; made += 1) {
      moved(chunk.length);
      yield chunk;
    }
  }
  const put = (limitMs: number, chunks: number) =>
    watched({ ...options, limitMs }, (movement) =>
      server.client().putSigned(`${server.url}/put?sig=secret`, { headers: {}, body: counted(movement, chunks), sizeBytes: chunks * chunk.length, signal: movement.signal }),
    );

  test('a storage that takes the connection and then nothing', async () => {
    server.raw(() => undefined);
    const failure = await put(100, 10_000).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'STALLED', origin: 'storage' });
    expect(String(failure)).not.toContain('sig=');
  });

  test('a storage that takes a little at a time, for longer than anything may stand still', async () => {
    const limitMs = 2_000;
    let takenFor = 0;
    server.raw(async (request, response) => {
      const startedAt = performance.now();
      for await (const _ of request) await delay(5);
      takenFor = performance.now() - startedAt;
      response.end();
    });
    await put(limitMs, 130);
    expect(takenFor).toBeGreaterThan(limitMs);
  });

  test('the transport notices first, and does not know the file', async () => {
    server.raw(() => undefined);
    const client = server.client({ idleTimeoutMs: 50 });
    const call = watched(options, ({ signal }) => client.putSigned(`${server.url}/put?sig=secret`, { headers: {}, body: (async function* () { yield chunk; })(), sizeBytes: chunk.length, signal }));
    await expect(call).rejects.toMatchObject({ code: 'STALLED', message: expect.stringContaining('a.pdf') });
  });
});
