import { failureTypes } from '../../src/contract/failures';
import { ActivityBench } from '../support/activity-bench';

describe('the project', () => {
  let bench: ActivityBench;
  beforeAll(async () => {
    bench = await ActivityBench.start({ projects: ['Harbour Annex', 'Town Hall'] });
  });
  afterAll(() => bench.stop());
  const api = () => bench.activities.api;
  const projectId = () => [...bench.simulator.state.projects.keys()][0]!;

  test('is found by id, then by name', async () => {
    const { projectId } = (await bench.run(api().findProject, { project: 'Town Hall', orFail: true }))!;
    expect(await bench.run(api().findProject, { project: projectId, orFail: true })).toEqual({ projectId });
  });

  test('that is not there names those that are near, and is not created', async () => {
    await expect(bench.run(api().findProject, { project: 'Harbor Anex', orFail: true })).rejects.toMatchObject({
      type: failureTypes.projectNotFound,
      message: 'No project has the id or name "Harbor Anex"; near: "Harbour Annex"',
    });
    expect(await bench.run(api().findProject, { project: 'Harbor Anex', orFail: false })).toBeNull();
    expect(bench.requests('createProject')).toEqual({});
  });

  test('is created once, though the answer was lost', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createProject', drop: 'after' });
    await expect(bench.run(api().createProject, { name: 'New' })).rejects.toMatchObject({ type: failureTypes.unreachable });
    const { projectId } = await bench.run(api().createProject, { name: 'New' }, 2);
    expect([...bench.simulator.state.projects.values()].filter(({ name }) => name === 'New').map(({ id }) => id)).toEqual([projectId]);
  });

  test('is created once, though the answer was lost and every call after it was refused until the gate opened', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createProject', drop: 'after' });
    await expect(bench.run(api().createProject, { name: 'Gated' })).rejects.toMatchObject({ type: failureTypes.unreachable });
    bench.simulator.state.faults.add({ kind: 'request', operation: 'listProjects', status: 401 });
    await expect(bench.run(api().createProject, { name: 'Gated' }, 2)).rejects.toMatchObject({ type: failureTypes.unauthorized });
    const { projectId } = await bench.run(api().createProject, { name: 'Gated' });
    expect([...bench.simulator.state.projects.values()].filter(({ name }) => name === 'Gated').map(({ id }) => id)).toEqual([projectId]);
  });

  test('that is refused for another reason than its name is not made', async () => {
    bench.simulator.state.faults.add({ kind: 'request', operation: 'createProject', status: 422 });
    await expect(bench.run(api().createProject, { name: 'Refused' })).rejects.toMatchObject({ type: failureTypes.rejected });
  });

  test('is waited for while it is set up, for five minutes, and given up when it failed', async () => {
    bench.simulator.state.faults.add({ kind: 'project', name: 'Slow', provisioningMs: 3_600_000 });
    bench.simulator.state.faults.add({ kind: 'project', name: 'Broken', failed: true, provisioningMs: 0 });
    const slow = await bench.run(api().createProject, { name: 'Slow' });
    const broken = await bench.run(api().createProject, { name: 'Broken' });
    const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
    await expect(bench.run(api().awaitProject, { ...slow, since: ago(0) })).rejects.toMatchObject({ type: failureTypes.notYet });
    await expect(bench.run(api().awaitProject, { ...slow, since: ago(301_000) })).rejects.toMatchObject({ type: failureTypes.projectNotReady });
    await expect(bench.run(api().awaitProject, { ...broken, since: ago(0) })).rejects.toMatchObject({ type: failureTypes.projectNotReady });
  });

  test.each([[null], ['none']])('is ready when its upgradeStatus is %s', async (upgradeStatus) => {
    bench.simulator.state.faults.add({ kind: 'project', name: `U ${upgradeStatus}`, provisioningMs: 0, upgradeStatus });
    const project = await bench.run(api().createProject, { name: `U ${upgradeStatus}` });
    await expect(bench.run(api().awaitProject, { ...project, since: new Date().toISOString() })).resolves.toBeUndefined();
  });

  test('is held back from while it is being upgraded', async () => {
    bench.simulator.state.faults.add({ kind: 'project', name: 'Upgrading', provisioningMs: 0, upgradeStatus: 'in_progress' });
    const project = await bench.run(api().createProject, { name: 'Upgrading' });
    await expect(bench.run(api().awaitProject, { ...project, since: new Date().toISOString() })).rejects.toMatchObject({ type: failureTypes.notYet });
    const dayAgo = new Date(Date.now() - 24 * 3_600_000).toISOString();
    await expect(bench.run(api().awaitProject, { ...project, since: dayAgo })).rejects.toMatchObject({ type: failureTypes.projectNotReady });
  });

  test.each(['listProjects', 'getProject'])('is asked for again when a page, a redirect or half an answer came instead: %s', async (operation) => {
    const ask = (attempt: number) => (operation === 'listProjects' ? bench.run(api().findProject, { project: 'Town Hall', orFail: true }, attempt) : bench.run(api().awaitProject, { projectId: projectId(), since: new Date().toISOString() }, attempt));
    for (const effect of [{ html: true, status: 200 }, { status: 302, headers: { location: 'https://status.example' } }, { truncateBytes: 5 }, { gzip: true }, { drop: 'after' }] as const) {
      bench.simulator.state.faults.add({ kind: 'request', operation, ...effect });
      await expect(ask(1)).rejects.toMatchObject({ type: failureTypes.unreachable, nonRetryable: false });
    }
    await expect(bench.run(api().findProject, { project: 'Town Hall', orFail: true }, 6)).resolves.not.toBeNull();
  });
});
