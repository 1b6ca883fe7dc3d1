import { BatchClient } from '../client';
import { dataConverterOf } from '../codec/data-converter';
import { environment, readConfig, type Config, type ConfigWith, type Need } from '../config';
import { batchKeys } from '../contract/keys';
import { FolderStore } from '../store/folder';
import { connectTemporal, readTemporalSettings, type TemporalConnection } from '../temporal-connection';

/** What a command that talks to Temporal works with. */
export interface Session<C extends Config = Config> {
  config: C;
  temporal: TemporalConnection;
  batches: BatchClient;
}

/** Reads the configuration of this process; `archive` overrides `PLANGREP_ARCHIVE`, `project` `PLANGREP_PROJECT`. @throws ConfigError */
export function commandConfig<N extends Need>(need: readonly N[], { archive, project }: { archive?: string | undefined; project?: string | undefined } = {}): ConfigWith<N> {
  return readConfig({ ...environment(), ...(archive && { PLANGREP_ARCHIVE: archive }), ...(project && { PLANGREP_PROJECT: project }) }, need);
}

/** Connects to Temporal for the time of `work`. @throws TemporalUnreachableError after 15 s, TemporalRefusedError, and what `work` throws */
export async function withTemporal<C extends Config, T>(config: C, work: (session: Session<C>) => Promise<T>): Promise<T> {
  const temporal = await connectTemporal(readTemporalSettings(environment(), config.webUiUrl), { dataConverter: dataConverterOf(config.payloadKeys) });
  try {
    const batches = new BatchClient({ client: temporal.client, webUiUrl: temporal.settings.webUiUrl, ...(config.archive !== null && { isArchived: manifestIn(config.archive) }) });
    return await work({ config, temporal, batches });
  } finally {
    await temporal.close();
  }
}

/** Whether the archive holds a batch's manifest. */
const manifestIn = (archive: string) => async (batchId: string) => (await new FolderStore(archive).stat(batchKeys(batchId).manifest)) !== null;
