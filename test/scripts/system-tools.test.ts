import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { transpile } from '../support/transpiled';

const run = promisify(execFile);
let folder = '';

let scripts = '';
beforeAll(async () => {
  scripts = await mkdtemp(join(tmpdir(), 'system-tools-'));
  await transpile(['system-tools'], scripts);
});
afterAll(() => rm(scripts, { recursive: true, force: true }));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'system-tools-'));
  await mkdir(join(folder, 'bin'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Puts a program of this name on the PATH, which holds nothing else. */
async function program(name: string, script: string): Promise<void> {
  await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'bin', name), 0o755);
}

/** Asks for a tool in a process of its own, as root or as somebody, since PATH and user are the process's. */
async function ensure(tool: 'Pdfinfo' | 'Chromium', uid: number, more: Record<string, string> = {}): Promise<unknown> {
  const code = `process.getuid = () => ${uid}; require('./system-tools').ensure${tool}().then((found) => console.log(JSON.stringify(found)))`;
  const { stdout } = await run(process.execPath, ['--eval', code], {
    cwd: scripts,
    env: { PATH: join(folder, 'bin'), BIN: join(folder, 'bin'), CALLS: join(folder, 'calls'), ...more },
  });
  return JSON.parse(stdout);
}

const calls = (): Promise<string> => readFile(join(folder, 'calls'), 'utf8').catch(() => 'none');

const pdfinfo = 'echo "pdfinfo version 22.12.0" >&2';
/** Installs a program of this name that says this. */
const aptGet = (name: string, says: string): string => `echo "$@" >> "$CALLS"
case "$1" in install) echo '#!/bin/sh
${says}' > "$BIN/${name}"; /bin/chmod 755 "$BIN/${name}";; esac`;

describe('pdfinfo', () => {
  test('is taken when it is there', async () => {
    await program('pdfinfo', pdfinfo);
    await program('apt-get', aptGet('pdfinfo', pdfinfo));
    expect(await ensure('Pdfinfo', 0)).toBe('22.12.0');
    expect(await calls()).toBe('none');
  });

  test('is installed as root', async () => {
    await program('apt-get', aptGet('pdfinfo', pdfinfo));
    expect(await ensure('Pdfinfo', 0)).toBe('22.12.0');
    expect(await calls()).toBe('update -qq\ninstall -y -qq --no-install-recommends poppler-utils\n');
  });

  test('is done without as somebody else', async () => {
    await program('apt-get', aptGet('pdfinfo', pdfinfo));
    expect(await ensure('Pdfinfo', 1000)).toBeNull();
    expect(await calls()).toBe('none');
  });

  test.each([
    ['no apt-get', undefined],
    ['an apt-get that fails', 'echo "could not get lock" >&2; exit 100'],
    ['an apt-get that installs nothing', 'exit 0'],
  ])('is done without, with %s', async (_, script) => {
    if (script !== undefined) await program('apt-get', script);
    expect(await ensure('Pdfinfo', 0)).toBeNull();
  });
});

describe('a browser', () => {
  const chromium = 'echo "Chromium 150.0.7871.100 built on Debian GNU/Linux 12 (bookworm)"';
  const at = (name: string): string => join(folder, 'bin', name);

  test.each([
    ['chromium', chromium],
    ['chromium-browser', 'echo "Chromium 148.0.1.2 snap"'],
  ])('is taken when it is there as %s', async (name, says) => {
    await program(name, says);
    await program('apt-get', aptGet('chromium', chromium));
    expect(await ensure('Chromium', 0)).toBe(at(name));
    expect(await calls()).toBe('none');
  });

  test('that is named is taken, and no other', async () => {
    await program('chromium', chromium);
    await program('mine', chromium);
    expect(await ensure('Chromium', 0, { CHROMIUM_PATH: at('mine') })).toBe(at('mine'));
    await program('apt-get', aptGet('chromium', chromium));
    expect(await ensure('Chromium', 0, { CHROMIUM_PATH: at('gone') })).toBeNull();
    expect(await calls()).toBe('none');
  });

  test('that does not run is no browser', async () => {
    await program('chromium', 'exit 127');
    await program('google-chrome', 'echo "Google Chrome 149.0.1.2"');
    expect(await ensure('Chromium', 1000)).toBe(at('google-chrome'));
  });

  test('is installed as root', async () => {
    await program('apt-get', aptGet('chromium', chromium));
    expect(await ensure('Chromium', 0)).toBe(at('chromium'));
    expect(await calls()).toBe('update -qq\ninstall -y -qq --no-install-recommends chromium\n');
  });

  test('is done without as somebody else', async () => {
    await program('apt-get', aptGet('chromium', chromium));
    expect(await ensure('Chromium', 1000)).toBeNull();
    expect(await calls()).toBe('none');
  });
});
