import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What `pdfinfo` says of a document: its pages, that it needs a password, or that it cannot read it. */
export type PdfinfoAnswer = number | 'encrypted' | 'error';

/** Asks `pdfinfo`, which has to be there (see scripts/system-tools). */
export async function askPdfinfo(path: string): Promise<PdfinfoAnswer> {
  try {
    const { stdout } = await run('pdfinfo', [path], { encoding: 'latin1', maxBuffer: 64 * 2 ** 20 });
    const pages = /^Pages:\s+(\d+)$/m.exec(stdout)?.[1];
    return pages === undefined ? 'error' : Number(pages);
  } catch (error) {
    return (error as { stderr?: string }).stderr?.includes('Incorrect password') ? 'encrypted' : 'error';
  }
}
