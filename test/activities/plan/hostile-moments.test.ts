import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, renameSync, symlinkSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createPlanActivities } from '../../../src/activities/plan';
import type { PlanProgress } from '../../../src/activities/plan';
import { descriptors } from '../../../src/activities/plan/descriptors';
import { batchInputSchema } from '../../../src/contract/batch';
import { failureTypes } from '../../../src/contract/failures';
import { batchKeys } from '../../../src/contract/keys';
import { closeHashing, hashFile } from '../../../src/hashing';
import { closePageCounter, countPages } from '../../../src/pdf/page-count';
import { FolderStore } from '../../../src/store/folder';
import { makePdf } from '../../support/documents';
import { fates, planOf, quietActivity, temporaryFolder } from './planning';

jest.mock('../../../src/hashing', () => {
  const actual = jest.requireActual<typeof import('../../../src/hashing')>('../../../src/hashing');
  return { ...actual, hashFile: jest.fn(actual.hashFile) };
});
const { hashFile: reallyHash } = jest.requireActual<typeof import('../../../src/hashing')>('../../../src/hashing');
const hashing = jest.mocked(hashFile);

let root: string;
beforeEach(() => {
  root = join(temporaryFolder(), 'root');
  mkdirSync(root);
});
afterEach(() => hashing.mockReset().mockImplementation(reallyHash));
afterAll(() => Promise.all([closeHashing(), closePageCounter()]));

const at = (name: string) => join(root, name);
const replace = (name: string, make: (path: string) => unknown) => {
  unlinkSync(at(name));
  make(at(name));
};

/** What happens to a file, and what a plan may say of it when that was after it was found. */
const harms: Record<string, { harm: (name: string) => unknown; fate: string }> = {
  'grow.pdf': { harm: (name) => appendFileSync(at(name), 'more'), fate: 'changed' },
  'cut.pdf': { harm: (name) => truncateSync(at(name), 1), fate: 'changed' },
  'emptied.pdf': { harm: (name) => truncateSync(at(name), 0), fate: 'changed' },
  'gone.pdf': { harm: (name) => unlinkSync(at(name)), fate: 'unreadable' },
  'folder.pdf': { harm: (name) => replace(name, (path) => mkdirSync(path)), fate: 'not_a_file' },
  'pipe.pdf': { harm: (name) => replace(name, (path) => execFileSync('mkfifo', [path])), fate: 'not_a_file' },
  'out.pdf': { harm: (name) => replace(name, (path) => symlinkSync('/etc/hostname', path)), fate: 'outside_source' },
  'device.pdf': { harm: (name) => replace(name, (path) => symlinkSync('/dev/zero', path)), fate: 'outside_source' },
  'loop.pdf': { harm: (name) => replace(name, (path) => symlinkSync(name, path)), fate: 'unreadable' },
};
const harmed = Object.fromEntries(Object.entries(harms).map(([name, { fate }]) => [name, fate]));

/** Something that happens once, when planning first tells of a phase. */
function onPhase(phase: PlanProgress['phase'], meddle: () => void): { onProgress: (progress: PlanProgress) => void } {
  let done = false;
  return {
    onProgress: (progress) => {
      if (done || progress.phase !== phase) return;
      done = true;
      meddle();
    },
  };
}

const harmAll = (): void => {
  for (const [name, { harm }] of Object.entries(harms)) harm(name);
};

describe('files that change while a batch is planned', () => {
  beforeEach(() => {
    // All of one size, so that each is opened to be compared.
    for (const name of ['a.pdf', ...Object.keys(harms)]) writeFileSync(at(name), makePdf({ marker: name, sizeBytes: 2_000 }).subarray(0, 1_990));
  });

  it('between the list of names and their hashing are told as what they are then', async () => {
    const { lines } = await planOf({ folder: root }, {}, onPhase('reading', harmAll));
    expect(fates(lines)).toEqual({ ...harmed, 'a.pdf': 1 });
  });

  it('between hashing and the count of pages too', async () => {
    const { lines } = await planOf({ folder: root }, {}, { pages: true, ...onPhase('comparing', () => undefined), countPages: onceBefore(harmAll) });
    const found = fates(lines);
    // Its length is looked at again when it is sent; until then only its pages are unknown.
    for (const name of ['grow.pdf', 'cut.pdf', 'emptied.pdf']) expect([name, found[name]]).toEqual([name, 1]);
    for (const name of ['gone.pdf', 'folder.pdf', 'pipe.pdf', 'out.pdf', 'device.pdf', 'loop.pdf']) expect(['unreadable', harmed[name], 1]).toContain(found[name]);
    expect(found['a.pdf']).toBe(1);
    expect(lines).toHaveLength(10);
  });

  it('while they are hashed are changed, and never taken for copies of what they were', async () => {
    hashing.mockImplementation(async (fd, options) => {
      const isFirst = hashing.mock.calls.length === 1;
      const hashed = await reallyHash(fd, options);
      if (isFirst) {
        writeFileSync(at('a.pdf'), Buffer.alloc(1_990, 'z'));
        utimesSync(at('a.pdf'), 5, 5);
      }
      return hashed;
    });
    const { lines } = await planOf({ folder: root });
    expect(fates(lines)['a.pdf']).toBe('changed');
    expect(lines.filter(({ job }) => job === 1)).toHaveLength(Object.keys(harms).length);
  });

  it('leave no file open', async () => {
    const before = readdirSync('/proc/self/fd').length;
    for (const phase of ['reading', 'comparing'] as const) await planOf({ folder: root }, {}, onPhase(phase, () => unlinkSync(at(phase === 'reading' ? 'a.pdf' : 'grow.pdf'))));
    await expect(planOf({ folder: root }, {}, onPhase('comparing', () => renameSync(root, `${root}.away`)))).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
    await closeHashing();
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });
});

/** The real counter, with something that happens before the first count. */
function onceBefore(meddle: () => void): typeof countPages & ((path: Buffer) => ReturnType<typeof countPages>) {
  let done = false;
  return (path) => {
    if (!done) meddle();
    done = true;
    return countPages(path);
  };
}

describe('a source that goes away while it is planned is unavailable, and says nothing of its documents', () => {
  const away: Record<string, () => void> = {
    vanishes: () => renameSync(root, `${root}.away`),
    'is replaced by an empty folder': () => {
      renameSync(root, `${root}.away`);
      mkdirSync(root);
    },
    'is replaced by another folder': () => {
      renameSync(root, `${root}.away`);
      mkdirSync(root);
      writeFileSync(at('a.pdf'), 'another');
    },
  };
  const phases = ['reading', 'comparing', 'counting'] as const;

  it.each(Object.keys(away).flatMap((what) => phases.map((phase) => [what, phase] as const)))('%s: %s', async (what, phase) => {
    for (const name of ['a.pdf', 'b.pdf', 'deep/c.pdf']) {
      mkdirSync(join(root, 'deep'), { recursive: true });
      writeFileSync(at(name), `same ${basename(name)}`);
    }
    const planning = planOf({ folder: root }, {}, { pages: true, countPages: () => Promise.resolve({ pages: 1 }), ...onPhase(phase, away[what]!) });
    await expect(planning).rejects.toMatchObject({ type: failureTypes.sourceUnavailable, nonRetryable: false });
  });

  it('also when nothing was found in it yet', async () => {
    writeFileSync(at('a.pdf'), 'a');
    const open = fs.open.bind(fs);
    const opening = jest.spyOn(fs, 'open').mockImplementation((...args) => {
      // First for its place, then for its names.
      if (opening.mock.calls.length === 2) away['is replaced by an empty folder']!();
      return open(...args);
    });
    await expect(planOf({ folder: root }, { allowEmpty: true })).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
    opening.mockRestore();
  });

  it('a list whose documents are looked up too', async () => {
    for (const name of ['a.pdf', 'b.pdf']) writeFileSync(at(name), name);
    writeFileSync(at('list.jsonl'), '{"path":"a.pdf"}\n{"path":"b.pdf"}\n');
    const meddle = onPhase('reading', away['is replaced by an empty folder']!);
    await expect(planOf({ list: at('list.jsonl') }, {}, meddle)).rejects.toMatchObject({ type: failureTypes.sourceUnavailable });
  });
});

describe('a source that stands still', () => {
  it('ends the attempt to plan, though it cannot be interrupted', async () => {
    for (const name of ['a.pdf', 'b.pdf']) writeFileSync(at(name), name);
    const [folder, batchId] = [temporaryFolder(), 'still'];
    const store = new FolderStore(join(folder, 'archive'));
    const input = batchInputSchema.parse({ project: 'p', source: { folder: root } });
    await store.write(batchKeys(batchId).input, JSON.stringify({ batchId, input, acceptedAt: new Date().toISOString() }));
    const settings = { creditsPerDrawingPage: 10, creditsPerDocumentPage: 1 };
    const { planBatch } = createPlanActivities({ store, settings, uploads: { stallLimitMs: 3_000 } });
    let letGo = (): void => undefined;
    const hung = new Promise<never>((_, reject) => (letGo = () => reject(new Error('let go'))));
    hashing.mockImplementation(() => hung);
    await expect(quietActivity().run(planBatch, { batchId, projectId: null })).rejects.toMatchObject({
      type: failureTypes.sourceUnavailable,
      message: expect.stringMatching(/^Planning stood still for 3 s: it waits for the source, on worker host /) as string,
    });
    hashing.mockImplementation(reallyHash);
    expect(await quietActivity().run(planBatch, { batchId, projectId: null })).toMatchObject({ documents: 2, rejected: 0 });
    // What was open in the attempt that was given up is closed once its reads end.
    expect(descriptors.open).toBe(2);
    letGo();
    while (descriptors.open > 0) await delay(10);
  });
});
