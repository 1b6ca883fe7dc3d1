import { InvalidInputError } from '../client/errors';
import { batchInputSchema, inputProblems, type BatchInputOptions } from '../contract/batch';
import { batchIdRule, isBatchId } from '../contract/messages';
import { inputOf } from './input';
import type { InputFlags } from './input-flags';
import { checkSource } from './source';

/** The input behind SOURCE and flags. @throws CliError, InvalidInputError */
export async function checkedInput(argument: string, project: string, flags: InputFlags, archive: string | null): Promise<BatchInputOptions> {
  const input = inputOf(await checkSource(argument, flags, archive), project, flags);
  const { error } = batchInputSchema.safeParse(input);
  const problems = error ? inputProblems(error) : [];
  if (flags.id !== undefined && !isBatchId(flags.id)) problems.push({ field: 'id', message: `must have ${batchIdRule}` });
  if (problems.length > 0) throw new InvalidInputError(problems);
  return input;
}
