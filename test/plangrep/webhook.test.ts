import { readWebhook } from '../../src/plangrep/webhook';

test.each([
  ['{"event":"job.status_changed","job":{"id":"job_1","status":"completed","updatedAt":"t"}}', { jobId: 'job_1', status: 'completed', updatedAt: 't' }],
  ['{"jobId":"job_1","status":"failed"}', { jobId: 'job_1', status: 'failed', updatedAt: null }],
  ['{"data":{"job":{"id":"job_1","status":"processing"}}}', { jobId: 'job_1', status: 'processing', updatedAt: null }],
  ['{"data":{"jobId":"job_1","status":"processing"}}', { jobId: 'job_1', status: 'processing', updatedAt: null }],
  ['{"job":"job_1","status":7}', { jobId: null, status: null, updatedAt: null }],
  ['{}', { jobId: null, status: null, updatedAt: null }],
  ['[]', null],
  ['not json', null],
  ['', null],
])('%s', (body, hint) => {
  expect(readWebhook(body)).toEqual(hint);
});
