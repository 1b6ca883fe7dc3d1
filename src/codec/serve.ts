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
  const app = createEndpoint(options);
  const asked = askedToEnd();
  try {
    onReady(await app.listen({ host, port, listenTextResolver: () => '' }));
    await asked.signal;
  } finally {
    asked.forget();
    const limit = setTimeout(() => app.server.closeAllConnections(), graceMs);
    await app.close();
    clearTimeout(limit);
  }
}

function askedToEnd(): { signal: Promise<void>; forget: () => void } {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  let end = (): void => undefined;
  const signal = new Promise<void>((resolve) => (end = resolve));
  for (const name of signals) process.once(name, end);
  return { signal, forget: () => signals.forEach((name) => process.removeListener(name, end)) };
}
