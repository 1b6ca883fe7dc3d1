import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answerOf, errorOf, runCli, startCli } from '../support/cli';
import { runHere } from '../support/cli-output';

/** Nothing may be contacted there. */
const nobody = { TEMPORAL_ADDRESS: '127.0.0.1:9', PLANGREP_BASE_URL: 'http://127.0.0.1:9' };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plangrep-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('configuration', () => {
  it('is refused with every problem at once', async () => {
    const result = await runCli(['worker', '--json'], { PLANGREP_BASE_URL: 'http://plangrep.com', PLANGREP_MIN_POLL_SECONDS: 'x' });
    expect(result.code).toBe(1);
    const { code, message } = errorOf(result);
    expect(code).toBe('configuration');
    for (const variable of ['PLANGREP_API_KEY', 'PLANGREP_ARCHIVE', 'PLANGREP_BASE_URL', 'PLANGREP_MIN_POLL_SECONDS', 'PLANGREP_SECRET_KEY']) expect(message).toContain(variable);
  });

  it('says how to make the secret key that a worker needs', async () => {
    const { code, stderr } = await runHere(['worker'], { ...nobody, PLANGREP_API_KEY: 'k', PLANGREP_ARCHIVE: folder });
    expect(code).toBe(1);
    expect(stderr).toContain('PLANGREP_SECRET_KEY is not set');
    expect(stderr).toContain('openssl rand -base64 32');
  });

  it('of Temporal that cannot be read is named', async () => {
    const file = join(folder, 'temporal.toml');
    await writeFile(file, '[profile.default]\naddress = "127.0.0.1:9"\n');
    const result = await runHere(['list', '--json'], { TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'prod' });
    expect(result.code).toBe(1);
    expect(errorOf(result)).toMatchObject({ code: 'configuration', message: expect.stringContaining("'prod' not found") as string });
  });
});

describe('an archive that cannot be written', () => {
  it.each([
    ['lies below a file', () => join(folder, 'file', 'archive')],
    ['lies where no folder can be made', () => '/proc/archive'],
    ['is a file', () => join(folder, 'file')],
  ])('stops a worker when it %s', async (_where, archive) => {
    await writeFile(join(folder, 'file'), '');
    const result = await runHere(['worker', '--json', '--archive', archive()], { ...nobody, PLANGREP_API_KEY: 'k', PLANGREP_SECRET_KEY: Buffer.alloc(32).toString('base64') });
    expect(result.code).toBe(1);
    expect(errorOf(result)).toMatchObject({ code: 'archive_unavailable', message: expect.stringContaining(archive()) as string });
  });
});

describe('verify', () => {
  it('needs an archive, and a batch in it', async () => {
    expect(errorOf(await runHere(['verify', 'b1', '--json']))).toMatchObject({ code: 'configuration' });
    const unknown = await runHere(['verify', 'b1', '--archive', folder, '--json']);
    expect(unknown.code).toBe(1);
    expect(errorOf(unknown)).toMatchObject({ code: 'batch_not_found' });
  });

  it.each(['../b1', 'a..b', 'a/b'])('refuses the id %s', async (id) => {
    const result = await runHere(['verify', id, '--archive', folder, '--json']);
    expect(result.code).toBe(1);
    expect(errorOf(result).code).toBe('invalid_input');
  });
});

test('usage errors are told from a process too, on standard error only', async () => {
  const result = await runCli(['frobnicate']);
  expect(result).toMatchObject({ code: 1, stdout: '' });
  expect(result.stderr).toContain("unknown command 'frobnicate'");
});

test('simulator says where it listens and ends on SIGTERM', async () => {
  const simulator = startCli(['simulator', '--credits', '5']);
  await simulator.seen(/\n/);
  simulator.child.kill('SIGTERM');
  const result = await simulator.ended;
  expect(result.code).toBe(0);
  expect(Object.keys(answerOf(result))).toEqual(['api', 'storage', 'control', 'apiKey']);
});
