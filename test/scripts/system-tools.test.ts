import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
let folder = '';

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

/** Asks for pdfinfo in a process of its own, as root or as somebody, since PATH and user are the process's. */
async function ensure(uid: number): Promise<unknown> {
  const code = `process.getuid = () => ${uid}; require('./scripts/system-tools').ensurePdfinfo().then((version) => console.log(JSON.stringify(version)))`;
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--eval', code], {
    cwd: join(__dirname, '../..'),
    env: { PATH: join(folder, 'bin'), BIN: join(folder, 'bin'), CALLS: join(folder, 'calls') },
  });
  return JSON.parse(stdout);
}

const pdfinfo = 'echo "pdfinfo version 22.12.0" >&2';
const aptGet = `echo "$@" >> "$CALLS"
case "$1" in install) echo '#!/bin/sh
${pdfinfo}' > "$BIN/pdfinfo"; /bin/chmod 755 "$BIN/pdfinfo";; esac`;

test('takes the pdfinfo that is there', async () => {
  await program('pdfinfo', pdfinfo);
  await program('apt-get', aptGet);
  expect(await ensure(0)).toBe('22.12.0');
  await expect(readFile(join(folder, 'calls'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('as root, installs it', async () => {
  await program('apt-get', aptGet);
  expect(await ensure(0)).toBe('22.12.0');
  expect(await readFile(join(folder, 'calls'), 'utf8')).toBe('update -qq\ninstall -y -qq --no-install-recommends poppler-utils\n');
});

test('as somebody else, does without', async () => {
  await program('apt-get', aptGet);
  expect(await ensure(1000)).toBeNull();
  await expect(readFile(join(folder, 'calls'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test.each([
  ['no apt-get', undefined],
  ['an apt-get that fails', 'echo "could not get lock" >&2; exit 100'],
  ['an apt-get that installs nothing', 'exit 0'],
])('with %s, does without', async (_, script) => {
  if (script !== undefined) await program('apt-get', script);
  expect(await ensure(0)).toBeNull();
});
