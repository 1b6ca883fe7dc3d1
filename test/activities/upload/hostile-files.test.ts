import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { appendFile, chmod, mkdir, open, readFile, rename, stat, symlink, truncate, unlink, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { basename, join } from 'node:path';
import { SourceFile } from '../../../src/activities/upload/file';
import { closeHashing } from '../../../src/hashing';
import { readJobLines } from '../../../src/activities/plan';
import { ActivityBench } from '../../support/activity-bench';
import { Recorder } from './recorder';

/** Three pieces of one read, or four parts. */
const sizeBytes = 350_000;

const servers: Server[] = [];
async function listenAt(path: string): Promise<void> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((listening) => server.listen(path, listening));
}

/** Other bytes in the same place and of the same length; the time may be set back after that. */
async function rewrite(path: string, restoreTime = false): Promise<void> {
  const { atime, mtime, size } = await stat(path);
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(size, 'z'), 0, size, 0);
  await file.close();
  if (restoreTime) await utimes(path, atime, mtime);
}

async function replaceBy(path: string, content: Buffer): Promise<void> {
  await writeFile(`${path}.new`, content);
  await rename(`${path}.new`, path);
}

/** What happens to a file. */
const harms: Record<string, (path: string) => Promise<unknown>> = {
  nothing: () => Promise.resolve(),
  grows: (path) => appendFile(path, 'more'),
  'is cut short': (path) => truncate(path, 1000),
  'is emptied': (path) => truncate(path, 0),
  'is rewritten': (path) => rewrite(path),
  'is rewritten, and its time set back': (path) => rewrite(path, true),
  'is replaced': async (path) => replaceBy(path, Buffer.alloc((await stat(path)).size, 'y')),
  'is replaced by its equal': async (path) => replaceBy(path, await readFile(path)),
  'is touched': (path) => utimes(path, new Date(), new Date()),
  'gets another mode': (path) => chmod(path, 0o600),
  vanishes: (path) => unlink(path),
  'moves away': (path) => rename(path, `${path}.moved`),
  'becomes a folder': async (path) => { await unlink(path); await mkdir(path); },
  'becomes a pipe': async (path) => { await unlink(path); execFileSync('mkfifo', [path]); },
  'becomes a socket': async (path) => { await unlink(path); await listenAt(path); },
  'becomes a link out of the source': async (path) => { await unlink(path); await symlink('/etc/hostname', path); },
  'becomes a link to itself': async (path) => { await unlink(path); await symlink(basename(path), path); },
  'becomes a device': async (path) => { await unlink(path); await symlink('/dev/zero', path); },
};

/** How documents come to their job. */
interface Kind {
  hashedByPlanning: boolean;
  /** Not changed for a while. */
  settled: boolean;
}
const kinds: Record<string, Kind> = {
  'documents that their job hashes': { hashedByPlanning: false, settled: true },
  'documents that planning hashed': { hashedByPlanning: true, settled: true },
  'documents that were just changed': { hashedByPlanning: false, settled: false },
};

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('files that change while they are uploaded', () => {
  let bench: ActivityBench;
  let recorder: Recorder;
  const pathOf = (name: string) => join(bench.source, `${name}.pdf`);

  /** Storage believes every digest: whatever is wrong must be found here. */
  async function start(partThreshold: number, { hashedByPlanning, settled }: Kind): Promise<void> {
    bench = await ActivityBench.start({ partThreshold, partBytes: 100_000, trustDigests: true });
    recorder = new Recorder(bench.plangrep);
    for (const [at, name] of Object.keys(harms).entries()) {
      await writeFile(pathOf(name), Buffer.alloc(sizeBytes + (hashedByPlanning ? 0 : at), `${name}.`));
      if (settled) await utimes(pathOf(name), 1_000, 1_000);
    }
  }
  afterEach(async () => {
    jest.restoreAllMocks();
    for (const server of servers.splice(0)) server.close();
    await bench.stop();
  });
  afterAll(closeHashing);

  /** Does each file its harm when it comes to it. */
  const harmAt = () => {
    const done = new Set<string>();
    return async (name: string): Promise<void> => {
      if (done.has(name)) return;
      done.add(name);
      await harms[name]!(pathOf(name));
    };
  };

  /** Reading stops for a moment behind the first piece of each file, or the last. */
  function whileSending(which: 'first' | 'last'): void {
    const harm = harmAt();
    const read = Reflect.get(SourceFile.prototype, 'read') as SourceFile['read'];
    jest.spyOn(SourceFile.prototype, 'read').mockImplementation(async function* (this: SourceFile, ...args) {
      let sent = 0;
      for await (const chunk of read.apply(this, args)) {
        sent += chunk.length;
        const end = args[2] ?? this.sizeBytes - 1;
        const isLast = (args[1] ?? 0) + sent > end && end === this.sizeBytes - 1;
        // Before the piece is given away: once the remote has all pieces, it may answer before the harm is done.
        if (which === 'first' || isLast) await harm(basename(this.line.source, '.pdf'));
        yield chunk;
      }
    });
  }

  const moments: Record<string, () => void> = {
    'behind the first piece': () => whileSending('first'),
    'behind the last piece': () => whileSending('last'),
    'after it was hashed': () => {
      const harm = harmAt();
      const register = bench.plangrep.registerUploads.bind(bench.plangrep);
      jest.spyOn(bench.plangrep, 'registerUploads').mockImplementation(async (...args) => {
        for (const name of Object.keys(harms)) await harm(name);
        return register(...args);
      });
    },
  };

  const lines = () => readJobLines(bench.store, bench.batchId, 1);

  /** Each document is sent whole, as the bytes that its record's digest is of, or not sent, with a reason. */
  async function expectHonest(allowed: string[]): Promise<Record<string, string | null>> {
    const planned = await lines();
    const records = await bench.records();
    expect(records.map(({ seq }) => seq)).toEqual(planned.map(({ seq }) => seq));
    const fates: Record<string, string | null> = {};
    for (const [at, { sent, reason, sha256: digest, documentId }] of records.entries()) {
      const name = basename(planned[at]!.source, '.pdf');
      fates[name] = reason?.code ?? null;
      expect([name, sent]).toEqual([name, reason === null]);
      if (!sent) expect([name, allowed]).toEqual([name, expect.arrayContaining([reason!.code])]);
      else if (documentId !== null) expect([name, recorder.digestOf(documentId)]).toEqual([name, digest]);
    }
    expect(fates['nothing']).toBeNull();
    return fates;
  }

  /** The open files of this process that lie in the source. */
  const openFiles = () => readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(bench.source);
    } catch {
      return false;
    }
  });

  describe.each([
    ['whole', 'signed', 1_000_000],
    ['in parts', 'signed', 200_000],
    ['by form', 'form', 1_000_000],
  ] as const)('sent %s', (_how, mode, partThreshold) => {
    describe.each(Object.keys(moments).filter((moment) => mode === 'signed' || moment !== 'after it was hashed'))('%s', (moment) => {
      test.each(Object.keys(kinds))('%s', async (kind) => {
        await start(partThreshold, kinds[kind]!);
        moments[moment]!();
        await bench.plan();
        const remote = await bench.create();
        await bench.run(bench.activities.transfer.uploadDocuments, { ...bench.onRemote(remote), projectId: 'proj_quickstart', upload: mode, skipProcessed: false });
        const fates = await expectHonest(['changed', 'unreadable', 'not_a_file', 'outside_source']);
        for (const name of ['grows', 'is cut short', 'is emptied', 'is rewritten']) expect([name, fates[name]]).toEqual([name, 'changed']);
        expect(fates['gets another mode']).toBeNull();
        await bench.run(bench.activities.api.completeUploads, bench.onRemote(remote));
        const [job] = [...bench.simulator.state.jobs.values()];
        const processed = job!.documents.filter(({ included }) => included).map(({ fileName }) => basename(fileName, '.pdf')).sort();
        expect(processed).toEqual(Object.keys(harms).filter((name) => fates[name] === null).sort());
        expect(openFiles()).toEqual([]);
      });
    });
  });
});
