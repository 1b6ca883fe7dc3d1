import type { BatchInputOptions, Classification, Source } from '../contract/batch';
import { CliError } from './cli-error';
import type { InputFlags } from './input-flags';

const split = (flag: string, pair: string, at: number): [string, string] => {
  if (at > 0 && at < pair.length - 1) return [pair.slice(0, at), pair.slice(at + 1)];
  throw new CliError({ code: 'usage', message: `${flag} "${pair}" must have something on both sides of a "=".` });
};

const given = <T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };

/** The batch input that the flags describe; its values are checked when it is parsed. @throws CliError for a pair without "=" */
export function inputOf(source: Source, project: string, flags: InputFlags): BatchInputOptions {
  const labels = (flags.label ?? []).map((pair) => split('--label', pair, pair.indexOf('=')));
  const rules = (flags.classify ?? []).map((pair) => split('--classify', pair, pair.lastIndexOf('=')));
  return {
    project,
    source,
    classify: rules.map(([glob, classification]) => ({ glob, classification: classification as Classification })),
    limits: given({ maxFiles: flags.maxFiles, maxBytes: flags.maxBytes, maxPages: flags.maxPages }),
    labels: Object.fromEntries(labels),
    ...given({
      maxConcurrentJobs: flags.maxConcurrentJobs,
      upload: flags.upload,
      createProject: flags.createProject,
      skipProcessed: flags.skipProcessed,
      retryFailedDocuments: flags.retryFailed,
      retryPartialDocuments: flags.retryPartial,
      splitFailedJobs: flags.splitFailed,
      maxCredits: flags.maxCredits,
      probe: flags.probe,
      priority: flags.priority,
      tenant: flags.tenant,
    }),
  };
}
