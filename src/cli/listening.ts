import { CliError } from './cli-error';

/** An address that this machine does not have, or may not use, is a mistake in the flags. */
export const explainAddress = (host: string | undefined) => (error: NodeJS.ErrnoException): never => {
  const wrong = ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EACCES'].includes(error.code ?? '');
  throw wrong ? new CliError({ code: 'address_unusable', message: `Cannot listen on ${host ?? '127.0.0.1'}: ${error.message}`, fix: 'Choose an address of this machine, and a port above 1023.' }) : error;
};
