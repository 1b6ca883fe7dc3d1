import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import fs, { mkdir, open, rename, rm, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { createActivities } from '../../../src/activities';
import { createPace } from '../../../src/activities/pace';
import { readJobLines } from '../../../src/activities/plan';
import { descriptors } from '../../../src/activities/plan/descriptors';
import { createUploadEngine } from '../../../src/activities/upload/engine';
import { SourceFile } from '../../../src/activities/upload/file';
import type { RemoteJob } from '../../../src/contract/activities';
import { failureTypes } from '../../../src/contract/failures';
import { closeHashing, hashFile } from '../../../src/hashing';
import { ActivityBench } from '../../support/activity-bench';
import { Recorder } from './recorder';

jest.mock('../../../src/hashing', () => {
  const actual = jest.requireActual<typeof import('../../../src/hashing')>('../../../src/hashing');
  return { ...actual, hashFile: jest.fn(actual.hashFile) };
});
const { hashFile: reallyHash } = jest.requireActual<typeof import('../../../src/hashing')>('../../../src/hashing');
const hashing = jest.mocked(hashFile);

let bench: ActivityBench;
beforeEach(async () => {
  bench = await ActivityBench.start({ partThreshold: 200_000, partBytes: 100_000, trustDigests: true });
});
afterEach(async () => {
  jest.restoreAllMocks();
  hashing.mockReset().mockImplementation(reallyHash);
  await bench.stop();
});
afterAll(closeHashing);

const at = (name: string): string => join(bench.source, `${name}.pdf`);
const write = (name: string, sizeBytes: number, content = name): Promise<void> => writeFile(at(name), Buffer.alloc(sizeBytes, `${content}.`));
/** Long unchanged, so that its time says what it was. */
const writeSettled = async (name: string, sizeBytes: number): Promise<void> => {
  await write(name, sizeBytes);
  await utimes(at(name), 1_000, 1_000);
};
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const upload = (remote: RemoteJob, mode: 'form' | 'signed' = 'signed', { transfer } = bench.activities) =>
  bench.run(transfer.uploadDocuments, { ...bench.onRemote(remote), projectId: 'proj_quickstart', upload: mode, skipProcessed: false });
const fates = async (): Promise<Record<string, string | null>> => {
  const lines = await readJobLines(bench.store, bench.batchId, 1);
  return Object.fromEntries((await bench.records()).map(({ seq, reason }) => [basename(lines.find((line) => line.seq === seq)!.source, '.pdf'), reason?.code ?? null]));
};
const included = () => [...bench.simulator.state.jobs.values()][0]!.documents.filter((document) => document.included).map(({ fileName }) => basename(fileName, '.pdf')).sort();
const complete = (remote: RemoteJob) => bench.run(bench.activities.api.completeUploads, bench.onRemote(remote));

/** A list that gives sizes, so that planning looks at nothing. */
async function listOf(documents: Record<string, object>): Promise<{ source: { list: string } }> {
  const list = join(bench.source, 'list.jsonl');
  await writeFile(list, Object.entries(documents).map(([name, more]) => `${JSON.stringify({ path: `${name}.pdf`, ...more })}\n`).join(''));
  return { source: { list } };
}

describe('a source that goes away while a job is uploaded', () => {
  const away = {
    'is empty, as on a host that lacks the mount': async () => { await rename(bench.source, `${bench.source}.away`); await mkdir(bench.source); },
    'is not there': () => rename(bench.source, `${bench.source}.away`),
  };
  const back = async (): Promise<void> => {
    await rm(bench.source, { recursive: true, force: true });
    await rename(`${bench.source}.away`, bench.source);
  };

  test.each(Object.keys(away) as (keyof typeof away)[])('it %s: no document is given up, and all are sent once it is back', async (what) => {
    for (const name of ['a', 'b', 'c']) await write(name, 1_000);
    await bench.plan();
    const remote = await bench.create();
    await away[what]();
    for (let attempt = 0; attempt < 2; attempt += 1) await expect(upload(remote)).rejects.toMatchObject({ type: failureTypes.sourceUnavailable, nonRetryable: false });
    await back();
    expect(await upload(remote)).toMatchObject({ sent: 3, notSent: 0 });
  });

  test.each(['form', 'signed'] as const)('%s: in the midst of it, what was sent stays sent, and the rest follows', async (mode) => {
    for (let file = 0; file < 20; file += 1) await write(`${file}`, 1_000 + file);
    await bench.plan();
    const remote = await bench.create();
    const read = Reflect.get(SourceFile.prototype, 'read') as SourceFile['read'];
    let reads = 0;
    jest.spyOn(SourceFile.prototype, 'read').mockImplementation(async function* (this: SourceFile, ...args) {
      if ((reads += 1) === 5) await away['is empty, as on a host that lacks the mount']();
      yield* read.apply(this, args);
    });
    await expect(upload(remote, mode)).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
    const operation = mode === 'form' ? 'uploadFiles' : 'putObject';
    const before = bench.requests(operation)['200']!;
    expect(before).toBeGreaterThanOrEqual(5);
    await back();
    expect(await upload(remote, mode)).toMatchObject({ sent: 20, notSent: 0 });
    expect(bench.requests(operation)).toEqual({ 200: 20 });
  });
});

describe('content that a list told only the size of', () => {
  test('is not mixed when the file is replaced between two attempts that each send some of its parts', async () => {
    await writeSettled('a', 550_000);
    await writeSettled('b', 10_000);
    await bench.plan(await listOf({ a: { sizeBytes: 550_000 }, b: { sizeBytes: 10_000 } }));
    const remote = await bench.create();
    bench.simulator.state.faults.add({ kind: 'request', operation: 'putPart', nth: 3, drop: 'before' });
    await expect(upload(remote)).rejects.toMatchObject({ type: failureTypes.unreachable });
    await write('a', 550_000, 'other');
    await upload(remote);
    expect(await fates()).toEqual({ a: 'changed', b: null });
    await complete(remote);
    expect(included()).toEqual(['b']);
  });

  test('is the same after a restart when the file was left alone, and is not read more often than it must be', async () => {
    await writeSettled('a', 550_000);
    await bench.plan(await listOf({ a: { sizeBytes: 550_000 } }));
    const remote = await bench.create();
    bench.simulator.state.faults.add({ kind: 'request', operation: 'putPart', nth: 3, drop: 'before' });
    await expect(upload(remote)).rejects.toMatchObject({ type: failureTypes.unreachable });
    expect(await upload(remote)).toMatchObject({ sent: 1 });
    expect(hashing).toHaveBeenCalledTimes(1);
  });

  test.each(['form', 'signed'] as const)('%s: a wrong digest of one document does not spoil the job of the others', async (mode) => {
    for (const name of ['a', 'b', 'c']) await write(name, 1_000);
    await bench.plan(await listOf({ a: { sha256: sha256(Buffer.from('something else')) }, b: { sha256: sha256(Buffer.alloc(1_000, 'b.')) }, c: {} }));
    const remote = await bench.create();
    await upload(remote, mode);
    expect(await fates()).toEqual({ a: 'changed', b: null, c: null });
    await complete(remote);
    expect(included()).toEqual(['b', 'c']);
  });
});

describe('a form whose document changed while it was sent', () => {
  test('is not processed, also when the attempt that found it out died', async () => {
    for (const name of ['a', 'b', 'c']) await write(name, 1_000);
    await bench.plan();
    const remote = await bench.create();
    const answer = bench.plangrep.uploadFiles.bind(bench.plangrep);
    jest.spyOn(bench.plangrep, 'uploadFiles').mockImplementation(async (job, files, options) => {
      const answered = await answer(job, files, options);
      if (files[0]!.fileName === 'a.pdf') await utimes(at('a'), 5, 5);
      return answered;
    });
    bench.simulator.state.faults.add({ kind: 'request', operation: 'uploadFiles', nth: 3, drop: 'before' });
    await expect(upload(remote, 'form')).rejects.toMatchObject({ type: failureTypes.unreachable });
    await upload(remote, 'form');
    const found = await fates();
    await complete(remote);
    expect(included()).toEqual(Object.keys(found).filter((name) => found[name] === null));
    expect(found).toEqual({ a: 'changed', b: null, c: null });
  });
});

describe('reads that fail', () => {
  /** The open file of this name can be read no more, as on a disk that breaks. */
  async function breakReads(name: string, code: string): Promise<void> {
    const handle = await open(at(name));
    const prototype = Object.getPrototypeOf(handle) as typeof handle;
    await handle.close();
    const read = Reflect.get(prototype, 'read') as typeof handle.read;
    const isIt = (fd: number): boolean => readlinkSync(`/proc/self/fd/${fd}`) === at(name);
    const failure = () => Promise.reject(Object.assign(new Error(code), { code, errno: -5, syscall: 'read' }));
    jest.spyOn(prototype, 'read').mockImplementation(function (this: typeof handle, ...args: unknown[]) {
      return isIt(this.fd) ? failure() : Reflect.apply(read, this, args);
    } as never);
  }

  test.each([
    ['signed', 1_000],
    ['signed', 350_000],
    ['form', 1_000],
  ] as const)('%s, %d bytes: a document that the disk does not give any more is unreadable, and the others go on', async (mode, sizeBytes) => {
    for (const name of ['a', 'b', 'c']) await writeSettled(name, sizeBytes);
    await bench.plan();
    const remote = await bench.create();
    await breakReads('b', 'EIO');
    expect(await upload(remote, mode)).toMatchObject({ sent: 2, notSent: 1 });
    expect(await fates()).toEqual({ a: null, b: 'unreadable', c: null });
    await complete(remote);
    expect(included()).toEqual(['a', 'c']);
  });

  test('so is one that breaks while it is hashed', async () => {
    for (const name of ['a', 'b']) await write(name, name === 'a' ? 1_000 : 2_000);
    await bench.plan();
    const remote = await bench.create();
    hashing.mockImplementation((fd, options) => (readlinkSync(`/proc/self/fd/${fd}`) === at('a') ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'read' })) : reallyHash(fd, options)));
    expect(await upload(remote)).toMatchObject({ sent: 1, notSent: 1 });
    expect(await fates()).toEqual({ a: 'unreadable', b: null });
  });

  test('a share that says "stale" is tried again, as a whole', async () => {
    for (const name of ['a', 'b']) await writeSettled(name, 1_000);
    await bench.plan();
    const remote = await bench.create();
    await breakReads('b', 'ESTALE');
    await expect(upload(remote)).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
    jest.restoreAllMocks();
    expect(await upload(remote)).toMatchObject({ sent: 2, notSent: 0 });
  });

  test('an open that hangs ends the attempt, and is closed when it ends at last', async () => {
    await write('a', 1_000);
    await bench.plan();
    const remote = await bench.create();
    const reallyOpen = fs.open.bind(fs);
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    jest.spyOn(fs, 'open').mockImplementation(async (...args) => {
      if (String(args[0]) === at('a')) await released;
      return reallyOpen(...args);
    });
    const { store, plangrep, settings, completionDeps: { seal } } = bench;
    const impatient = createActivities({ store, plangrep, seal, pace: createPace(1000), temporal: {} as never, settings, uploads: createUploadEngine({ stallLimitMs: 3_000 }) });
    await expect(upload(remote, 'signed', impatient)).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
    expect(descriptors.open).toBe(0);
    const closed = jest.spyOn(SourceFile.prototype, 'close');
    release();
    while (closed.mock.results.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await (closed.mock.results[0]!.value as Promise<void>);
    expect(descriptors.open).toBe(0);
  });
});

test('whatever a writer does, and whenever: what was sent has the digest that is written down, or was not taken', async () => {
  const step = fc.record({
    when: fc.nat(8),
    what: fc.constantFrom('write', 'append', 'cut', 'replace', 'touch', 'remove', 'set back'),
    where: fc.nat(350_000),
  });
  const shape = fc.record({ mode: fc.constantFrom('form' as const, 'signed' as const), size: fc.constantFrom(500, 131_072, 150_000, 200_000, 350_000), settled: fc.boolean(), listed: fc.boolean(), steps: fc.array(step, { maxLength: 4 }) });
  const recorder = new Recorder(bench.plangrep);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(shape, async ({ mode, size, settled, listed, steps }) => {
      bench.simulator.state.jobs.clear();
      (bench as { batchId: string }).batchId = `writer-${(run += 1)}`;
      (bench.createRequest as { batchId: string }).batchId = bench.batchId;
      await rm(bench.source, { recursive: true, force: true });
      await mkdir(bench.source);
      await write('a', size);
      if (settled) await utimes(at('a'), 1_000, 1_000);
      await bench.plan(listed ? await listOf({ a: { sizeBytes: size } }) : {});
      const remote = await bench.create();
      let moments = 0;
      const meddle = async (): Promise<void> => {
        for (const { what, where } of steps.filter(({ when }) => when === moments)) await harm(what, where).catch(() => undefined);
        moments += 1;
      };
      const read = Reflect.get(SourceFile.prototype, 'read') as SourceFile['read'];
      const reading = jest.spyOn(SourceFile.prototype, 'read').mockImplementation(async function* (this: SourceFile, ...args) {
        await meddle();
        for await (const chunk of read.apply(this, args)) {
          yield chunk;
          await meddle();
        }
      });
      try {
        await upload(remote, mode);
      } finally {
        reading.mockRestore();
      }
      const [record] = await bench.records();
      if (record!.sent) expect(recorder.digestOf(record!.documentId!)).toBe(record!.sha256);
      else expect(['changed', 'unreadable']).toContain(record!.reason!.code);
      if (steps.length === 0) expect(record!.sent).toBe(true);
    }),
    { numRuns: Number(process.env['HOSTILE_WRITERS'] ?? 60) },
  );
});

async function harm(what: string, where: number): Promise<void> {
  const path = at('a');
  if (what === 'remove') return unlink(path);
  if (what === 'touch') return utimes(path, new Date(), new Date());
  if (what === 'replace') {
    await writeFile(`${path}.new`, Buffer.alloc((await stat(path)).size, 'r'));
    return rename(`${path}.new`, path);
  }
  const { atime, mtime, size } = await stat(path);
  const file = await open(path, 'r+');
  try {
    if (what === 'append') await file.write('more', size);
    else if (what === 'cut') await file.truncate(where % size);
    else await file.write(Buffer.from('z'), 0, 1, where % size);
  } finally {
    await file.close();
  }
  if (what === 'set back') await utimes(path, atime, mtime);
}
