import { readdir, stat, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { catalogue } from '../../scripts/record-histories/catalogue';
import { historiesFolder, recorded, recordedNames, type RecordedHistory } from '../../scripts/record-histories/files';
import { traitsOf } from '../../scripts/record-histories/traits';
import { createActivities } from '../../src/activities';
import type { Dependencies } from '../../src/activities/dependencies';
import * as messages from '../../src/contract/messages';
import { alteredVariants } from '../support/altered-workflows';
import { bundleWorkflows, quietRuntime } from '../support/workflow-runner';
import { refusals } from './alterations';

/** Replays histories, and answers with the error of each that did not go. */
async function replay(workflowBundle: WorkflowBundleWithSourceMap, histories: RecordedHistory[]): Promise<(Error | undefined)[]> {
  const errors: (Error | undefined)[] = [];
  for await (const { error } of Worker.runReplayHistories({ workflowBundle }, histories as never)) errors.push(error);
  return errors;
}

/** Each history stays for ever, so that what runs in production can go on under new code. */
describe('recorded histories', () => {
  let names: string[];
  const histories = new Map<string, RecordedHistory>();
  beforeAll(async () => {
    quietRuntime();
    names = await recordedNames();
    for (const name of names) histories.set(name, await recorded(name));
  });
  // A replay that was refused leaves the runtime running.
  afterAll(() => Runtime.instance().shutdown());

  /** What was recorded of a part of a kind, by any release. */
  const of = (part: string): RecordedHistory[] => names.filter((name) => name === part || (name.startsWith(`${part}.`) && /^\d+$/.test(name.slice(part.length + 1)))).map((name) => histories.get(name)!);

  test.each(catalogue)('$name: $about', ({ name, parts }) => {
    for (const [part, traits] of Object.entries(parts)) {
      const found = of(`${name}-${part}`);
      expect(found.length).toBeGreaterThan(0);
      expect([...traitsOf(found.at(-1)!)]).toEqual(expect.arrayContaining(traits));
    }
  });

  test('hold every workflow, activity, message and patch that there is', async () => {
    const occurring = new Set([...histories.values()].flatMap((history) => [...traitsOf(history)]));
    const types = new Set([...histories.values()].map(({ history }) => (history.events[0]!.workflowExecutionStartedEventAttributes as { workflowType: { name: string } }).workflowType.name));
    expect([...types].sort()).toEqual(Object.values(messages.workflowTypes).sort());

    const activities = Object.values(createActivities({ settings: {} } as Dependencies)).flatMap((group) => Object.keys(group as object));
    const told = Object.values(messages).flatMap((message) => (typeof message === 'object' && 'type' in message && message.type !== 'query' ? [message.name as string] : []));
    expect(activities.length + told.length).toBeGreaterThan(20);
    const folder = resolve(__dirname, '../../src/workflows');
    const sources = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8')));
    const patches = sources.flatMap((source) => [...source.matchAll(/\b(?:patched|deprecatePatch)\('([^']+)'\)/g)].map(([, id]) => `patch ${id}`));
    expect([...activities, ...told, ...patches].filter((name) => !occurring.has(name))).toEqual([]);
  });

  test('are small', async () => {
    const sizes = await Promise.all((await readdir(historiesFolder)).map(async (file) => [file, (await stat(join(historiesFolder, file))).size] as const));
    expect(sizes.filter(([, size]) => size > 300_000)).toEqual([]);
    expect(sizes.reduce((sum, [, size]) => sum + size, 0)).toBeLessThan(3_000_000);
  });

  test('replay under today\'s workflows', async () => {
    const errors = await replay(await bundleWorkflows(), names.map((name) => histories.get(name)!));
    expect(errors).toHaveLength(names.length);
    expect(names.flatMap((name, index) => (errors[index] ? [`${name}: ${errors[index].message}`] : []))).toEqual([]);
  });

  test('refuse workflows that do something else', async () => {
    const bundle = await alteredVariants(refusals.map(({ alterations }) => alterations));
    const cases = refusals.flatMap(({ change, by }, variant) => by.map((name) => ({ change: `${change}: ${name}`, history: underVariant(of(name)[0]!, variant) })));
    const errors = await replay(bundle, cases.map(({ history }) => history));
    expect(errors).toHaveLength(cases.length);
    expect(cases.filter((_, index) => !errors[index]).map(({ change }) => change)).toEqual([]);
  });
});

/** The same history, of a workflow whose type names the variant that is to replay it. */
function underVariant({ workflowId, history }: RecordedHistory, variant: number): RecordedHistory {
  const [started, ...rest] = history.events;
  const attributes = started!.workflowExecutionStartedEventAttributes as { workflowType: { name: string } };
  const workflowType = { name: `${attributes.workflowType.name}${variant}` };
  return { workflowId, history: { events: [{ ...started!, workflowExecutionStartedEventAttributes: { ...attributes, workflowType } }, ...rest] } };
}
