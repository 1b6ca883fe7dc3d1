import { once } from 'node:events';
import { createEndpoint, type EndpointOptions } from './endpoint';

/** Meaning of the fields: see each. */
export interface ServeOptions extends EndpointOptions {
  host: string;
  /** 0 for any. */
  port: number;
}

/** How long running requests may take when the endpoint closes, in ms. */
const graceMs = 10_000;

/** Serves the codec endpoint until SIGINT or SIGTERM, then answers what runs and ends. `onReady` gets its address. @throws the error of an address that cannot be had */
export async function serveCodec({ host, port, ...options }: ServeOptions, onReady: (url: string) => void): Promise<void> {
  const asked = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  const app = createEndpoint(options);
  onReady(await app.listen({ host, port, listenTextResolver: () => '' }));
  await asked;
  const limit = setTimeout(() => app.server.closeAllConnections(), graceMs);
  await app.close();
  clearTimeout(limit);
}
