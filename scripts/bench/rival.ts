import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PlangrepClient, type RegisterFile } from '../../src/plangrep/client';
import { packageVersion } from '../../src/version';
import type { Session } from './session';
import type { SimulatorAddress } from './simulator';

/** Files that the rival hashes, sends or gets at the same time. */
const streams = 4;
const contentType = 'application/octet-stream';
const limitMs = 120_000;

/** How long the shell took. Registering, which needs the digests and nothing of the shell, is left out, in its favour. */
export interface RivalTimes {
  sha256sumSeconds: number;
  curlSeconds: number;
}

/** Whether the programs that the comparison needs are there; else what is missing. */
export async function missingProgram({ processes }: Session): Promise<string | null> {
  for (const program of ['sha256sum', 'xargs', 'curl']) {
    const found = await processes.capture(program, ['--version'], { timeoutMs: 10_000 }).then(({ code }) => code === 0, () => false);
    if (!found) return program;
  }
  return null;
}

/** The same upload as a shell would do it: `sha256sum` over the files, then `curl` PUTs them to the same server, both in parallel. */
export async function runRival(session: Session, simulator: SimulatorAddress, run: { name: string; files: string[] }): Promise<RivalTimes> {
  const hashed = await timed(session, `printf '%s\\n' "$@" | xargs -P ${streams} -n 1 sha256sum`, run.files);
  const digests = new Map(hashed.stdout.trim().split('\n').map((line) => [line.slice(66), line.slice(0, 64)] as const));
  const configs = await register(session, simulator, run, digests);
  const sent = await timed(session, `printf '%s\\n' "$@" | xargs -P ${streams} -n 1 curl --config`, configs);
  const codes = sent.stdout.trim().split('\n');
  if (codes.length !== run.files.length || codes.some((code) => code !== '200')) throw new Error(`curl got the answers ${codes.join(' ')}`);
  return { sha256sumSeconds: hashed.seconds, curlSeconds: sent.seconds };
}

/** How long the shell took, and how many bytes it got. */
export interface DownloadTimes {
  curlSeconds: number;
  sha256sumSeconds: number;
  bytes: number;
}

/** The same downloads as a shell would do them: one `curl` that gets several files at a time, then `sha256sum`. */
export async function runDownloadRival(session: Session, { apiKey }: SimulatorAddress, { name, urls }: { name: string; urls: string[] }): Promise<DownloadTimes> {
  const into = join(session.folder, `downloads-${name}`);
  await mkdir(into);
  const config = join(session.folder, `curl-${name}`);
  const files = urls.flatMap((url, at) => [`url = "${url}"`, `output = "${join(into, String(at))}"`]);
  const options = ['silent', 'show-error', 'fail', 'noproxy = "*"', 'parallel', `parallel-max = ${streams}`, `header = "Authorization: Bearer ${apiKey}"`];
  await writeFile(config, [...options, ...files, ''].join('\n'), { mode: 0o600 });
  const { seconds: curlSeconds } = await timed(session, 'curl --config "$1"', [config]);
  const { seconds: sha256sumSeconds } = await timed(session, `find "$1" -type f -print0 | xargs -0 -P ${streams} -n 200 sha256sum`, [into]);
  let bytes = 0;
  for (const file of await readdir(into)) bytes += (await stat(join(into, file))).size;
  return { curlSeconds, sha256sumSeconds, bytes };
}

async function timed({ processes }: Session, script: string, args: string[]): Promise<{ stdout: string; seconds: number }> {
  const startedAt = performance.now();
  const { code, stdout, stderr } = await processes.capture('sh', ['-c', script, 'sh', ...args], { timeoutMs: limitMs });
  const seconds = (performance.now() - startedAt) / 1000;
  if (code !== 0) throw new Error(`${script} failed: ${stderr.trim().split('\n').at(-1) ?? ''}`);
  return { stdout, seconds };
}

/** Registers the files as a job of their own, and writes for each what curl has to do. */
async function register({ folder }: Session, { api, apiKey }: SimulatorAddress, { name, files }: { name: string; files: string[] }, digests: Map<string, string>): Promise<string[]> {
  const plangrep = new PlangrepClient({ baseUrl: api, apiKey: () => apiKey, version: packageVersion });
  try {
    const { job } = await plangrep.createJob('proj_quickstart', {}, { idempotencyKey: `rival-${name}` });
    const registered = await Promise.all(files.map((file) => toRegister(file, digests)));
    const { uploads } = await plangrep.registerUploads(job.id, registered);
    return await Promise.all(
      uploads.map(async (upload, index) => {
        if (upload.mode !== 'direct_put' || upload.url === null) throw new Error(`${files[index]} is not to be sent by one PUT`);
        const config = join(folder, `curl-${name}-${index}`);
        await writeFile(config, curlConfig(files[index]!, upload.url, upload.headers), { mode: 0o600 });
        return config;
      }),
    );
  } finally {
    await plangrep.close();
  }
}

async function toRegister(file: string, digests: Map<string, string>): Promise<RegisterFile> {
  const sha256 = digests.get(file);
  if (!sha256) throw new Error(`sha256sum said nothing about ${file}`);
  return { fileName: basename(file), contentType, fileSize: (await stat(file)).size, sha256 };
}

/** The signed URL goes into a file, since arguments can be seen by everybody. `Expect` is left out: it costs a turn. */
function curlConfig(file: string, url: string, headers: Record<string, string>): string {
  const lines = Object.entries({ ...headers, Expect: '' }).map(([name, value]) => `header = "${name}:${value && ` ${value}`}"`);
  return ['silent', 'show-error', 'noproxy = "*"', 'output = "/dev/null"', 'write-out = "%{http_code}\\n"', `upload-file = "${file}"`, ...lines, `url = "${url}"`, ''].join('\n');
}
