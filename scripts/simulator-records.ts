import { z } from 'zod';

/** What the simulator has recorded of jobs, as its control interface gives it: the part by which runs are judged from outside. */
export const recordsSchema = z.object({
  jobs: z.array(
    z.object({
      id: z.string(),
      externalId: z.string().nullable(),
      status: z.string(),
      creditsDebited: z.number(),
      creditsReserved: z.number(),
      callsAfterEnd: z.record(z.string(), z.number()),
      documents: z.array(z.object({ sha256: z.string(), included: z.boolean() })),
    }),
  ),
  debits: z.record(z.string(), z.array(z.number())),
});
/** See {@link recordsSchema}. */
export type Records = z.infer<typeof recordsSchema>;
