import type { Manifest, ManifestLine } from '../../src/contract/archive';
import { hasResult } from '../../src/domain/job-state';
import { FaultProxy, seededFaults } from '../support/fault-proxy';
import { Story } from '../support/story';

/** `REMOTE_SEED` repeats a storm, `REMOTE_ROUNDS` plays more of them, each with the next seed. */
const firstSeed = Number(process.env['REMOTE_SEED'] ?? Math.floor(Math.random() * 1_000_000));
const rounds = Number(process.env['REMOTE_ROUNDS'] ?? 1);
/** The share of exchanges that something befalls. */
const rate = 0.08;

jest.setTimeout(120_000 + 120_000 * rounds);

/** Everything that must hold of a batch, whatever its connections went through, seen from outside. */
async function mustHold(story: Story, id: string, names: string[]): Promise<void> {
  const jobs = story.jobs(id);
  const { manifest, lines }: { manifest: Manifest; lines: ManifestLine[] } = await story.manifest(id);
  expect(lines.map(({ source, outcome, reason }) => [source, outcome, reason?.message])).toEqual(names.map((name) => [name, 'processed', undefined]));
  // One remote job for each job of the manifest: those planned, and what a refused one left for another.
  expect(jobs.map(({ id: jobId }) => jobId).sort()).toEqual(manifest.jobs.flatMap(({ jobId }) => jobId ?? []).sort());
  expect(manifest.jobs.filter(({ parent }) => parent === null)).toHaveLength(Math.ceil(names.length / 3));
  const live = jobs.filter(({ status }) => hasResult(status));
  const contents = live.flatMap(({ documents }) => documents.filter(({ included, content }) => included && content !== null).map(({ sha256 }) => sha256));
  expect([contents.length, new Set(contents).size]).toEqual([names.length, names.length]);
  expect(jobs.filter((job) => !live.includes(job)).map(({ status, creditsDebited }) => [status, creditsDebited])).toEqual(jobs.filter((job) => !live.includes(job)).map(() => ['cancelled', 0]));
  expect(await story.debits(id)).toEqual(names.map(() => [1]));
}

async function storm(seed: number): Promise<void> {
  const proxies: FaultProxy[] = [];
  let isOver = false;
  const seeded = seededFaults({ seed: `storm ${seed}`, rate, kinds: ['reset', 'reset', 'fin', 'dropAnswer', 'dropAnswer', 'split', 'hold'] });
  const decide = () => (isOver ? null : seeded());
  const story = await Story.start({
    simulator: { partThreshold: 20_000, partBytes: 10_000 },
    client: async (simulator) => {
      proxies.push(await FaultProxy.start(simulator.apiUrl, decide), await FaultProxy.start(simulator.storageUrl, decide));
      simulator.state.storageUrl = proxies[1]!.url;
      return { baseUrl: proxies[0]!.url, callTimeoutMs: 5_000, idleTimeoutMs: 5_000 };
    },
  });
  try {
    const batches = { signed: 7, form: 4, parts: 3 };
    const names = Object.fromEntries(Object.entries(batches).map(([id, count]) => [id, Array.from({ length: count }, (_, index) => `${index}.pdf`)]));
    const limits = { maxFiles: 3 };
    await Promise.all([
      story.begin('signed', names['signed']!, { limits }),
      story.begin('form', names['form']!, { limits, upload: 'form' }),
      story.begin('parts', names['parts']!, { limits }, { sizeBytes: 35_000 }),
    ]);
    for (const id of Object.keys(batches)) expect(await story.wait(id)).toMatchObject({ status: 'completed', error: null });
    isOver = true;
    for (const id of Object.keys(batches)) await mustHold(story, id, names[id]!);
    expect(proxies.reduce((sum, { happened }) => sum + Object.values(happened).reduce((all, count) => all + count, 0), 0)).toBeGreaterThan(0);
  } finally {
    await story.stop();
    await Promise.all(proxies.map((proxy) => proxy.stop()));
  }
}

test.each(Array.from({ length: rounds }, (_, round) => firstSeed + round))('a storm of broken connections, seed %i: every batch is complete, once', async (seed) => {
  try {
    await storm(seed);
  } catch (error) {
    throw new Error(`The storm of REMOTE_SEED=${seed} did harm`, { cause: error });
  }
});
