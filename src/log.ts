import { destination as openFile, pino, type DestinationStream, type Logger } from 'pino';
import type { LogLevel, LogMetadata, Logger as SdkLogger } from '@temporalio/common';
import { visibleJson } from './domain/visible-text';
import { redacted } from './redaction';

/** Meaning of the fields: see {@link createLogger}. */
export interface LogOptions {
  /** The least severe level that is written. Default `info`. */
  level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** Where lines go. Default: standard error, so that standard output stays for answers. */
  to?: DestinationStream;
  /** Secrets of this process as they are now; they are blotted out wherever they stand. Default: none. */
  secrets?: () => readonly string[];
}

/** Instead of a line that cannot be read again, and so not be looked through. */
const unreadable = (): string => JSON.stringify({ level: 50, time: new Date().toISOString(), msg: 'A line was left out: it could not be looked through for secrets.' });

/** A logger that writes JSON lines without secrets: fields by their name at any depth, and addresses, tokens and known secrets wherever they stand. */
export function createLogger({ level = 'info', to = openFile({ dest: 2, sync: true }), secrets = () => [] }: LogOptions = {}): Logger {
  const clean: DestinationStream = { write: (line) => to.write(`${visibleJson(cleaned(line, secrets))}\n`) };
  // Temporal's runtime and workers name theirs `error`; without a serializer its message would be lost.
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { error: pino.stdSerializers.err } }, clean);
}

function cleaned(line: string, secrets: () => readonly string[]): string {
  try {
    return JSON.stringify(redacted(JSON.parse(line), secrets()));
  } catch {
    return unreadable();
  }
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
