import { setTimeout as delay } from 'node:timers/promises';
import type { BatchInputOptions } from '../../src/client';
import { jobStatusChangedSignal, jobWorkflowId } from '../../src/contract/messages';
import { Story } from '../support/story';

/** Every text in an object; bytes count as text, as payloads hold them. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString()];
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(textsOf) : [];
}

describe('webhooks', () => {
  let story: Story;
  beforeAll(async () => {
    story = await Story.start({ webhooks: true, simulator: { credits: 100_000 } });
  });
  afterAll(() => story.stop());
  afterEach(() => story.stack.simulator.state.faults.clear());

  const names = ['bad.pdf', 'good.pdf', 'half.pdf', 'other.pdf'];
  const input: Partial<BatchInputOptions> = { limits: { maxFiles: 2 } };
  /** The same documents whatever the batch, with the same trouble. */
  const begin = (id: string) => {
    story.fault({ kind: 'document', fileName: 'half.pdf', failPages: [2] }, { kind: 'document', fileName: 'bad.pdf', failPages: 'all' });
    return story.begin(id, names, input, { pages: 3, marker: 'same' });
  };
  const signals = async (workflowId: string): Promise<number> => {
    const { events } = await story.handle(workflowId).fetchHistory();
    return (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes?.signalName === jobStatusChangedSignal.name).length;
  };

  test('lost, doubled, late, out of order, forged or none at all: the end is the same, and so is what was paid', async () => {
    const deliveries = ['dropped', 'duplicated', 'delayed', 'reordered', 'forged'] as const;
    for (const delivery of deliveries) story.fault({ kind: 'webhook', externalId: `batch/${delivery}/`, delivery, delayMs: 700, copies: 20 });
    await Promise.all(['normal', ...deliveries].map(begin));
    for (const id of ['normal', ...deliveries]) await story.wait(id);
    const { webhookUrl } = story.settings;
    delete story.settings.webhookUrl;
    await begin('polled');
    await story.wait('polled');
    story.settings.webhookUrl = webhookUrl!;

    const expected = await story.shape('polled');
    expect(expected.map(({ source, outcome }) => [source, outcome])).toEqual([['bad.pdf', 'failed'], ['good.pdf', 'processed'], ['half.pdf', 'partial'], ['other.pdf', 'processed']]);
    for (const id of ['normal', ...deliveries]) {
      expect([id, await story.shape(id)]).toEqual([id, expected]);
      expect([id, (await story.debits(id)).filter((pages) => Math.max(...pages) > 1)]).toEqual([id, []]);
    }
    expect(story.jobs('polled').map(({ webhookUrl: url }) => url)).toEqual(story.jobs('polled').map(() => null));
    const { requests } = story.receiver!.counters;
    expect(requests.signalled).toBeGreaterThan(0);
    expect(requests.bad_signature).toBeGreaterThan(0);
    // Twenty copies are told once.
    for (const job of story.jobs('duplicated')) expect(await signals(job.externalId!)).toBeLessThanOrEqual(1);
  });

  test('nobody without the address can say anything, and nobody without the secret', async () => {
    const id = 'proved';
    story.fault({ kind: 'job', externalId: `batch/${id}/`, hold: 'processing', times: 2 });
    await begin(id);
    await story.untilJobs(id, (jobs) => jobs.length === 2 && jobs.every(({ status }) => status === 'processing'));
    const [job] = story.jobs(id);
    const body = JSON.stringify({ event: 'job.status_changed', job: { id: job!.id, status: 'completed', updatedAt: new Date().toISOString() } });
    const post = async (url: string) => (await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json', 'x-plangrep-signature': `sha256=${'0'.repeat(64)}` } })).status;
    const address = job!.webhookUrl!;
    const other = story.jobs(id)[1]!.webhookUrl!;
    const swapped = [...address.split('/').slice(0, -1), other.split('/').at(-1)].join('/');
    expect([await post(address), await post(swapped), await post(`${address}x`), await post(`${story.receiver!.url}/`)]).toEqual([404, 404, 404, 404]);
    expect(await signals(job!.externalId!)).toBe(0);
    for (const externalId of [1, 2].map((number) => jobWorkflowId(id, number))) await story.control('/jobs', { job: externalId, action: 'release' });
    expect(await story.wait(id)).toMatchObject({ counts: { processed: 2, partial: 1, failed: 1 } });
  });

  test('when the answer that held the secret was lost, the address alone is proof enough', async () => {
    const id = 'secretless';
    story.fault({ kind: 'request', operation: 'createJob', drop: 'after' }, { kind: 'job', externalId: `batch/${id}/`, hold: 'processing' });
    await story.begin(id, ['a.pdf']);
    await story.untilJobs(id, ([job]) => job?.status === 'processing');
    const [job] = story.jobs(id);
    const post = async (url: string) => (await fetch(url, { method: 'POST', body: '{}' })).status;
    expect([await post(`${job!.webhookUrl}x`), await post(job!.webhookUrl!)]).toEqual([404, 204]);
    // Temporal shows a signal once the workflow task that it came in the middle of has ended.
    while ((await signals(job!.externalId!)) === 0) await delay(100);
    expect(await signals(job!.externalId!)).toBe(1);
    await story.control('/jobs', { job: job!.externalId!, action: 'release' });
    expect(await story.wait(id)).toMatchObject({ status: 'completed', counts: { processed: 1 } });
    expect(story.jobs(id)).toHaveLength(1);
  });

  test('tokens and signing secrets stand in no history, log or file', async () => {
    const id = 'secret';
    story.fault({ kind: 'job', externalId: `batch/${id}/job/00001`, hold: 'processing' });
    await begin(id);
    await story.untilJobs(id, (jobs) => jobs.some(({ status }) => status === 'processing'));
    const working = await story.files();
    expect(working.some(([key]) => key.endsWith('/intent.json'))).toBe(true);
    await story.control('/jobs', { job: jobWorkflowId(id, 1), action: 'release' });
    await story.wait(id);

    const secrets = story.jobs(id).flatMap(({ webhookUrl, webhookSecret }) => [webhookUrl!.split('/').at(-1)!, webhookSecret!]);
    expect(new Set(secrets).size).toBe(2 * story.jobs(id).length);
    const { client } = story.stack.env;
    const told: [string, string][] = [];
    for (const workflowId of [`batch/${id}`, ...story.jobs(id).map(({ externalId }) => externalId!)]) {
      const [history, { memo, raw }] = await Promise.all([client.workflow.getHandle(workflowId).fetchHistory(), client.workflow.getHandle(workflowId).describe()]);
      told.push([workflowId, textsOf([history, memo, raw]).join('\n')]);
    }
    for (const [where, text] of [...told, ...working, ...(await story.files()), ['the log', story.log.join('\n')]] as const) {
      expect([where, secrets.filter((secret) => text.includes(secret))]).toEqual([where, []]);
    }
  });
});
