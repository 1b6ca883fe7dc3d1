import { Writable } from 'node:stream';
import { main } from '../src/cli';

const commands = ['plan', 'run', 'start', 'list', 'status', 'watch', 'verify', 'pause', 'resume', 'cancel', 'retry', 'worker', 'simulator', 'codec', 'doctor'];

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof said) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        said[name] += chunk.toString();
        done();
      },
    });
  return { code: await main(argv, stream('stdout'), stream('stderr')), ...said };
}

describe('help', () => {
  it('lists the commands of this version and the exit codes', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(stdout).toContain('Exit codes: 0 all well');
  });

  it.each(commands)('of %s has an example and --json', async (command) => {
    const { code, stdout } = await run(command, '--help');
    expect(code).toBe(0);
    expect(stdout).toContain(`Example:\n  $ plangrep-batch ${command}`);
    expect(stdout).toContain('--json');
  });

  it.each(['plan', 'run', 'start'])('of %s names the flags of a batch', async (command) => {
    const { stdout } = await run(command, '--help');
    for (const flag of ['--max-credits <n>', '--retry-failed <n>', '--retry-partial', '--split-failed', '--no-split-failed', '--skip-processed', '--no-probe']) expect(stdout).toContain(`  ${flag} `);
    expect(stdout).not.toContain('--archive');
  });

  it('of retry and cancel names theirs', async () => {
    const { stdout } = await run('retry', '--help');
    for (const flag of ['--id <id>', '--retry-partial', '--archive <folder>']) expect(stdout).toContain(`  ${flag} `);
    expect((await run('cancel', '--help')).stdout).toContain('--wait');
  });

  it('says the version', async () => expect(await run('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string }));
});

describe('a command line that makes no sense exits with 1', () => {
  it.each([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['lst'], 'Did you mean list?'],
    [['run'], "missing required argument 'source'"],
    [['run', 'x', '--max-credit', '5'], "unknown option '--max-credit'"],
    [['run', 'x', '--retry-failed', 'often'], 'must be a whole number'],
    [['pause'], "missing required argument 'id'"],
    [['retry', 'b1', '--project', 'Tower'], "unknown option '--project'"],
    [['run', 'x', '--max-files', 'many'], 'must be a whole number'],
    [['run', 'x', '--upload', 'mail'], 'Allowed choices are auto, form, signed'],
    [['worker', '--only', 'webhook'], 'Allowed choices are api, transfer, archive'],
    [['worker', '--metrics-port', '70000'], 'A port is 0 to 65535'],
    [['status', 'a', 'b'], 'too many arguments'],
  ])('%j', async (args, message) => {
    const plain = await run(...args);
    expect(plain).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(message) as string });
    const json = await run(...args, '--json');
    expect(json).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'usage', message: expect.stringContaining(message) as string } });
  });

  it('no command', async () => {
    const { code, stdout, stderr } = await run();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('no command was given');
  });
});
