import { defineSearchAttributeKey } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Processes } from './processes';
import { findTemporalCli } from './temporal-binaries';
import { searchAttributes } from '../src/contract/messages';

/** Meaning of the fields: see each. */
export interface LocalTemporalOptions {
  /** Whether our search attributes are registered. Default true. */
  attributes?: boolean;
  /** Further arguments of `temporal server start-dev`. */
  extraArgs?: string[];
}

/** A real Temporal server of the caller's own, on free ports of 127.0.0.1, in memory. */
export async function startLocalTemporal({ attributes = true, extraArgs = [] }: LocalTemporalOptions = {}): Promise<TestWorkflowEnvironment> {
  const { path } = await findTemporalCli({ processes: new Processes(), print: () => {} });
  const keys = Object.entries(searchAttributes).map(([name, kind]) => defineSearchAttributeKey(name, kind));
  return TestWorkflowEnvironment.createLocal({
    server: {
      ip: '127.0.0.1',
      executable: { type: 'existing-path', path },
      extraArgs: ['--log-level', 'error', ...extraArgs],
      ...(attributes && { searchAttributes: keys }),
    },
  });
}
