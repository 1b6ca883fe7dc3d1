import { PassThrough } from 'node:stream';
import { main } from '../../../src/cli';

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await main(['schedule', ...argv], stdout, stderr);
  return { code, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

it.each(['create', 'list', 'describe', 'pause', 'unpause', 'trigger', 'delete'])('schedule %s has an example and --json', async (command) => {
  const { code, stdout } = await run(command, '--help');
  expect(code).toBe(0);
  expect(stdout).toContain(`Example:\n  $ plangrep-batch schedule ${command}`);
  expect(stdout).toContain('--json');
});

test('schedule alone is no command', async () => {
  const { code, stdout, stderr } = await run();
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain('no command was given');
});

describe('a command line that makes no sense exits with 1', () => {
  it.each([
    [['remove', 'x'], "unknown command 'remove'"],
    [['create', 'x', '/data'], "required option '--cron <expression>' not specified"],
    [['create', 'x', '--cron', '@daily'], "missing required argument 'source'"],
    [['create', 'x', '/data', '--cron', '@daily', '--jitter', '5'], 'a whole number and a unit'],
    [['create', 'x', '/data', '--cron', '@daily', '--overlap', 'maybe'], 'Allowed choices are skip, buffer-one'],
    [['create', 'x', '/data', '--cron', '@daily', '--id', 'y'], "unknown option '--id'"],
    [['trigger'], "missing required argument 'id'"],
  ])('schedule %j', async (args, message) => {
    const json = await run(...args, '--json');
    expect({ code: json.code, stderr: json.stderr.includes('error') }).toEqual({ code: 1, stderr: false });
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'usage', message: expect.stringContaining(message) as string } });
  });
});
