import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { BatchClient, createDataConverter } from '../../src/client';
import { codec } from '../../src/cli/codec';
import { batchWorkflowId } from '../../src/contract/messages';
import { freePorts } from '../../scripts/free-ports';
import { Processes } from '../../scripts/processes';
import { findTemporalCli } from '../../scripts/temporal-binaries';
import { startTemporalServer } from '../../scripts/temporal-server';
import { launchBrowser } from '../support/browser';
import { WebUi } from '../support/browser-web-ui';
import { cliEnvironment } from '../support/cli';
import { listening, withEnvironment } from '../support/cli-output';

test('an operator reads an encrypted batch in the web UI, through the codec endpoint on the own machine', async () => {
  const processes = new Processes();
  const folder = await mkdtemp(join(tmpdir(), 'codec-ui-'));
  const key = randomBytes(32).toString('base64');
  try {
    await mkdir(join(folder, 'server'));
    const [port] = (await freePorts(1)) as [number];
    const { path: temporal } = await findTemporalCli({ processes, print: () => {} });
    const launched = launchBrowser(folder);
    const server = await startTemporalServer({ processes, temporal, folder: join(folder, 'server'), env: cliEnvironment({}), extraArgs: ['--ui-codec-endpoint', `http://127.0.0.1:${port}`] });
    const connection = await Connection.connect({ address: server.address });
    const browser = await launched;
    const batches = new BatchClient({ client: new Client({ connection, dataConverter: createDataConverter({ key }) }) });
    await batches.start({ project: 'Quickstart', source: { folder: '/srv/seen-by-operators-alone' }, labels: { customer: 'marked' } }, { id: 'sealed' });

    const { output, seen } = listening(true);
    await withEnvironment({ PLANGREP_PAYLOAD_KEY: key, PLANGREP_WEB_UI_URL: server.webUi }, async () => {
      const serving = codec({ port }, output);
      await seen(/\n/);
      const ui = await WebUi.open(browser, server.webUi, null);
      await ui.openList();
      await ui.refreshUntilSeen(ui.row(batchWorkflowId('sealed')));
      await ui.openWorkflow(batchWorkflowId('sealed'));
      await ui.seeText('seen-by-operators-alone');
      await browser.close();
      process.emit('SIGTERM');
      expect(await serving).toBe(0);
    });
    await connection.close();
  } finally {
    await processes.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
