/** An answer other than 2xx: status, and the `{error: {code, message}}` body of the documentation. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

/** The call is not possible in the state that the job or project is in. */
export const invalidState = (message: string): ApiError => new ApiError(409, 'invalid_state', message);
/** The request itself is wrong. */
export const invalidRequest = (message: string): ApiError => new ApiError(400, 'invalid_request', message);
/** There is no such thing, or there is none any more. */
export const notFound = (what: string): ApiError => new ApiError(404, 'not_found', `There is no such ${what}.`);
/** More than a job takes. */
export const overLimit = (message: string): ApiError => new ApiError(413, 'limit_exceeded', message);
