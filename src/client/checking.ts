import { batchInputSchema, inputProblems, type BatchInput, type BatchInputOptions } from '../contract/batch';
import { batchIdRule, isBatchId } from '../contract/messages';
import { InvalidInputError } from './errors';
import { maxInputBytes } from './start-options';

/** The input with every default, when it and the batch id pass. @throws InvalidInputError with every problem */
export function checkInput(input: BatchInputOptions, id: string): BatchInput {
  const parsed = batchInputSchema.safeParse(input);
  const problems = parsed.success ? [] : inputProblems(parsed.error);
  if (!isBatchId(id)) problems.push({ field: 'id', message: `must have ${batchIdRule}` });
  const size = parsed.success ? Buffer.byteLength(JSON.stringify(parsed.data)) : 0;
  if (size > maxInputBytes) problems.push({ field: '(input)', message: `has ${size} bytes, at most ${maxInputBytes} are taken: put the documents into a list file` });
  if (!parsed.success || problems.length > 0) throw new InvalidInputError(problems);
  return parsed.data;
}

/** @throws InvalidInputError for what cannot be a batch id */
export function checkBatchId(batchId: string): void {
  if (!isBatchId(batchId)) throw new InvalidInputError([{ field: 'id', message: `must have ${batchIdRule}` }]);
}
