import { Writable } from 'node:stream';
import { main } from '../src/cli';

const commands = ['plan', 'run', 'start', 'list', 'status', 'watch', 'verify', 'worker', 'simulator', 'doctor'];
const later = ['pause', 'resume', 'cancel', 'retry', 'schedule', 'webhook', 'codec'];

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
    for (const command of later) expect(stdout).not.toMatch(new RegExp(`^  ${command}`, 'm'));
    expect(stdout).toContain('Exit codes: 0 all well');
  });

  it.each(commands)('of %s has an example and --json', async (command) => {
    const { code, stdout } = await run(command, '--help');
    expect(code).toBe(0);
    expect(stdout).toContain(`Example:\n  $ plangrep-batch ${command}`);
    expect(stdout).toContain('--json');
  });

  it('leaves out flags of work that is not done yet', async () => {
    const { stdout } = await run('run', '--help');
    for (const flag of ['--max-credits', '--retry-failed', '--retry-partial', '--split-failed', '--skip-processed', '--archive']) expect(stdout).not.toContain(flag);
  });

  it('says the version', async () => expect(await run('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string }));
});

describe('a command line that makes no sense exits with 1', () => {
  it.each([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['lst'], 'Did you mean list?'],
    [['run'], "missing required argument 'source'"],
    [['run', 'x', '--max-credits', '5'], "unknown option '--max-credits'"],
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
