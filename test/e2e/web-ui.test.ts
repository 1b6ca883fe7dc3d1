import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { Browser } from 'playwright-core';
import { BatchClient } from '../../src/client';
import { batchWorkflowId } from '../../src/contract/messages';
import { startStack, type Stack } from '../../scripts/local-stack';
import { Processes } from '../../scripts/processes';
import { findTemporalCli } from '../../scripts/temporal-binaries';
import { launchBrowser } from '../support/browser';
import { WebUi } from '../support/browser-web-ui';
import { makePdf, writeDocuments } from '../support/documents';

/** `npm run screenshots` names a folder for pictures of what is seen here. */
const pictures = process.env.WEB_UI_PICTURES ?? null;
const [blocked, other] = ['harbour-annex-2026', 'north-pier-2026'];

describe('an operator who has nothing but the Temporal web UI', () => {
  const processes = new Processes();
  let folder: string;
  let stack: Stack;
  let connection: Connection;
  let batches: BatchClient;
  let browser: Browser;
  let ui: WebUi;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'site-'));
    const launched = launchBrowser(folder);
    stack = await startOurStack();
    connection = await Connection.connect({ address: stack.temporalAddress });
    batches = new BatchClient({ client: new Client({ connection }) });
    browser = await launched;
    ui = await WebUi.open(browser, stack.webUi, pictures);
    await Promise.all([ui.openList(), startBatches()]);
  });

  afterAll(async () => {
    await browser?.close();
    await connection?.close();
    await processes.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function startOurStack(): Promise<Stack> {
    const print = (): void => {};
    const { path: temporal } = await findTemporalCli({ processes, print });
    return startStack({ processes, temporal, folder: join(folder, 'run'), secretKeyFile: join(folder, 'secret-key'), archive: join(folder, 'archive'), print });
  }

  /** One that needs credits, twelve drawings, and one that needs none: its only document is empty and is rejected. */
  async function startBatches(): Promise<void> {
    await setCredits(0);
    await start(blocked, Array.from({ length: 12 }, (_, index) => makePdf({ marker: `${index}` })));
    await start(other, [Buffer.alloc(0)]);
  }

  async function setCredits(available: number): Promise<void> {
    const answer = await fetch(`${stack.control}/credits`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ available }) });
    if (!answer.ok) throw new Error(`Credits could not be set: ${answer.status}`);
  }

  async function start(id: string, documents: Buffer[]): Promise<void> {
    const source = join(folder, id);
    await writeDocuments(source, documents.map((content, index) => ({ path: Buffer.from(`A-${101 + index}.pdf`), content })));
    await batches.start({ project: 'Quickstart', source: { folder: source } }, { id });
  }

  test('finds the batches that wait for credits by their BatchStatus', async () => {
    await ui.chooseColumns({ add: ['BatchStatus', 'DocumentsDone', 'DocumentCount'], remove: ['Run ID', 'Type', 'Start', 'End'] });
    await ui.refreshUntilSeen(ui.row(batchWorkflowId(other)));
    await ui.filter('BatchStatus', 'blocked_credits');
    await ui.refreshUntilSeen(ui.row(batchWorkflowId(blocked)));
    await ui.row(batchWorkflowId(other)).waitFor({ state: 'detached' });
    await ui.picture('web-ui-batches');
  });

  test('reads why a batch waits, and how it goes on', async () => {
    await ui.openWorkflow(batchWorkflowId(blocked));
    expect(await ui.currentDetails()).toMatchObject({
      Status: 'blocked_credits',
      Documents: '0 of 12',
      Gate: expect.stringMatching(/^closed: credits are used up, since .*; tries by itself at /),
      'What to do': expect.stringMatching(/add credits at Plangrep, then send the update resume/),
    });
    await ui.picture('web-ui-blocked');
    expect(await ui.query('status')).toMatchObject({ status: 'blocked_credits', gate: { reason: 'insufficient_credits' }, documents: 12, documentsDone: 0 });
  });

  test('resumes it in the dialog for updates, and it completes', async () => {
    await setCredits(1_000);
    await ui.chooseUpdate('resume');
    await ui.picture('web-ui-resume');
    await ui.sendUpdate();
    expect(await batches.wait(blocked)).toMatchObject({ status: 'completed', counts: { processed: 12 } });
    await ui.refreshStatus('Completed');
  });
});
