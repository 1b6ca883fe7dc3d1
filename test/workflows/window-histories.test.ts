import { Runtime, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { batchWorkflowId, deadlineNearedSignal, gateOpenedSignal, jobFinishedSignal, jobWorkflowId, taskQueues, type BatchState } from '../../src/contract/messages';
import { newBatch } from '../../src/workflows/batch-state';
import { closedJob } from '../support/fake-activities';
import { ConstructedHistory, payloads, recordedStart } from '../support/constructed-history';
import { bundleWorkflows, quietRuntime } from '../support/workflow-runner';

const batchId = 'plain';
const job = (number: number) => ({ workflowExecution: { workflowId: jobWorkflowId(batchId, number) } });

/** Moments that last shorter than anybody could aim at. Each history says what the batch has to do. */
describe('a batch in moments that a server cannot be made to produce at will', () => {
  let bundle: WorkflowBundleWithSourceMap;

  beforeAll(async () => {
    quietRuntime();
    bundle = await bundleWorkflows();
  });
  // A replay that was refused leaves the runtime running.
  afterAll(() => Runtime.instance().shutdown());

  const signal = (history: ConstructedHistory, { name }: { name: string }, argument: unknown) => history.add('WORKFLOW_EXECUTION_SIGNALED', { signalName: name, input: payloads(argument) });
  const schedules = (history: ConstructedHistory, activity: number, name: string) => history.add('ACTIVITY_TASK_SCHEDULED', { activityId: String(activity), activityType: { name } });
  const ends = (history: ConstructedHistory) => history.add('TIMER_CANCELED', { timerId: '1', startedEventId: '30' });
  const continues = (history: ConstructedHistory) => {
    ends(history);
    history.add('WORKFLOW_EXECUTION_CONTINUED_AS_NEW', { workflowType: { name: 'batchWorkflow' } });
  };

  test('cancelled while there are free slots: starts nothing more, and asks the open job to end', async () => {
    const history = await recordedStart('first job', { jobs: 3 });
    history.add('WORKFLOW_EXECUTION_CANCEL_REQUESTED');
    history.task();
    ends(history);
    history.add('REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED', job(1));
    await history.replay(bundle);
  });

  test('cancelled in the task in which the history is full: the cancellation is not left behind in it', async () => {
    const history = await recordedStart('first job', { jobs: 2, maxConcurrentJobs: 1 });
    history.add('WORKFLOW_EXECUTION_CANCEL_REQUESTED');
    history.task({ full: true });
    ends(history);
    history.add('REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED', job(1));
    await history.replay(bundle);
  });

  test('a full history is left although slots are free', async () => {
    const history = await recordedStart('first job', { jobs: 3 });
    history.task({ full: true });
    continues(history);
    await history.replay(bundle);
  });

  test('a full history is left although nothing happened that a job could be started for', async () => {
    const history = await recordedStart('first job', { jobs: 2, maxConcurrentJobs: 1 });
    history.task();
    signal(history, deadlineNearedSignal, { job: 1, expiresAt: '2026-11-25T00:00:00.000Z', percentLeft: 50 });
    history.task({ full: true });
    continues(history);
    await history.replay(bundle);
  });

  test('a report in the very task that leaves the history starts the next job in the next run', async () => {
    const history = await recordedStart('first job', { jobs: 2, maxConcurrentJobs: 1 });
    history.task();
    signal(history, jobFinishedSignal, { job: 1, kind: 'closed', limits: null, ...closedJob({ processed: 15 }) });
    history.task({ full: true });
    continues(history);
    await history.replay(bundle);
  });

  test('the last report in a full history ends the batch in it', async () => {
    const history = await recordedStart('first job', { jobs: 1 });
    history.task();
    signal(history, jobFinishedSignal, { job: 1, kind: 'closed', limits: null, ...closedJob({ processed: 15 }) });
    history.task({ full: true });
    ends(history);
    history.add('UPSERT_WORKFLOW_SEARCH_ATTRIBUTES');
    schedules(history, 5, 'writeManifest');
    await history.replay(bundle);
  });

  /** A run that takes over from an earlier one. */
  function nextRun(over: Partial<BatchState>): ConstructedHistory {
    const batch = { ...newBatch(batchId, '2026-11-24T21:13:10.000Z'), plannedJobs: 1, nextJob: 2, open: [1], ...over };
    batch.progress.status = 'running';
    const history = new ConstructedHistory(batchWorkflowId(batchId));
    history.add('WORKFLOW_EXECUTION_STARTED', {
      workflowType: { name: 'batchWorkflow' }, taskQueue: { name: taskQueues.batch }, input: payloads(null, batch), workflowTaskTimeout: '10s', attempt: 1,
      originalExecutionRunId: 'run-2', firstExecutionRunId: 'run-1', continuedExecutionRunId: 'run-1',
    });
    history.task();
    history.add('TIMER_STARTED', { timerId: '1', startToFireTimeout: '600s' });
    return history;
  }

  test('what ended without a report, unseen between two runs, is looked for at the start of the next', async () => {
    const history = nextRun({});
    schedules(history, 1, 'findClosedJobs');
    await history.replay(bundle);
  });

  test('a blocked job that was being told to go on when the run ended is told again', async () => {
    const history = nextRun({ blocked: [{ job: 1, how: 'call', reason: 'insufficient_credits', expiresAt: null }], goingOn: 1 });
    history.add('SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED', { ...job(1), signalName: gateOpenedSignal.name });
    schedules(history, 1, 'findClosedJobs');
    await history.replay(bundle);
  });

  test('state of a release that knew less is taken up: what it did not know is as in a new batch', async () => {
    const unknown: (keyof BatchState)[] = ['waiting', 'resends', 'adopted', 'lost', 'lowered', 'gate', 'probes', 'blocked', 'goingOn', 'warnings', 'failures', 'halves', 'cancelled', 'shownAt'];
    const history = nextRun(Object.fromEntries(unknown.map((field) => [field, undefined])));
    const scheduledEventId = schedules(history, 1, 'findClosedJobs');
    signal(history, jobFinishedSignal, { job: 1, kind: 'closed', limits: null, ...closedJob({ failed: 15 }, { failedWith: 'x', resend: 'halves' }) });
    const startedEventId = history.add('ACTIVITY_TASK_STARTED', { scheduledEventId, attempt: 1 });
    history.add('ACTIVITY_TASK_COMPLETED', { scheduledEventId, startedEventId, result: payloads([]) });
    history.task();
    schedules(history, 2, 'resendDocuments');
    await history.replay(bundle);
  });

  /** A run whose only job was lost for the second time; its remote job is to be cancelled, and that is not possible. */
  function lostTwice(type: string): ConstructedHistory {
    const history = nextRun({ adopted: [1], lost: [1] });
    const scheduledEventId = schedules(history, 1, 'abandonJob');
    const startedEventId = history.add('ACTIVITY_TASK_STARTED', { scheduledEventId, attempt: 1 });
    const failure = { message: 'no', applicationFailureInfo: { type, nonRetryable: true } };
    history.add('ACTIVITY_TASK_FAILED', { scheduledEventId, startedEventId, retryState: 'RETRY_STATE_NON_RETRYABLE_FAILURE', failure });
    return history;
  }

  test('a lost job whose remote job cannot be cancelled does not fail the batch', async () => {
    const history = lostTwice('ContractViolation');
    history.task();
    schedules(history, 2, 'closeJob');
    await history.replay(bundle);
  });

  test('cancelled while the cancelling of a lost job was refused: that job is not forgotten', async () => {
    const history = lostTwice('Unauthorized');
    history.task();
    const gateTimer = history.add('TIMER_STARTED', { timerId: '2', startToFireTimeout: '300s' });
    history.add('WORKFLOW_EXECUTION_CANCEL_REQUESTED');
    history.task();
    history.add('TIMER_CANCELED', { timerId: '1', startedEventId: '5' });
    history.add('TIMER_CANCELED', { timerId: '2', startedEventId: gateTimer });
    const initiatedEventId = history.add('REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED', job(1));
    history.add('REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED', { ...job(1), initiatedEventId, cause: 'CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND' });
    history.task();
    history.add('TIMER_STARTED', { timerId: '3', startToFireTimeout: '600s' });
    history.add('TIMER_STARTED', { timerId: '4', startToFireTimeout: '300s' });
    schedules(history, 2, 'abandonJob');
    await history.replay(bundle);
  });

  test('a call of the batch that was refused before there was any job is made again when a probe is due', async () => {
    const history = await recordedStart('project', { createProject: true });
    history.add('ACTIVITY_TASK_FAILED', {
      scheduledEventId: '17', startedEventId: '18', retryState: 'RETRY_STATE_NON_RETRYABLE_FAILURE',
      failure: { message: 'no credits', applicationFailureInfo: { type: 'InsufficientCredit', nonRetryable: true } },
    });
    history.task();
    history.add('UPSERT_WORKFLOW_SEARCH_ATTRIBUTES');
    const startedEventId = history.add('TIMER_STARTED', { timerId: '1', startToFireTimeout: '300s' });
    history.add('TIMER_FIRED', { timerId: '1', startedEventId }, 300_000);
    history.task();
    history.add('UPSERT_WORKFLOW_SEARCH_ATTRIBUTES');
    schedules(history, 4, 'findProject');
    await history.replay(bundle);
  });
});
