import fc from 'fast-check';
import { manifestLineSchema, type DocumentOutcome, type ManifestLine, type PlanLine } from '../../src/contract/archive';
import { outcomes, type Outcome, type Reason } from '../../src/contract/batch';
import { addLine, addOutcome, duplicateLine, finalStatus, leftOutLine, lostLine, lostReason, manifestBodyText, manifestJob, manifestText, manifestTotals, missingReason, newTally, settledLine, type ManifestBody } from '../../src/domain/manifest';

const plan: PlanLine = {
  seq: 7, source: 'a/b.pdf', fileName: 'b.pdf', contentType: 'application/pdf', sizeBytes: 10, sha256: 'planned', pages: 4, classification: 'plans',
  mtimeMs: 1, inode: '1', job: 2, reason: null, duplicateOf: null,
};
const outcome: DocumentOutcome = {
  seq: 7, outcome: 'partial', reason: { code: 'partial', message: 'x' }, jobId: 'job_2', documentId: 'doc_7', sha256: 'sent', pages: 5, pagesFailed: 1, pagesPaid: 4, credits: 40,
  result: { path: 'jobs/00002/result.json', index: 3 }, artifacts: [{ path: 'jobs/00002/artifacts/x', sizeBytes: 1, sha256: 'x', type: 'sheet' }],
};
const reason: Reason = { code: 'duplicate', message: 'as 7' };

describe('lines', () => {
  test('a settled document has what its job says, and what only the plan knows', () => {
    expect(settledLine(plan, { job: 9, outcome })).toEqual({
      seq: 7, source: 'a/b.pdf', fileName: 'b.pdf', sizeBytes: 10, sha256: 'sent', pages: 5, classification: 'plans', outcome: 'partial', reason: { code: 'partial', message: 'x' },
      job: 9, jobId: 'job_2', documentId: 'doc_7', duplicateOf: null, credits: 40, pagesFailed: 1, result: outcome.result, artifacts: outcome.artifacts,
    });
    expect(settledLine(plan, { job: 9, outcome: { ...outcome, sha256: null } }).sha256).toBe('planned');
  });

  test.each<[Reason, Outcome]>([
    [lostReason, 'failed'],
    [{ code: 'unauthorized', message: 'x' }, 'failed'],
    [{ code: 'remote_error', message: 'x' }, 'failed'],
    [{ code: 'cancelled', message: 'x' }, 'cancelled'],
    [{ code: 'expired', message: 'x' }, 'expired'],
  ])('a lost document ends as its reason says: %j', (why, expected) => {
    expect(lostLine(plan, 5, why)).toMatchObject({ outcome: expected, reason: why, job: 5, jobId: null, documentId: null, sha256: 'planned', pages: 4, credits: null, result: null, artifacts: [] });
  });

  test('a document without a job is rejected or skipped', () => {
    const without = { ...plan, job: null };
    expect(leftOutLine(without, { code: 'too_large', message: 'x' })).toMatchObject({ outcome: 'rejected', job: null, reason: { code: 'too_large' }, pages: 4 });
    expect(leftOutLine(without, { code: 'skipped', message: 'x' })).toMatchObject({ outcome: 'skipped', job: null });
  });

  test('a duplicate points where its original does, and costs nothing', () => {
    const original = settledLine(plan, { job: 9, outcome });
    const line = duplicateLine({ ...plan, seq: 8, job: null, duplicateOf: 7, pages: null }, reason, original);
    expect(line).toMatchObject({ seq: 8, outcome: 'duplicate', reason, duplicateOf: 7, job: 9, jobId: 'job_2', documentId: 'doc_7', result: outcome.result, pages: 5, credits: null, pagesFailed: null, artifacts: [] });
  });

  test('every line has the fields of the schema, in its order', () => {
    const original = settledLine(plan, { job: 9, outcome });
    for (const line of [original, lostLine(plan, 5, lostReason), leftOutLine(plan, reason), duplicateLine(plan, reason, original)]) {
      expect(JSON.stringify(line)).toBe(JSON.stringify(manifestLineSchema.parse(line)));
    }
  });
});

const line = (seq: number, fields: Partial<ManifestLine>): ManifestLine => ({ ...lostLine({ ...plan, seq }, 1, lostReason), documentId: `doc-${seq}`, ...fields });

describe('tally', () => {
  test('outcomes add up to the documents, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...outcomes)), (ends) => {
        const tally = newTally();
        ends.forEach((end, seq) => addLine(tally, { line: line(seq, { outcome: end }), original: null, plannedJob: 1 }));
        const { documents, ...counts } = tally.counts;
        expect(documents).toBe(ends.length);
        expect(Object.values(counts).reduce((a, b) => a + b)).toBe(ends.length);
        for (const end of outcomes) expect(counts[end]).toBe(ends.filter((other) => other === end).length);
      }),
    );
  });

  test('pages count where a result has them, once a content; bytes where a job got them; nothing of a duplicate', () => {
    const tally = newTally();
    const result = { path: 'x', index: 0 };
    const add = (fields: Partial<ManifestLine>, plannedJob: number | null = 1) => addLine(tally, { line: line(tally.counts.documents, fields), original: null, plannedJob });
    add({ outcome: 'processed', pages: 5, credits: 50, result });
    add({ outcome: 'processed', pages: 5, credits: 0, result, documentId: 'doc-0' });
    add({ outcome: 'failed', pages: 3 });
    add({ outcome: 'processed', job: 4, pages: 7, credits: 7, result, documentId: 'doc-0' }, 2);
    add({ outcome: 'duplicate', pages: 5, result }, null);
    add({ outcome: 'rejected', pages: 9, job: null }, null);
    expect(tally).toMatchObject({ pages: 12, bytes: 40 });
    expect([...tally.jobs]).toEqual([[1, { documents: 3, credits: 0 }], [4, { documents: 1, credits: 0 }]]);
  });

  test('a job’s credits are those of all its outcomes, also of documents that a later job had again', () => {
    const tally = newTally();
    addOutcome(tally, 1, outcome);
    addOutcome(tally, 1, { ...outcome, seq: 8, credits: null });
    addOutcome(tally, 4, { ...outcome, credits: 7 });
    addLine(tally, { line: line(7, { job: 4, credits: 7 }), original: null, plannedJob: 1 });
    expect([...tally.jobs]).toEqual([[1, { documents: 0, credits: 40 }], [4, { documents: 1, credits: 7 }]]);
  });
});

describe('status', () => {
  const ended = (ends: [Outcome, Outcome?][], how: Partial<Parameters<typeof finalStatus>[1]> = {}) => {
    const tally = newTally();
    ends.forEach(([end, original], seq) => addLine(tally, { line: line(seq, { outcome: end }), original: original ?? null, plannedJob: 1 }));
    return finalStatus(tally, { cancelled: false, error: null, ...how });
  };
  test.each<[string, [Outcome, Outcome?][]]>([
    ['completed', []],
    ['completed', [['processed'], ['skipped'], ['duplicate', 'processed'], ['duplicate', 'skipped']]],
    ['completed_with_errors', [['processed'], ['duplicate', 'failed'], ['processed']]],
    ...(['partial', 'failed', 'rejected', 'cancelled', 'expired'] as const).map((end): [string, [Outcome][]] => ['completed_with_errors', [['processed'], [end]]]),
  ])('%s for %j', (status, ends) => expect(ended(ends)).toBe(status));

  test('an error fails the batch; a cancelled batch is cancelled, whatever was done', () => {
    const error = { code: 'x', message: 'x' };
    expect(ended([['processed']], { error })).toBe('failed');
    for (const ends of [[], [['processed']], [['processed'], ['cancelled']]] as [Outcome][][]) {
      expect(ended(ends, { cancelled: true })).toBe('cancelled');
      expect(ended(ends, { cancelled: true, error })).toBe('cancelled');
    }
  });

  test('a document without an outcome has the batch’s reason, or was cancelled with it, or is lost', () => {
    const failure: Reason = { code: 'unauthorized', message: 'x' };
    expect(missingReason({ failure, cancelled: true })).toBe(failure);
    expect(missingReason({ failure: null, cancelled: true })).toMatchObject({ code: 'cancelled' });
    expect(missingReason({ failure: null, cancelled: false })).toBe(lostReason);
  });
});

test('a job costs what Plangrep says it debited, else what its documents add up to', () => {
  const tally = newTally();
  addOutcome(tally, 1, { ...outcome, credits: 8 });
  addLine(tally, { line: line(1, { outcome: 'processed', credits: 8 }), original: null, plannedJob: 1 });
  const file = { job: 1, parent: null, batchId: 'b', jobId: 'job_1', externalId: null, status: 'completed', error: null, creditsDebited: 0, pageCount: null, createdAt: null, expiresAt: null, completedAt: null, documents: 1 };
  expect(manifestJob(tally, 1, null, file)).toEqual({ job: 1, jobId: 'job_1', status: 'completed', parent: null, documents: 1, credits: 0 });
  expect(manifestJob(tally, 1, 3, { ...file, creditsDebited: null })).toMatchObject({ parent: 3, credits: 8 });
  expect(manifestJob(tally, 2, null, null)).toEqual({ job: 2, jobId: null, status: null, parent: null, documents: 0, credits: 0 });
});

test('the text is the body and its checksum, and nothing of the body is lost', () => {
  const body = { batchId: 'b', counts: newTally().counts, status: 'completed' } as ManifestBody;
  const text = manifestText(body, 'sum');
  const { checksum, ...rest } = JSON.parse(text) as { checksum: string };
  expect(checksum).toBe('sum');
  expect(manifestBodyText(rest)).toBe(manifestBodyText(body));
  expect(text).toMatch(/^\{\n {2}"batchId": "b",\n[^]*,\n {2}"checksum": "sum"\n\}\n$/);
});

test('the totals leave out what did not occur', () => {
  const counts = { ...newTally().counts, documents: 3, processed: 2, failed: 1 };
  expect(manifestTotals({ status: 'completed_with_errors', counts, pages: 4, credits: 5 } as ManifestBody)).toEqual({ status: 'completed_with_errors', documents: 3, counts: { processed: 2, failed: 1 }, pages: 4, credits: 5 });
});
