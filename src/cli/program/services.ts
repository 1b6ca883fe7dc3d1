import { Option, type Command } from 'commander';
import type { CodecFlags } from '../codec';
import { wholeNumber } from '../input-flags';
import type { SimulatorFlags } from '../simulator';
import type { WebhookFlags } from '../webhook';
import type { WorkerFlags } from '../worker';
import { example, outputOf, portNumber, withJson, type Finish } from './command-line';

/** What serves others, and `doctor`. */
export function addServices(program: Command, finish: Finish): void {
  const worker = withJson(program.command('worker').description('Does the work: serves the task queues until Ctrl-C or SIGTERM.'))
    .addOption(new Option('--only <role>', 'serve one kind of work; default: all').choices(['api', 'transfer', 'archive']))
    .option('--archive <folder>', 'the archive; default: PLANGREP_ARCHIVE')
    .option('--metrics-port <port>', 'Prometheus metrics on 127.0.0.1 at this port; default: none', portNumber);
  example(worker, 'worker --archive /srv/plangrep-archive').action(async (flags: WorkerFlags & { json?: boolean }) => {
    finish(await (await import('../worker.js')).worker(flags, outputOf(flags)));
  });
  addWebhook(program, finish);
  addCodec(program, finish);
  const simulator = withJson(program.command('simulator').description('A stand-in for Plangrep on this machine, to develop and rehearse against. Its first line says where it listens.'))
    .option('--port <port>', 'port of the API; default 0: any', portNumber)
    .option('--storage-port <port>', 'port of the storage; default 0: any', portNumber)
    .option('--control-port <port>', 'port of the control interface; default 0: any', portNumber)
    .option('--credits <n>', 'credits at the start; default 1000000', wholeNumber)
    .option('--page-limit <n>', 'pages a job; default: no limit', wholeNumber)
    .option('--job-ms <n>', 'time a job takes beside its pages; default 500', wholeNumber)
    .option('--page-ms <n>', 'time each page adds; default 2', wholeNumber)
    .option('--part-threshold <bytes>', 'files above this size are sent in parts; default 5000000000', wholeNumber)
    .option('--trust-digests', 'storage counts bytes and compares sizes, but hashes nothing: for huge uploads')
    .option('--scripted-clock', 'time moves only by the control interface')
    .option('--verbose', 'one line a request on standard error');
  example(simulator, 'simulator --port 8080').action(async ({ json: _always, ...flags }: SimulatorFlags & { json?: boolean }) => {
    finish(await (await import('../simulator.js')).simulator(flags));
  });
  const doctor = withJson(program.command('doctor').description('Checks Temporal, key, project, archive, webhook and workers, and says what to do.'))
    .option('--fix', 'registers search attributes and removes working files of finished batches')
    .option('--archive <folder>', 'the archive; default: PLANGREP_ARCHIVE');
  example(doctor, 'doctor --fix').action(async (flags: { fix?: boolean; archive?: string; json?: boolean }) => {
    finish(await (await import('../doctor.js')).doctor(flags, outputOf(flags)));
  });
}

function addWebhook(program: Command, finish: Finish): void {
  const webhook = withJson(program.command('webhook').description("Takes Plangrep's webhooks and passes them on to the jobs' workflows, until Ctrl-C or SIGTERM. Any number may run; none is needed."))
    .option('--port <port>', 'port to listen on; 0: any; default 8090', portNumber)
    .option('--host <address>', 'address to listen on; default 127.0.0.1')
    .option('--metrics-port <port>', 'Prometheus counters on 127.0.0.1 at this port; default: none', portNumber);
  example(webhook, 'webhook --host 0.0.0.0 --port 8090').action(async (flags: WebhookFlags & { json?: boolean }) => {
    finish(await (await import('../webhook.js')).webhook(flags, outputOf(flags)));
  });
}

function addCodec(program: Command, finish: Finish): void {
  const codec = withJson(program.command('codec').description("Decrypts batches for Temporal's web UI and command line, until Ctrl-C or SIGTERM: their codec endpoint. Needs the payload keys."))
    .option('--port <port>', 'port to listen on; 0: any; default 8091', portNumber)
    .option('--host <address>', 'address to listen on; default 127.0.0.1; another one only with PLANGREP_CODEC_TOKEN')
    .option('--origin <url...>', "origin of the web UI, whose pages may call; default: PLANGREP_WEB_UI_URL's, else the development server's");
  example(codec, 'codec\n  $ temporal workflow show --workflow-id batch/tower-2026-11 --codec-endpoint http://127.0.0.1:8091').action(async (flags: CodecFlags & { json?: boolean }) => {
    finish(await (await import('../codec.js')).codec(flags, outputOf(flags)));
  });
}
