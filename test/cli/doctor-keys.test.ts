import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkEncryption, checkSecretFiles } from '../../src/cli/doctor-keys';
import { PayloadKey } from '../../src/codec/payload-key';

const key = (id: string, fill: number): PayloadKey => new PayloadKey(id, Buffer.alloc(32, fill));

test.each([
  [null, [], /^off: whoever reads what Temporal stores/],
  [key('now', 1), [], /^on, with payload key now$/],
  [key('now', 1), [key('then', 2), key('now', 1)], /^on, with payload key now; decrypts with then too$/],
  [null, [key('then', 2)], /^off: .*; decrypts with then$/],
])('encryption is told by names of keys (%#)', (current, old, message) => {
  expect(checkEncryption({ payloadKeys: { current, old } })).toMatchObject({ name: 'encryption', ok: true, message: expect.stringMatching(message) as string });
});

test('a file with a secret that others can read or change is remarked on, and is no problem by itself', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'));
  try {
    const path = join(folder, 'key');
    await writeFile(path, 'x');
    const found = async (mode: number) => {
      await chmod(path, mode);
      return checkSecretFiles({ secretFiles: [{ variable: 'PLANGREP_SECRET_KEY_FILE', path }] });
    };
    for (const mode of [0o600, 0o400, 0o700]) expect(await found(mode)).toEqual([]);
    for (const mode of [0o644, 0o640, 0o620, 0o602]) {
      expect(await found(mode)).toEqual([{ name: 'secret file', ok: true, message: `PLANGREP_SECRET_KEY_FILE names ${path}, which others than its owner can read or change (mode 0${mode.toString(8)})`, fix: `chmod 600 ${path}` }]);
    }
    expect(await checkSecretFiles({ secretFiles: [{ variable: 'X', path: join(folder, 'none') }] })).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
