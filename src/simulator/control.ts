import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { streamOf } from './api-jobs';
import { jsonBody, parseBodies } from './bodies';
import { faultSchema } from './faults';
import { notFound } from './errors';
import { createApp, type Operation } from './http';
import type { Lifecycle } from './lifecycle';
import { scopes } from './options';
import { recordsText, type RecordsOf } from './records';
import { parseBody } from './requests';
import type { SimulatorState } from './state';

const clockSchema = z.strictObject({ advanceMs: z.number().int().min(0).max(10 * 365 * 86_400_000) });
const creditsSchema = z.strictObject({ available: z.number().min(0) });
const faultsSchema = z.union([z.strictObject({ faults: z.array(faultSchema) }), faultSchema.transform((fault) => ({ faults: [fault] }))]);
const jobSchema = z.strictObject({
  /** Its id, or its externalId: of several with the same one, the newest. */
  job: z.string().min(1),
  action: z.enum(['resume', 'cancel', 'release', 'hide', 'show']),
});
const keySchema = z.strictObject({ key: z.string().regex(/^\S+$/), scopes: z.array(z.enum(scopes)) });

/** The interface for those who test or rehearse: look into the simulator, and make things happen. It does not listen yet. */
export function createControl(state: SimulatorState, lifecycle: Lifecycle): FastifyInstance {
  const { clock, credits, faults } = state;
  const creditsView = (): object => ({ available: credits.available, reserved: credits.reserved });
  const operations: Omit<Operation, 'scope'>[] = [
    { operation: 'getRecords', method: 'GET', path: '/records', handle: ({ query }, reply) => reply.type('application/json').send(streamOf(recordsText(state, query as RecordsOf))) },
    { operation: 'getCounters', method: 'GET', path: '/counters', handle: () => countersView(state) },
    { operation: 'getClock', method: 'GET', path: '/clock', handle: () => ({ now: clock.iso() }) },
    {
      operation: 'advanceClock', method: 'POST', path: '/clock',
      handle: (request) => {
        clock.advance(parseBody(clockSchema, jsonBody(request)).advanceMs);
        return { now: clock.iso() };
      },
    },
    { operation: 'getCredits', method: 'GET', path: '/credits', handle: creditsView },
    {
      operation: 'setCredits', method: 'POST', path: '/credits',
      handle: (request) => {
        credits.setAvailable(parseBody(creditsSchema, jsonBody(request)).available);
        return creditsView();
      },
    },
    { operation: 'getFaults', method: 'GET', path: '/faults', handle: () => ({ faults: faults.list() }) },
    {
      operation: 'addFaults', method: 'POST', path: '/faults',
      handle: (request) => {
        for (const fault of parseBody(faultsSchema, jsonBody(request)).faults) faults.add(fault);
        return { faults: faults.list() };
      },
    },
    {
      operation: 'clearFaults', method: 'DELETE', path: '/faults',
      handle: () => {
        faults.clear();
        return { faults: [] };
      },
    },
    { operation: 'actOnJob', method: 'POST', path: '/jobs', handle: (request) => actOnJob(state, lifecycle, parseBody(jobSchema, jsonBody(request))) },
    {
      operation: 'setKey', method: 'POST', path: '/keys',
      handle: (request) => {
        const { key, scopes: granted } = parseBody(keySchema, jsonBody(request));
        if (granted.length === 0) state.keys.delete(key);
        else state.keys.set(key, new Set(granted));
        return { scopes: granted };
      },
    },
  ];
  const app = createApp(state, operations.map((operation) => ({ ...operation, scope: null })), { watched: false });
  parseBodies(app);
  return app;
}

/** What somebody does at Plangrep, or what befalls a job there. @throws ApiError 404, or as the API answers */
function actOnJob(state: SimulatorState, lifecycle: Lifecycle, { job: name, action }: z.infer<typeof jobSchema>): object {
  const job = state.jobs.get(name) ?? [...state.jobs.values()].findLast(({ externalId }) => externalId === name);
  if (!job) throw notFound('job');
  if (action === 'hide' || action === 'show') job.hidden = action === 'hide';
  else lifecycle[action](job);
  const { id, externalId, status, hidden } = job;
  return { job: { id, externalId, status, hidden } };
}

function countersView(state: SimulatorState): object {
  const { requests, bytesReceived, uploadsAtOnce, refusedDigests, refusedSizes, webhooks } = state.counters;
  return { requests, bytesReceived, uploadsAtOnce, refusedDigests, refusedSizes, webhooks, memoryBytes: process.memoryUsage.rss() };
}
