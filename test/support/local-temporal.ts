import { TestWorkflowEnvironment } from '@temporalio/testing';
import { defineSearchAttributeKey } from '@temporalio/common';
import { searchAttributes } from '../../src/contract/messages';

/** Meaning of the fields: see each. */
export interface LocalTemporalOptions {
  /** Whether our search attributes are registered. Default true. */
  attributes?: boolean;
}

/** A real Temporal server of this test's own, on free ports of 127.0.0.1, in memory. */
export function startLocalTemporal({ attributes = true }: LocalTemporalOptions = {}): Promise<TestWorkflowEnvironment> {
  const path = process.env['TEMPORAL_CLI_PATH'];
  const keys = Object.entries(searchAttributes).map(([name, kind]) => defineSearchAttributeKey(name, kind));
  return TestWorkflowEnvironment.createLocal({
    server: {
      ip: '127.0.0.1',
      ...(path && { executable: { type: 'existing-path', path } }),
      ...(attributes && { searchAttributes: keys }),
    },
  });
}
