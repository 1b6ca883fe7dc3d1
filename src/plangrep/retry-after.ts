const longestMs = 24 * 60 * 60 * 1000;
const seconds = /^\d{1,9}(\.\d{1,3})?$/;
// The three forms that HTTP allows; Date.parse alone takes far more for a date than anyone means by one.
const fixdate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const rfc850 = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

function instant(text: string): number {
  if (asctime.test(text)) return Date.parse(`${text} GMT`);
  return fixdate.test(text) || rfc850.test(text) ? Date.parse(text) : NaN;
}

type Header = string | string[] | undefined;
const textOf = (header: Header): string => (Array.isArray(header) ? header[0] : header)?.trim() ?? '';

/**
 * Delay that a `Retry-After` header asks for, in ms. Null when there is none, or when it is neither seconds nor an
 * HTTP date, lies in the past, or is above 24 h: then the caller's own backoff is the better guess.
 * @param date the answer's `Date` header: a date is understood by the clock of whoever gave it, since ours may differ by hours
 */
export function parseRetryAfter(header: Header, nowMs: number, date?: Header): number | null {
  const text = textOf(header);
  const theirNowMs = instant(textOf(date));
  const delayMs = seconds.test(text) ? Math.ceil(Number(text) * 1000) : instant(text) - (Number.isNaN(theirNowMs) ? nowMs : theirNowMs);
  return delayMs >= 0 && delayMs <= longestMs ? delayMs : null;
}
