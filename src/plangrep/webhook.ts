import { z } from 'zod';

/** What can be told from a webhook's body; each null when it is not there. A hint only: the state is read from the API. */
export interface WebhookHint {
  jobId: string | null;
  status: string | null;
  updatedAt: string | null;
}

const text = z.string().min(1).nullish().catch(null);
const job = z.object({ id: text, status: text, updatedAt: text }).nullish().catch(null);
// What else a body holds is not looked at: copying thousands of fields would cost more than reading them.
const bodySchema = z.object({ job, jobId: text, status: text, updatedAt: text, data: z.object({ job, jobId: text, status: text }).nullish().catch(null) });

/** Looks for the job in `job`, `data.job`, or as `jobId`; the payload is not documented. Null when the body is no JSON object. */
export function readWebhook(body: string): WebhookHint | null {
  const parsed = bodySchema.safeParse(tryJson(body));
  if (!parsed.success) return null;
  const { data, ...top } = parsed.data;
  const found = top.job ?? data?.job ?? null;
  return {
    jobId: found?.id ?? top.jobId ?? data?.jobId ?? null,
    status: found?.status ?? top.status ?? data?.status ?? null,
    updatedAt: found?.updatedAt ?? top.updatedAt ?? null,
  };
}

function tryJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
