import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { streamsPerJob } from '../../../src/activities/upload/streams';
import { startSimulator } from '../../../src/simulator/server';
import { makePdf, writeDocuments } from '../../support/documents';
import { attemptUpload } from './attempt';

const partBytes = 50_000;
const documents = 20;
const largeBytes = 1_000_000;
const putsBeforeTheKill = 30;

test('an upload that is killed sends at most one document or part a stream again', async () => {
  const [simulator, folder] = await Promise.all([startSimulator({ partThreshold: partBytes, partBytes }), mkdtemp(join(tmpdir(), 'kill-'))]);
  try {
    const source = join(folder, 'source');
    const contents = [...Array.from({ length: documents }, (_, at) => 30_000 + at * 1_000), largeBytes].map((sizeBytes, at) => makePdf({ marker: String(at), sizeBytes }));
    await writeDocuments(source, contents.map((content, at) => ({ path: Buffer.from(`${at}.pdf`), content })));
    const totalBytes = contents.reduce((sum, { length }) => sum + length, 0);

    const { counters, faults } = simulator.state;
    const request = { api: simulator.apiUrl, apiKey: simulator.apiKey, folder, secretKey: randomBytes(32).toString('base64') };
    // Slow enough for several to be under way at any time.
    for (const operation of ['putObject', 'putPart']) faults.add({ kind: 'request', operation, times: 0, delayMs: 20 });
    const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'attempt.ts'), JSON.stringify(request)], { stdio: ['ignore', 'ignore', 'inherit'] });
    const exit = once(child, 'exit');
    const count = counters.count.bind(counters);
    const puts = () => ['putObject', 'putPart'].reduce((sum, operation) => sum + (counters.requests[operation]?.['200'] ?? 0), 0);
    jest.spyOn(counters, 'count').mockImplementation((operation, outcome) => {
      count(operation, outcome);
      if (puts() === putsBeforeTheKill) child.kill('SIGKILL');
    });
    expect(await exit).toEqual([null, 'SIGKILL']);

    expect(await attemptUpload(request)).toEqual({ sent: documents + 1, notSent: 0, bytes: totalBytes });
    const againBytes = counters.bytesReceived - totalBytes;
    expect(againBytes).toBeGreaterThanOrEqual(0);
    expect(againBytes).toBeLessThanOrEqual(partBytes * streamsPerJob);
    expect(counters.requests['registerUploads']).toEqual({ 200: 1 });
  } finally {
    await simulator.close();
    await rm(folder, { recursive: true, force: true });
  }
});
