/** Statuses after which a job never changes again (/guides/polling-and-webhooks). */
export const terminalStatuses = ['completed', 'completed_with_errors', 'failed', 'cancelled', 'expired'] as const;
/** See {@link terminalStatuses}. */
export type TerminalStatus = (typeof terminalStatuses)[number];

/** Whether a job is over. An unknown status is not: the job is read again until its deadline. */
export const isTerminal = (status: string): status is TerminalStatus => (terminalStatuses as readonly string[]).includes(status);

/** Whether files may be sent. A job that is still being set up may not take them yet (/api-reference/jobs/create-job). */
export const takesUploads = (status: string): boolean => status === 'awaiting_uploads' || status === 'uploading';

/** Whether a result exists: only these two have one (/api-reference/jobs/get-job-result). */
export const hasResult = (status: string): boolean => status === 'completed' || status === 'completed_with_errors';
