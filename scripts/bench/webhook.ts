import { join } from 'node:path';
import type { WebhookRequest, Webhooks } from './children/webhook';
import { writePdfs } from './documents';
import { counted, figure, quantile, type Figures } from './figures';
import { runChild, type Run } from './session';

/** Hundreds of jobs one after another take long on a machine that has other work. */
const limitMs = 15 * 60_000;

/** From a webhook's arrival to the workflow task that schedules the read of the job. */
export const webhook: Run = async (session) => {
  const jobs = session.smoke ? 5 : 220;
  const source = join(session.folder, 'source');
  await writePdfs(source, jobs);
  session.progress(`webhook: ${jobs} jobs of one file, whose ends are told by webhook`);
  const request: WebhookRequest = { folder: session.folder, source, jobs };
  return figuresOf(await runChild<Webhooks>(session, 'webhook', request, limitMs));
};

function figuresOf({ delays, reads, passedOver, outcomes }: Webhooks): Figures {
  const seconds = (milliseconds: readonly number[], q: number): number => quantile(milliseconds, q) / 1000;
  return {
    webhooks: figure(delays.length, 'requests', { note: 'each the end of a job, on a machine that runs everything else too' }),
    'toScheduled/p50': figure(seconds(delays, 0.5), 's', { note: "from the POST's arrival at the receiver to the ActivityTaskScheduled event of the read" }),
    'toScheduled/p99': figure(seconds(delays, 0.99), 's', { note: 'the design aims at 0.25' }),
    'toScheduled/max': figure(seconds(delays, 1), 's'),
    'toRead/p50': figure(seconds(reads, 0.5), 's', { note: "to the read's ActivityTaskStarted event" }),
    'toRead/p99': figure(seconds(reads, 0.99), 's'),
    passedOver: figure(passedOver, 'jobs', { note: 'their end was read before the webhook came' }),
    ...counted('receiver', outcomes, 'requests'),
  };
}
