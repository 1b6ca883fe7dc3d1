import { existsSync } from 'node:fs';
import { FolderStore } from '../store/folder';
import { UnknownBatchError, verifyBatch, type VerifyProgress, type VerifyReport } from '../verify';
import { batchIdRule, isBatchId } from '../contract/messages';
import { visibleText } from '../domain/visible-text';
import { CliError } from './cli-error';
import { exitCodes } from './exit-codes';
import type { Output } from './output';
import { commandConfig } from './session';
import { StatusLine } from './status-line';
import { bytesText, counted } from './text';

/** Problems that people see; programs get all. */
const shownProblems = 100;

/** `verify ID`: re-reads a batch in the archive; needs neither Temporal nor a key. */
export async function verify(batchId: string, flags: { archive?: string }, output: Output): Promise<number> {
  if (!isBatchId(batchId)) throw new CliError({ code: 'invalid_input', message: `A batch id has ${batchIdRule}.` });
  const store = new FolderStore(commandConfig(['archive'], flags).archive, { blockingReads: true });
  const line = new StatusLine(output);
  const onProgress = ({ files, bytes }: VerifyProgress) => line.say(() => `read ${counted(files, 'file')}, ${bytesText(bytes)}`);
  const report = await verifyBatch(store, batchId, { onProgress }).catch((error: unknown) => {
    if (!(error instanceof UnknownBatchError)) throw error;
    if (!existsSync(store.location)) throw new CliError({ code: 'archive_unavailable', message: `The archive ${store.location} is not there.`, fix: 'Mount its disk, or name another folder with PLANGREP_ARCHIVE or --archive.' });
    throw new CliError({ code: 'batch_not_found', message: `The archive ${store.location} holds no batch ${batchId}.`, fix: 'Check the id, and PLANGREP_ARCHIVE or --archive.' });
  });
  line.clear();
  output.answer(report, reportText(report));
  return report.ok ? exitCodes.ok : exitCodes.failed;
}

function reportText(report: VerifyReport): string {
  const { batchId, problems } = report;
  const found = problems.slice(0, shownProblems).map(({ code, path, message }) => `  ${code.padEnd(10)}  ${visibleText(path)}: ${visibleText(message)}`);
  const more = problems.length - found.length;
  const read = `${counted(report.documents, 'document')}, ${counted(report.files, 'file')}, ${bytesText(report.bytes)}`;
  const verdict = report.ok ? `Batch ${batchId} is complete and undamaged: ${read}.` : `Batch ${batchId} has ${counted(problems.length, 'problem')}; read ${read}.`;
  return [verdict, ...found, ...(more > 0 ? [`  and ${more} more: see --json`] : [])].join('\n');
}
