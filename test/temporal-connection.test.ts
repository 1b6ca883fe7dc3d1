import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { freePorts } from '../scripts/free-ports';
import { Processes } from '../scripts/processes';
import { findTemporalCli } from '../scripts/temporal-binaries';
import { startTemporalServerAt } from '../scripts/temporal-server';
import { connectTemporal, connectWorker, readTemporalSettings, TemporalSettingsError, TemporalUnreachableError } from '../src/temporal-connection';

let folder: string;
const none = { TEMPORAL_CONFIG_FILE: '/no/such/file.toml' };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plangrep-temporal-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('readTemporalSettings', () => {
  it('has the development server as its default', () => {
    expect(readTemporalSettings(none)).toMatchObject({ address: '127.0.0.1:7233', namespace: 'default', webUiUrl: 'http://127.0.0.1:8233' });
  });

  it.each([
    ['127.0.0.1:7233', 'http://127.0.0.1:8233'],
    ['localhost:7233', 'http://127.0.0.1:8233'],
    ['127.0.0.1:7234', null],
    ['temporal.example:7233', null],
  ])('the web UI of %s is %s unless it is given', (address, webUiUrl) => {
    expect(readTemporalSettings({ ...none, TEMPORAL_ADDRESS: address }).webUiUrl).toBe(webUiUrl);
    expect(readTemporalSettings({ ...none, TEMPORAL_ADDRESS: address }, 'https://ui.example').webUiUrl).toBe('https://ui.example');
  });

  it.each([['an empty file', ''], ['a file without profiles', '# nothing yet\n']])('takes %s for none', async (_name, text) => {
    const file = join(folder, 'empty.toml');
    await writeFile(file, text);
    expect(readTemporalSettings({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_ADDRESS: 'a:1' }).address).toBe('a:1');
    expect(() => readTemporalSettings({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'prod' })).toThrow(TemporalSettingsError);
  });

  it('reads profiles, which variables override', async () => {
    const file = join(folder, 'profiles.toml');
    await writeFile(file, '[profile.default]\naddress = "a:1"\nnamespace = "n"\n[profile.prod]\naddress = "b:2"\napi_key = "k"\n');
    expect(readTemporalSettings({ TEMPORAL_CONFIG_FILE: file })).toMatchObject({ address: 'a:1', namespace: 'n' });
    expect(readTemporalSettings({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'prod', TEMPORAL_NAMESPACE: 'm' })).toMatchObject({ address: 'b:2', namespace: 'm' });
  });

  it('refuses what it cannot read, without a secret in the message', async () => {
    const file = join(folder, 'broken.toml');
    await writeFile(file, 'api_key = "S1\n');
    const read = () => readTemporalSettings({ TEMPORAL_CONFIG_FILE: file });
    expect(read).toThrow(TemporalSettingsError);
    let shown = '';
    try {
      read();
    } catch (error) {
      shown = inspect(error, { depth: 5 });
    }
    expect(shown).toContain('Invalid TOML');
    expect(shown).not.toContain('S1');
  });
});

test('a server that does not answer is named', async () => {
  const error: unknown = await connectTemporal(readTemporalSettings({ ...none, TEMPORAL_ADDRESS: '127.0.0.1:9' }), { timeoutMs: 50 }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TemporalUnreachableError);
  expect((error as Error).message).toContain('127.0.0.1:9');
});

test('a worker that starts while its server is restarted waits for it', async () => {
  const processes = new Processes();
  const { path: temporal } = await findTemporalCli({ processes, print: () => undefined });
  const [port, uiPort] = (await freePorts(2)) as [number, number];
  // Else the library loads for longer than the server takes to start.
  await import('@temporalio/worker');
  const connecting = connectWorker(readTemporalSettings({ ...none, TEMPORAL_ADDRESS: `127.0.0.1:${port}` }), 120_000);
  await startTemporalServerAt({ port, uiPort }, { processes, temporal, folder, env: process.env });
  await (await connecting).close();
  await processes.stop();
});

test('a server that does not answer a worker is named in the end', async () => {
  await expect(connectWorker(readTemporalSettings({ ...none, TEMPORAL_ADDRESS: '127.0.0.1:9' }), 50)).rejects.toThrow(TemporalUnreachableError);
});
