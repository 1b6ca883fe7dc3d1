import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { AttackedReceiver, everything, statusOf, timeless } from './attacked-receiver';

let receiver: AttackedReceiver;
afterEach(() => receiver.stop());

const ended = (status: string, more = '') => `{"job":{"id":"job_1","status":"${status}","updatedAt":"1"}${more}}`;
/** Ends what a test cannot wait for in good time. */
const impatient = { headersMs: 150, requestMs: 300, silentMs: 400, lingerMs: 50, connections: 1_000, checkMs: 20 };
const notFound = /^HTTP\/1\.1 404 Not Found\r\nConnection: close\r\ncache-control: no-store\r\ncontent-type: text\/plain; charset=utf-8\r\ncontent-length: 10\r\n\r\nnot found\n$/;

describe('what an outsider hears', () => {
  test('of jobs that run, ended, were deleted and never were: the same bytes, and Temporal is asked nothing', async () => {
    receiver = await AttackedReceiver.start();
    receiver.protect(1);
    receiver.temporal.closed.add(receiver.job(2));
    const tokens = [receiver.seal.sign(receiver.job(9)), receiver.path(1).split('/').at(-1)!.slice(1), 'A'.repeat(43), 'A'.repeat(100), '-', receiver.path(1).split('/').at(-1)!.toLowerCase()];
    const answers: string[] = [];
    for (const number of [1, 2, 3, 4]) for (const token of tokens) answers.push(await receiver.send([...receiver.path(number).split('/').slice(0, -1), token].join('/'), ended('completed')));
    expect(timeless(answers[0]!)).toMatch(notFound);
    expect(new Set(answers.map(timeless)).size).toBe(1);
    expect([receiver.temporal.describes, receiver.temporal.attempts, receiver.log]).toEqual([0, 0, '']);
  });

  test('with the address of a job, but a signature that is none, no more than with no address', async () => {
    receiver = await AttackedReceiver.start();
    for (const number of [1, 2]) receiver.protect(number);
    const [body, right] = [ended('completed'), receiver.signed(ended('completed'))];
    const value = right.split(': ')[1]!.trim();
    const headers = ['', 'x-plangrep-signature:\r\n', right.replace(/.\r\n/, '\r\n'), right.replace('sha256=', 'sha1='), right.replace('sha256=', ''), `x-plangrep-signature: ${'sha256=00,'.repeat(1_000)}\r\n`];
    headers.push(`x-plangrep-signature: ${value}0\r\n`, `x-plangrep-signatures: ${value}\r\n`, `x-plangrep-signature: "${value}"\r\n`, receiver.signed(ended('failed')), receiver.signed(`${body} `), `authorization: ${value}\r\n`);
    const answers = [await receiver.send('/nothing', body)];
    for (const header of headers) answers.push(await receiver.send(receiver.path(1), body, { headers: header }));
    expect(timeless(answers[0]!)).toMatch(notFound);
    expect([...new Set(answers.map(timeless))]).toEqual([timeless(answers[0]!)]);
    expect(receiver.temporal.signals).toEqual([]);
    // Read once more, in case it was replaced; forgeries do not make it oftener.
    expect(receiver.temporal.describes).toBe(1);
    expect(receiver.log.trim().split('\n')).toHaveLength(1);
    // Several signatures, in one header or in two, of which one is right, is how senders change their secret.
    expect(statusOf(await receiver.send(receiver.path(1), body, { headers: `x-plangrep-signature: sha256=00\r\n${right}` }))).toBe(204);
  });

  test('a signed webhook counts at its own address alone, and there it tells of no other job', async () => {
    receiver = await AttackedReceiver.start();
    receiver.protect(1);
    receiver.temporal.memos.set(receiver.job(2), receiver.seal.seal('wss_of-the-second', receiver.job(2)));
    const body = ended('completed', `,"jobId":"job_2","externalId":"${receiver.job(2)}"`);
    expect(statusOf(await receiver.send(receiver.path(2), body, { headers: receiver.signed(body) }))).toBe(404);
    expect(statusOf(await receiver.send(receiver.path(1), body, { headers: receiver.signed(body) }))).toBe(204);
    expect([receiver.told(1), receiver.told(2)]).toEqual([[{ status: 'completed', updatedAt: '1' }], []]);
  });

  test('of a job whose workflow is gone: whoever has its address hears the same as while it ran', async () => {
    receiver = await AttackedReceiver.start();
    receiver.temporal.closed.add(receiver.job(2));
    const answers = [await receiver.send(receiver.path(1)), await receiver.send(receiver.path(2)), await receiver.send(receiver.path(2))];
    expect(new Set(answers.map(timeless)).size).toBe(1);
    expect(statusOf(answers[0]!)).toBe(204);
  });
});

describe('bodies', () => {
  const chunks = (count: number) => Array(count).fill(`10000\r\n${'x'.repeat(65_536)}\r\n`) as string[];
  /** Sends as long as somebody takes it. */
  async function pour(socket: Socket, parts: Iterable<string>): Promise<void> {
    for (const part of parts) {
      if (socket.destroyed || socket.write(part)) continue;
      await new Promise<void>((go) => void socket.once('drain', go).once('close', go));
    }
  }
  /** Bytes that the receiver has read of one connection. */
  const bytesRead = (): Promise<() => number> => new Promise((done) => receiver.webhook.server.once('connection', (socket: Socket) => done(() => socket.bytesRead)));

  test.each([
    ['announced', 'content-length: 10485760\r\n'],
    ['in chunks', 'transfer-encoding: chunked\r\n'],
    ['that waits for an invitation', 'content-length: 10485760\r\nexpect: 100-continue\r\n'],
    ['with an expectation of another kind', 'content-length: 10485760\r\nexpect: the-spanish-inquisition\r\n'],
    ['that is packed', 'content-length: 10485760\r\ncontent-encoding: gzip\r\n'],
  ])('ten megabytes, %s: a little is read, the answer comes, the connection is closed', async (_, headers) => {
    receiver = await AttackedReceiver.start({ limits: { ...impatient, requestMs: 60_000 } });
    for (const [path, status, most] of [['/jobs/x/y', 404, 200_000], [receiver.path(1), 413, 600_000], ['/healthz', 404, 200_000]] as const) {
      const read = bytesRead();
      const socket = await receiver.connect();
      const answer = everything(socket);
      socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`);
      await pour(socket, chunks(160));
      const answered = await answer;
      expect([path, statusOf(answered)]).toEqual([path, status]);
      expect(answered).not.toContain('100 Continue');
      expect((await read)()).toBeLessThan(most);
    }
    expect(receiver.temporal.signals).toEqual([]);
  });

  test('an invitation to send goes to right addresses only', async () => {
    receiver = await AttackedReceiver.start({ limits: impatient });
    const headers = { headers: 'expect: 100-continue\r\n' };
    expect(await receiver.send(receiver.path(1), ended('failed'), headers)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 204 /);
    expect(timeless(await receiver.send('/jobs/x/y', ended('failed'), headers))).toMatch(notFound);
    expect(receiver.told(1)).toEqual([{ status: 'failed', updatedAt: '1' }]);
  });

  test('a length that lies ends in no webhook', async () => {
    receiver = await AttackedReceiver.start({ limits: impatient });
    const send = (length: string, body: string) => receiver.raw(`POST ${receiver.path(1)} HTTP/1.1\r\nhost: x\r\n${length}\r\n\r\n${body}`, { end: false });
    // Too long: the rest never comes. Too short: the rest is another request, and none that could be one.
    expect(statusOf(await send('content-length: 1000', ended('completed')))).toBe(408);
    expect(await send('content-length: 2', `{}${ended('completed')}`)).toMatch(/HTTP\/1\.1 400 /);
    for (const lie of ['content-length: -1', 'content-length: 1e3', 'content-length: 99999999999999999999', 'content-length: 2\r\ncontent-length: 3', 'content-length: 2\r\ntransfer-encoding: chunked', 'transfer-encoding: chunked, identity', 'transfer-encoding: xchunked']) {
      expect([lie, statusOf(await send(lie, '{}'))]).toEqual([lie, 400]);
    }
    expect(receiver.told(1)).toEqual([{ status: null, updatedAt: null }]);
  });

  const deep = (open: string, close: string, levels: number) => open.repeat(levels) + close.repeat(levels);
  test.each<[string, string | Buffer, string | null]>([
    ['a deep nest that is whole', `{"status":"failed","x":${deep('[', ']', 100_000)}}`, 'failed'],
    ['a deep nest of objects', `{"x":${deep('{"a":', '}', 40_000).replace('}', '1}')}}`, null],
    ['forty thousand fields', `{${Array.from({ length: 20_000 }, (_, index) => `"k${index}":1`).join(',')},"status":"failed"}`, 'failed'],
    ['fields of the prototype', '{"__proto__":{"status":"completed"},"job":{"__proto__":{"status":"completed"}},"constructor":{"prototype":{"status":"completed"}}}', null],
    ['one field twice', '{"status":"completed","status":"failed"}', 'failed'],
    ['numbers beyond all bounds', `{"status":1e999999,"updatedAt":${'9'.repeat(100_000)}}`, null],
    ['a status that is no text', '{"job":{"status":["completed"]},"status":{"toString":"completed"}}', null],
    ['a status that would paint a terminal', '{"status":"\\u001b[31mcompleted\\n\\u0000"}', null],
    ['a status of half a character', '{"status":"\\ud800"}', null],
    ['bytes that are no text', Buffer.concat([Buffer.from('{"status":"fai'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('led"}')]), null],
    ['a packed text', gzipSync('{"status":"completed"}'), null],
    ['a packed bomb', gzipSync(Buffer.alloc(50_000_000)), null],
    ['a list', '[{"status":"completed"}]', null],
    ['a text', '"completed"', null],
    ['null', 'null', null],
    ['a mark before it', '\ufeff{"status":"completed"}', null],
  ])('%s: the workflow looks, and is told what is there', async (_, body, status) => {
    receiver = await AttackedReceiver.start();
    receiver.protect(1);
    expect(statusOf(await receiver.send(receiver.path(1), body, { headers: `${receiver.signed(body)}content-encoding: gzip\r\n` }))).toBe(204);
    expect(receiver.told(1)).toEqual([{ status, updatedAt: null }]);
    expect(Object.hasOwn(Object.prototype, 'status')).toBe(false);
  });

  test('one job has a share of the memory and of the requests in hand: its flood is sent away, and other jobs are served', async () => {
    receiver = await AttackedReceiver.start();
    // Each stops short of its end.
    const halves = await Promise.all(Array.from({ length: 5 }, () => receiver.connect()));
    const answers = halves.map(everything);
    for (const socket of halves) socket.write(`POST ${receiver.path(1)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 200000\r\n\r\n${'x'.repeat(199_000)}`);
    expect(statusOf(await Promise.race(answers))).toBe(503);
    expect(statusOf(await receiver.send(receiver.path(2), `{"x":"${'x'.repeat(200_000)}"}`))).toBe(204);
    for (const socket of halves) socket.destroy();
    await Promise.all(answers);

    let release = (): void => undefined;
    receiver.temporal.held = new Promise((done) => (release = done));
    const flood = Array.from({ length: 100 }, () => receiver.send(receiver.path(1), ended('completed')));
    while (receiver.webhook.counters.requests.overloaded < 36 + 3) await new Promise(setImmediate);
    const other = receiver.send(receiver.path(3), ended('completed'));
    while (receiver.temporal.attempts < 3) await new Promise(setImmediate);
    release();
    expect([...new Set((await Promise.all(flood)).map(statusOf))].sort()).toEqual([204, 503]);
    expect(statusOf(await other)).toBe(204);
    expect([receiver.told(1).length, receiver.told(3).length]).toEqual([1, 1]);
  });
});

describe('what is no request, or an odd one', () => {
  const head = (line: string, headers = 'host: x\r\nconnection: close\r\n') => `${line}\r\n${headers}\r\n`;

  test('ends in a plain refusal or a closed connection, and never in a webhook', async () => {
    receiver = await AttackedReceiver.start({ limits: impatient });
    const good = receiver.path(1);
    const odd: [string | Buffer, number][] = [
      ['hello\r\n\r\n', 400],
      ['POST /jobs/x/y\r\n\r\n', 404],
      [head('POST /jobs/x/y HTTP/2.0'), 404],
      [head(`POST ${good} HTTP/9.9`), 400],
      [head(`post ${good} HTTP/1.1`), 400],
      [head(`BREW ${good} HTTP/1.1`), 400],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
      [Buffer.from('16030100a5010000a10303', 'hex'), 400],
      [`POST ${good} HTTP/1.1\r\n\r\n`, 400],
      [head(`POST http://x${good} HTTP/1.1`), 404],
      [head(`POST x${good} HTTP/1.1`), 400],
      [head(`POST /${good} HTTP/1.1`), 404],
      [head(`POST ${good}/ HTTP/1.1`), 404],
      [head(`POST ${good}%00 HTTP/1.1`), 404],
      [head(`POST ${good}\0 HTTP/1.1`), 400],
      [head(`POST /x/..${good} HTTP/1.1`), 404],
      [head(`POST ${good.replace('/jobs', '/jobs/.')} HTTP/1.1`), 404],
      [head(`POST ${good.replace('/jobs', '/%6aobs')} HTTP/1.1`), 404],
      [head(`POST ${good.replace('/jobs/', '/jobs%2f')} HTTP/1.1`), 404],
      [head(`POST ${good.replace('/jobs', '/JOBS')} HTTP/1.1`), 404],
      [head(`POST ${good}#x HTTP/1.1`), 404],
      [head(`POST ${good};x HTTP/1.1`), 404],
      [Buffer.from(head('POST /jöbs/ü/\u2603 HTTP/1.1')), 400],
      [head(`POST /${'x'.repeat(20_000)} HTTP/1.1`), 431],
      [head(`POST ${good} HTTP/1.1`, `host: x\r\n${'a: b\r\n'.repeat(20_000)}`), 431],
      [head(`POST ${good} HTTP/1.1`, `host: x\r\nx: ${'y'.repeat(17_000)}\r\n`), 431],
      [head(`POST ${good} HTTP/1.1`, 'host: x\r\nhost: y\r\nbad header\r\n'), 400],
      [head(`POST ${good} HTTP/1.1`, 'host: x\r\n folded: y\r\n'), 400],
      [head(`POST ${good} HTTP/1.1`, 'host : x\r\n'), 400],
      [head(`TRACE ${good} HTTP/1.1`), 404],
      [head(`PURGE ${good} HTTP/1.1`), 404],
      [head('OPTIONS * HTTP/1.1'), 404],
      [head('CONNECT example.com:443 HTTP/1.1'), 0],
      [head(`GET ${good} HTTP/1.1`, 'host: x\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n'), 404],
      [head(`GET ${good} HTTP/1.1`, 'host: x\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAA\r\n'), 404],
    ];
    for (const [bytes, status] of odd) {
      const answer = await receiver.raw(bytes, { end: false });
      expect([bytes.toString().slice(0, 150), statusOf(answer)]).toEqual([bytes.toString().slice(0, 150), status]);
      expect(answer).not.toMatch(/node|server:|powered|at .*:\d+|error/i);
    }
    expect([receiver.temporal.signals, receiver.temporal.describes, receiver.log]).toEqual([[], 0, '']);
    expect(statusOf(await receiver.send(good))).toBe(204);
  });

  test('a second request that hides in the first one is a part of its body, and one behind it is not looked at', async () => {
    receiver = await AttackedReceiver.start({ limits: impatient });
    receiver.protect(1);
    const hidden = `POST ${receiver.path(2)} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`;
    const wrong = `POST /jobs/x/y HTTP/1.1\r\nhost: x\r\ncontent-length: ${hidden.length}\r\n\r\n${hidden}`;
    expect((await receiver.raw(wrong)).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404']);
    expect(receiver.temporal.signals).toEqual([]);
    const pipelined = `POST ${receiver.path(1)} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`.repeat(3);
    expect((await receiver.raw(pipelined)).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404']);
    expect((await receiver.raw(`GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n${hidden}`)).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    expect([receiver.temporal.signals, receiver.webhook.counters.requests.bad_signature]).toEqual([[], 1]);
  });
});

describe('connections', () => {
  test.each([
    ['drips headers', 'POST /x HTTP/1.1\r\n', 'a: b\r\n'],
    ['drips a body', '', 'x'],
    ['drips chunks', 'POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
    ['drips line ends', '\r\n', '\r\n'],
  ])('who %s is cut off, however alive he seems', async (_, start, drop) => {
    receiver = await AttackedReceiver.start({ limits: impatient });
    const socket = await receiver.connect();
    const end = everything(socket);
    socket.write(start || `POST ${receiver.path(1)} HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n\r\n`);
    const drip = setInterval(() => socket.write(drop), 10);
    await end;
    clearInterval(drip);
    expect(receiver.temporal.signals).toEqual([]);
  });

  test('who never reads his answers is cut off, and costs a bounded memory', async () => {
    receiver = await AttackedReceiver.start({ limits: impatient });
    const accepted = new Promise<Socket>((done) => receiver.webhook.server.once('connection', done));
    const socket = await receiver.connect();
    socket.pause();
    const server = await accepted;
    const gone = new Promise<void>((done) => void server.once('close', () => done()));
    const request = 'GET /x HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(1_000);
    let most = 0;
    while (!server.destroyed && !socket.destroyed) {
      const full = !socket.write(request);
      most = Math.max(most, server.writableLength);
      if (full) await new Promise<void>((go) => void (socket.once('drain', go), socket.once('close', go), server.once('close', go)));
    }
    socket.destroy();
    await gone;
    expect(most).toBeLessThan(1_000_000);
  });

  test('who says goodbye in the midst of it gets no webhook through, and an answer when he said enough', async () => {
    receiver = await AttackedReceiver.start();
    expect(await receiver.raw('')).toBe('');
    expect(await receiver.raw('POST /')).toMatch(/^(HTTP\/1\.1 400 |$)/);
    expect(statusOf(await receiver.raw(`POST ${receiver.path(1)} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{}`))).not.toBe(204);
    expect(receiver.temporal.signals).toEqual([]);
    expect(statusOf(await receiver.raw(`POST ${receiver.path(1)} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`))).toBe(204);
  });

  test('ten times as many connections as there is room for: each honest webhook gets through', async () => {
    receiver = await AttackedReceiver.start({ limits: { connections: 20 } });
    const flood = Array.from({ length: 200 }, async (_, index) => {
      const socket = await receiver.connect();
      socket.write(['', 'POST /', `POST ${receiver.path(1)} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n`, 'GET /x HTTP/1.1\r\nhost: x\r\n\r\n'][index % 4]!);
      if (index % 20 === 0) expect(statusOf(await receiver.send(receiver.path(1_000 + index), ended('completed')))).toBe(204);
      return socket;
    });
    const sockets = await Promise.all(flood);
    const open = await new Promise<number>((done) => receiver.webhook.server.getConnections((_, count) => done(count)));
    for (const socket of sockets) socket.destroy();
    expect(open).toBeLessThanOrEqual(20);
    expect(receiver.temporal.signals).toHaveLength(10);
    expect(receiver.log.trim().split('\n')).toEqual([expect.stringContaining('More connections than allowed')]);
  });

  test('a connection that cannot be accepted ends nothing', async () => {
    receiver = await AttackedReceiver.start();
    receiver.webhook.server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
    expect(statusOf(await receiver.send(receiver.path(1)))).toBe(204);
    expect(receiver.log).toContain('accept EMFILE');
  });
});

describe('while Temporal does not answer', () => {
  test('hundreds of jobs hear so, and each is told once when it does again, without another webhook', async () => {
    receiver = await AttackedReceiver.start();
    receiver.temporal.deaf = true;
    const jobs = Array.from({ length: 300 }, (_, index) => index + 1);
    const answers: string[] = [];
    for (const number of jobs) answers.push(await receiver.send(receiver.path(number), ended('completed')));
    expect(new Set(answers.map(statusOf))).toEqual(new Set([503]));
    expect(answers[0]).toMatch(/\r\nretry-after: 10\r\n/);
    receiver.temporal.deaf = false;
    while (receiver.temporal.signals.length < jobs.length) await new Promise(setImmediate);
    expect(new Set(receiver.temporal.signals.map(({ workflowId }) => workflowId)).size).toBe(jobs.length);
    expect(receiver.webhook.counters).toMatchObject({ lateSignals: 300, givenUp: 0 });
    // One line for all of it, and what others wrote into it stays in its field.
    const lines = receiver.log.trim().split('\n');
    expect(lines.length).toBeLessThanOrEqual(2);
    expect(receiver.log).not.toContain('\u001b');
  });

  test('nobody whose signature cannot be checked is waited for in memory', async () => {
    receiver = await AttackedReceiver.start();
    receiver.temporal.up = false;
    expect(statusOf(await receiver.send(receiver.path(1), ended('completed')))).toBe(503);
    receiver.temporal.up = true;
    await receiver.stop();
    expect(receiver.temporal.attempts).toBe(0);
  });
});
