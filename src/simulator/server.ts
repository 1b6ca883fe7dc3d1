import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { createApi } from './api';
import { createControl } from './control';
import { Lifecycle } from './lifecycle';
import { settle, type SimulatorOptions } from './options';
import { SimulatorState } from './state';
import { createStorage } from './storage';
import { WebhookSender } from './webhooks';

// Loopback only: it is no service, and its key protects nothing of value.
const host = '127.0.0.1';

/** A simulator that listens. */
export interface Simulator {
  /** Where the API is, without the path: a base URL for clients. */
  readonly apiUrl: string;
  /** Where signed URLs point to. */
  readonly storageUrl: string;
  readonly controlUrl: string;
  readonly apiKey: string;
  /** What it knows, for tests in the same process. */
  readonly state: SimulatorState;
  /** Resolves when no webhook is under way. */
  webhooksSettled(): Promise<void>;
  /** Stops at once: open connections are cut. */
  close(): Promise<void>;
}

/** Starts the remote API's simulator on three loopback ports. @throws the error of a port that is taken; then nothing listens */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = settle(options, `pgk_sim_${randomBytes(12).toString('hex')}`);
  const state = new SimulatorState(settings);
  const webhooks = new WebhookSender(state);
  const lifecycle = new Lifecycle(state, webhooks);
  const apps = [createApi(state, lifecycle), createStorage(state), createControl(state, lifecycle)] as const;
  const close = async (): Promise<void> => {
    state.clock.stop();
    await Promise.all([...apps.map((app) => app.close()), webhooks.close()]);
    await state.scratch.close();
  };
  try {
    state.apiUrl = await listen(apps[0], settings.port);
    state.storageUrl = await listen(apps[1], settings.storagePort);
    const controlUrl = await listen(apps[2], settings.controlPort);
    const { apiUrl, storageUrl } = state;
    return { apiUrl, storageUrl, controlUrl, apiKey: settings.apiKey, state, webhooksSettled: () => webhooks.settled(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listen(app: FastifyInstance, port: number): Promise<string> {
  await app.listen({ host, port });
  return `http://${host}:${(app.server.address() as AddressInfo).port}`;
}
