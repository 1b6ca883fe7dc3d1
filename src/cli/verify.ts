import { verifyBatch } from '../verify';
import { batchFolder } from '../contract/keys';
import { batchIdRule, isBatchId } from '../contract/messages';
import { FolderStore } from '../store/folder';
import { CliError } from './cli-error';
import { exitCodes } from './exit-codes';
import type { Output } from './output';
import { commandConfig } from './session';
import { bytesText, counted } from './text';

/** Problems that people see; programs get all. */
const shownProblems = 100;

/** `verify ID`: re-reads a batch in the archive; needs neither Temporal nor a key. */
export async function verify(batchId: string, flags: { archive?: string }, output: Output): Promise<number> {
  if (!isBatchId(batchId)) throw new CliError({ code: 'invalid_input', message: `A batch id has ${batchIdRule}.` });
  const store = new FolderStore(commandConfig(['archive'], flags).archive);
  if (!(await isThere(store, batchId))) {
    throw new CliError({ code: 'batch_not_found', message: `The archive ${store.location} holds no batch ${batchId}.`, fix: 'Check the id, and PLANGREP_ARCHIVE or --archive.' });
  }
  const report = await verifyBatch(store, batchId, {});
  const found = report.problems.slice(0, shownProblems).map(({ code, path, message }) => `  ${code.padEnd(10)}  ${path}: ${message}`);
  const more = report.problems.length - found.length;
  const read = `${counted(report.documents, 'document')}, ${counted(report.files, 'file')}, ${bytesText(report.bytes)}`;
  const verdict = report.ok ? `Batch ${batchId} is complete and undamaged: ${read}.` : `Batch ${batchId} has ${counted(report.problems.length, 'problem')}; read ${read}.`;
  output.answer(report, [verdict, ...found, ...(more > 0 ? [`  and ${more} more: see --json`] : [])].join('\n'));
  return report.ok ? exitCodes.ok : exitCodes.failed;
}

async function isThere(store: FolderStore, batchId: string): Promise<boolean> {
  for await (const object of store.list(batchFolder(batchId))) return Boolean(object);
  return false;
}
