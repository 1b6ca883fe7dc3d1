import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { basePath } from '../../src/simulator/api';
import { artifactOperations } from '../../src/simulator/api-artifacts';
import { jobOperations } from '../../src/simulator/api-jobs';
import { projectOperations } from '../../src/simulator/api-projects';
import { uploadOperations } from '../../src/simulator/api-uploads';
import type { Lifecycle } from '../../src/simulator/lifecycle';
import { startSimulator, type Simulator } from '../../src/simulator/server';
import { Caller, send } from './caller';

let simulator: Simulator;
let caller: Caller;

beforeAll(async () => {
  simulator = await startSimulator({ scriptedClock: true, projects: ['Quickstart', 'Harbour Annex'], credits: 1_000 });
  caller = new Caller(simulator);
});
afterAll(() => simulator.close());
afterEach(() => caller.control('DELETE', '/faults'));

const bare = (method: string, path: string, headers: Record<string, string> = {}, body: string | null = null) => send(method, simulator.apiUrl + path, body, headers);
const key = () => ({ authorization: `Bearer ${simulator.apiKey}` });

describe('access', () => {
  test.each([[undefined], ['Bearer wrong'], ['Basic abc'], ['Bearer']])('with %s is 401', async (authorization) => {
    const answer = await bare('GET', '/api/open/v1/projects', authorization === undefined ? {} : { authorization });
    expect([answer.status, answer.body.error.code]).toEqual([401, 'unauthorized']);
  });

  test('needs the scope of the operation, and ends with the key', async () => {
    await caller.control('POST', '/keys', { key: 'reader', scopes: ['jobs:read'] });
    const reader = new Caller(simulator, 'reader');
    expect((await reader.call('GET', '/projects')).status).toBe(200);
    for (const [method, path] of [['POST', '/projects/proj_quickstart/jobs'], ['GET', '/jobs/x/artifact?path=x'], ['POST', '/jobs/x/cancel']] as const) {
      const answer = await reader.call(method, path, method === 'POST' ? {} : undefined);
      expect([answer.status, answer.body.error.code]).toEqual([403, 'insufficient_scope']);
    }
    await caller.control('POST', '/keys', { key: 'reader', scopes: [] });
    expect((await reader.call('GET', '/projects')).status).toBe(401);
  });

  test('the key starts as the simulator\'s own do', () => {
    expect(simulator.apiKey).toMatch(/^pgk_sim_[0-9a-f]{24}$/);
  });
});

describe('a request that is none', () => {
  test.each([
    ['GET', '/nothing', 404, undefined],
    ['GET', '/api/open/v1/projects/proj_quickstart/files', 404, undefined],
    ['GET', '/api/open/v1/projects/proj_quickstart/sheets/x', 404, undefined],
    ['GET', '/api/open-api/keys', 404, undefined],
    ['GET', '/api/open/v1/artifact-downloads/token', 404, undefined],
    ['DELETE', '/api/open/v1/jobs/x', 405, 'GET'],
    ['GET', '/api/open/v1/projects/search', 405, 'POST'],
    ['PUT', '/api/open/v1/projects', 405, 'POST, GET'],
    ['POST', '/api/open/v1/jobs/x/artifact', 405, 'GET, HEAD'],
  ])('%s %s is %i', async (method, path, status, allow) => {
    const answer = await bare(method, path, key());
    expect([answer.status, answer.headers.allow]).toEqual([status, allow]);
    expect(answer.body.error.code).toBe(status === 404 ? 'not_found' : 'method_not_allowed');
  });

  test.each([
    ['{', 'application/json', 400],
    ['', 'application/json', 400],
    ['[]', 'application/json', 400],
    ['{"name":7}', 'application/json', 400],
    [`{"name":"${'x'.repeat(181)}"}`, 'application/json', 400],
    ['name=x', 'application/x-www-form-urlencoded', 415],
    ['x', 'text/plain', 415],
  ])('with the body %s of %s is refused', async (body, type, status) => {
    const answer = await bare('POST', '/api/open/v1/projects', { ...key(), 'content-type': type }, body);
    expect([answer.status, typeof answer.body.error.message]).toEqual([status, 'string']);
  });

  test('a broken path is told as JSON too', async () => {
    expect((await bare('GET', '/api/open/v1/jobs/%FF', key())).body.error).toEqual({ code: 'invalid_request', message: expect.any(String) as string });
  });

  test('an unknown project or job is 404 everywhere', async () => {
    for (const path of ['/jobs/x', '/jobs/x/result', '/jobs/x/artifact?path=y', '/projects/x', '/projects/x/jobs', '/projects/x/artifact?path=y']) expect((await caller.call('GET', path)).status).toBe(404);
    for (const path of ['/jobs/x/cancel', '/jobs/x/resume']) expect((await caller.call('POST', path)).status).toBe(404);
    expect((await caller.call('POST', '/projects/x/jobs', {})).status).toBe(404);
  });
});

describe('projects', () => {
  test('of the start are ready', async () => {
    const { projects } = (await caller.call('GET', '/projects')).body;
    expect(projects.slice(0, 2)).toEqual([
      expect.objectContaining({ id: 'proj_quickstart', name: 'Quickstart', status: 'ready', projectKind: 'open_api', runtime: { status: 'running', upgradeStatus: null } }),
      expect.objectContaining({ id: 'proj_harbour_annex', name: 'Harbour Annex' }),
    ]);
  });

  test('cost credits, become ready in time, take no job before, and have names of their own', async () => {
    const { status, body } = await caller.call('POST', '/projects', { name: 'New' });
    expect([status, body.billing, body.project.status]).toEqual([202, { creditsCharged: 50, requiredCredits: 50, availableCredits: 1_000 }, 'provisioning']);
    const jobs = `/projects/${body.project.id}/jobs`;
    expect((await caller.call('POST', jobs, {})).body.error.code).toBe('project_not_ready');
    expect((await caller.call('POST', '/projects', { name: 'New' })).status).toBe(409);
    await caller.advance(200);
    expect((await caller.call('GET', `/projects/${body.project.id}`)).body.project.status).toBe('ready');
    expect((await caller.call('POST', jobs, {})).status).toBe(202);
  });

  test('may fail, be upgraded, or be too expensive', async () => {
    await caller.fault({ kind: 'project', name: 'Lost', failed: true }, { kind: 'project', name: 'Busy', upgradeStatus: 'running' });
    const [lost, busy] = [await caller.call('POST', '/projects', { name: 'Lost' }), await caller.call('POST', '/projects', { name: 'Busy' })].map(({ body }) => body.project.id);
    await caller.advance(1_000);
    expect((await caller.call('GET', `/projects/${lost}`)).body.project.status).toBe('failed');
    expect((await caller.call('GET', `/projects/${busy}`)).body.project).toMatchObject({ status: 'ready', runtime: { upgradeStatus: 'running' } });
    expect((await caller.call('POST', `/projects/${busy}/jobs`, {})).status).toBe(409);
    const { available } = JSON.parse((await caller.control('GET', '/credits')).bytes.toString()) as { available: number };
    await caller.control('POST', '/credits', { available: 49 });
    expect((await caller.call('POST', '/projects', { name: 'Poor' })).body.error.code).toBe('insufficient_credits');
    await caller.control('POST', '/credits', { available });
  });

  test('are found by name, in pages', async () => {
    const search = async (body: object) => (await caller.call('POST', '/projects/search', body)).body;
    expect((await search({ query: 'HARBOUR' })).projects.map(({ id }) => id)).toEqual(['proj_harbour_annex']);
    const first = await search({ query: 'a', limit: 1 });
    expect(first.nextCursor).toBe('1');
    expect((await search({ query: 'harbour', projectIds: ['proj_quickstart'] })).projects).toEqual([]);
    expect((await caller.call('POST', '/projects/search', { query: '' })).status).toBe(400);
  });
});

describe('jobs', () => {
  test('of a project are listed, newest first', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 3; index++) ids.unshift((await caller.call('POST', '/projects/proj_harbour_annex/jobs', {})).body.job.id);
    expect((await caller.call('GET', '/projects/proj_harbour_annex/jobs')).body.jobs.map(({ id }) => id)).toEqual(ids);
  });

  test.each(['http://example.org/hook', 'ftp://127.0.0.1/', 'nonsense'])('are not created with the webhook URL %s', async (webhookUrl) => {
    expect((await caller.call('POST', '/projects/proj_quickstart/jobs', { webhookUrl })).status).toBe(400);
  });

  test.each(['https://example.org/hook', 'http://localhost:1/hook', 'http://127.0.0.1:1/hook'])('are created with the webhook URL %s', async (webhookUrl) => {
    expect((await caller.call('POST', '/projects/proj_quickstart/jobs', { webhookUrl })).body.webhookSigningSecret).toMatch(/^wss_/);
  });

  test('have an externalId of at most 180 characters, counted as people do', async () => {
    const create = (externalId: string) => caller.call('POST', '/projects/proj_quickstart/jobs', { externalId });
    expect((await create('🏗'.repeat(180))).status).toBe(202);
    expect((await create('🏗'.repeat(181))).status).toBe(400);
  });
});

test('docs/openapi.yaml has exactly the operations that are served', async () => {
  const [text = ''] = (await readFile(join(__dirname, '../../docs/openapi.yaml'), 'utf8')).split(/^webhooks:/m);
  const documented = [...text.matchAll(/^ {2}(\/\S+):$|^ {4}(get|head|post):$|^ {6}operationId: (\w+)$/gm)];
  const found: string[] = [];
  let path = '';
  let method = '';
  for (const [, nextPath, nextMethod, operation] of documented) {
    path = nextPath ?? path;
    method = nextMethod ?? method;
    if (operation !== undefined) found.push(`${operation} ${method.toUpperCase()} ${path}`);
  }
  const lifecycle = undefined as unknown as Lifecycle;
  const { state } = simulator;
  const served = [...projectOperations(state), ...jobOperations(state, lifecycle), ...uploadOperations(state, lifecycle), ...artifactOperations(state)];
  const names = served.map(({ operation, method: verb, path: route }) => `${operation} ${verb as string} ${basePath}${route.replaceAll(/:(\w+)/g, '{$1}')}`);
  expect(new Set(found)).toEqual(new Set(names));
});
