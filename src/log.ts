import { destination as openFile, pino, type DestinationStream, type Logger } from 'pino';
import { visibleJson } from './domain/visible-text';
import type { LogLevel, LogMetadata, Logger as SdkLogger } from '@temporalio/common';

/** Fields that hold a secret under any parent; their values never reach a line. */
const secretFields = [
  'apiKey', 'authorization', 'secretKey', 'webhookSigningSecret', 'signingSecret', 'uploadToken', 'uploadUrl', 'url', 'resultUrl', 'signedUrl',
  'headers', 'parts', 'body',
];
const paths = secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`, `*.*.*.${field}`]);

/** What a signature, token or key looks like inside any text: the query of an address, and a bearer token. */
const secretText: [RegExp, string][] = [
  [/(https?:\/\/[^\s"'?\\<>]+)\?[^\s"'\\<>]*/gi, '$1?[secret]'],
  [/(https?:\/\/)[^\s"'/@\\<>]+@/gi, '$1[secret]@'],
  [/(bearer\s+)[^\s"'\\,]+/gi, '$1[secret]'],
];

/** The text without the queries of its addresses, which is where signed ones keep their signature, and without bearer tokens. */
export const withoutSecrets = (text: string): string => secretText.reduce((clean, [pattern, instead]) => clean.replace(pattern, instead), text);

/** Meaning of the fields: see {@link createLogger}. */
export interface LogOptions {
  /** The least severe level that is written. Default `info`. */
  level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** Where lines go. Default: standard error, so that standard output stays for answers. */
  to?: DestinationStream;
}

/** A logger that writes JSON lines without secrets: known fields by name, and addresses and tokens wherever they stand. */
export function createLogger({ level = 'info', to = openFile({ dest: 2, sync: true }) }: LogOptions = {}): Logger {
  const clean: DestinationStream = { write: (line) => to.write(visibleJson(withoutSecrets(line))) };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: { paths, censor: '[secret]' } }, clean);
}

const sdkLevels: Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'> = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' };

/** Our logger as Temporal's runtime and workers take it. */
export function forTemporal(logger: Logger): SdkLogger {
  const write = (level: LogLevel, message: string, meta?: LogMetadata) => logger[sdkLevels[level]](meta ?? {}, message);
  return {
    log: write,
    trace: (message, meta) => write('TRACE', message, meta),
    debug: (message, meta) => write('DEBUG', message, meta),
    info: (message, meta) => write('INFO', message, meta),
    warn: (message, meta) => write('WARN', message, meta),
    error: (message, meta) => write('ERROR', message, meta),
  };
}
