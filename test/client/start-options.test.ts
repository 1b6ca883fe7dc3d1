import type { TypedSearchAttributes } from '@temporalio/common';
import fc from 'fast-check';
import { batchInputSchema, type BatchInput } from '../../src/contract/batch';
import { isBatchId } from '../../src/contract/messages';
import { defaultBatchId, fairnessKeyOf, inputDigest, startOptions } from '../../src/client/start-options';

const input = (more: object = {}): BatchInput => batchInputSchema.parse({ project: 'Tower', source: { folder: '/data' }, ...more });

describe('startOptions', () => {
  it('starts under the id of the batch and never beside another one', () => {
    expect(startOptions('b1', input(), [])).toMatchObject({
      workflowId: 'batch/b1',
      taskQueue: 'plangrep-batch',
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
      args: [{ project: 'Tower' }],
    });
  });

  it('carries labels, a digest and a summary that people can read', () => {
    const options = startOptions('b1', input({ labels: { owner: 'ann' } }), []);
    expect(options.memo).toEqual({ labels: { owner: 'ann' }, inputSha256: inputDigest(input({ labels: { owner: 'ann' } })) });
    expect(options.staticSummary).toBe('/data → Tower');
  });

  it.each([
    [{ list: '/lists/a.csv' }, '/lists/a.csv → Tower'],
    [{ documents: [{ path: '/a' }, { path: '/b' }] }, '2 listed documents → Tower'],
    [{ retryOf: 'b0' }, 'what b0 did not process → Tower'],
  ])('says where documents come from: %j', (source, text) => expect(startOptions('b1', input({ source }), []).staticSummary).toBe(text));

  it('names the batch that is retried', () => {
    expect(startOptions('b1', input({ source: { retryOf: 'b0' } }), []).memo).toMatchObject({ retryOf: 'b0' });
    expect(startOptions('b1', input(), []).memo).not.toHaveProperty('retryOf');
  });

  it('keeps the summary within what Temporal takes', () => {
    const options = startOptions('b1', input({ project: 'é'.repeat(180), source: { folder: `/${'ü'.repeat(4000)}` } }), []);
    expect(Buffer.byteLength(options.staticSummary!)).toBeLessThanOrEqual(400);
  });

  it('sets only search attributes that are registered', () => {
    const names = (registered: Parameters<typeof startOptions>[2]) => (startOptions('b1', input(), registered).typedSearchAttributes as TypedSearchAttributes).getAll().map(({ key }) => key.name);
    expect(names([])).toEqual([]);
    expect(names(['BatchId', 'DocumentCount'])).toEqual(['BatchId']);
    expect(names(['BatchStatus', 'BatchId']).sort()).toEqual(['BatchId', 'BatchStatus']);
  });

  it('is fair by tenant, else by batch', () => {
    expect(startOptions('b1', input({ tenant: 'ann', priority: 1 }), []).priority).toEqual({ priorityKey: 1, fairnessKey: 'ann' });
    expect(startOptions('b1', input(), []).priority).toEqual({ fairnessKey: fairnessKeyOf('b1') });
    expect(fairnessKeyOf('b1')).toMatch(/^[0-9a-f]{32}$/);
  });
});

test('the default id is the time and six letters, and a valid id', () => {
  const id = defaultBatchId(new Date('2026-11-24T17:30:22.123Z'));
  expect(id).toMatch(/^20261124T173022Z-[a-z]{6}$/);
  expect(isBatchId(id)).toBe(true);
});

test('the digest of an input does not depend on the order of its labels, and on nothing else', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.string({ maxLength: 8 }), { maxKeys: 5 }), (labels) => {
      const other = Object.fromEntries(Object.entries(labels).reverse());
      const digest = inputDigest(input({ labels }));
      expect(inputDigest(input({ labels: other }))).toBe(digest);
      expect(inputDigest(input({ labels: { ...labels, 'one more': '' } }))).not.toBe(digest);
    }),
  );
});
