import { batchWorkflowId, jobWorkflowId } from '../../src/contract/messages';
import { Story, type StoryOptions } from '../../test/support/story';
import { readHistory, type RecordedHistory } from './files';

/** A kind of batch or job of which a history must be kept. */
export interface Kind {
  name: string;
  /** What happens in it, for people. */
  about: string;
  /** What is saved of it, `<name>-<part>`, and what must occur in it; see traits.ts. */
  parts: Record<string, string[]>;
  /** Runs it for real, with everything it needs, and answers with the histories of its parts in their order. */
  record(): Promise<RecordedHistory[]>;
}

/** Where a part is to be found when its kind is over. */
export interface Place {
  workflowId: string;
  /** Default: the latest run. */
  runId?: string;
}

/** The batch itself, one of its jobs. */
export const theBatch = (id: string): Place => ({ workflowId: batchWorkflowId(id) });
export const theJob = (id: string, job: number): Place => ({ workflowId: jobWorkflowId(id, job) });

/** A kind whose batch has its name, with real activities against the simulator. `play` answers where the parts are, in their order. */
export function played(name: string, about: string, parts: Kind['parts'], options: StoryOptions, play: (story: Story, id: string) => Promise<Place[]>): Kind {
  return {
    name,
    about,
    parts,
    record: async () => {
      const story = await Story.start(options);
      try {
        const places = await play(story, name);
        const { env, folder } = story.stack;
        return await Promise.all(places.map(({ workflowId, runId }) => readHistory(env.client, workflowId, runId, folder)));
      } finally {
        await story.stop();
      }
    },
  };
}

/** The first run of a workflow, one from the middle, and the last. @throws when it has fewer than `least` */
export async function firstMiddleLast(client: Story['stack']['env']['client'], { workflowId }: Place, least: number): Promise<Place[]> {
  const runIds: string[] = [];
  for (let runId: string | undefined; ; ) {
    const handle = client.workflow.getHandle(workflowId, runId);
    const [started] = (await handle.fetchHistory()).events ?? [];
    runIds.unshift(runId ?? (await handle.describe()).runId);
    runId = started?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
    if (!runId) break;
  }
  if (runIds.length < least) throw new Error(`${workflowId} has ${runIds.length} runs, fewer than ${least}`);
  return [0, Math.floor((runIds.length - 1) / 2), runIds.length - 1].map((index) => ({ workflowId, runId: runIds[index]! }));
}

/** Each document a job of its own, one after the other. */
export const oneByOne = { limits: { maxFiles: 1 }, maxConcurrentJobs: 1 };
/** Each document a job of its own, all at once. */
export const atOnce = { limits: { maxFiles: 1 }, maxConcurrentJobs: 10 };
