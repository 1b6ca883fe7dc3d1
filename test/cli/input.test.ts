import { Command } from 'commander';
import { CliError } from '../../src/cli/cli-error';
import { inputOf } from '../../src/cli/input';
import { addInputFlags, type InputFlags } from '../../src/cli/input-flags';
import { batchInputSchema } from '../../src/contract/batch';

const source = { folder: '/data' };

describe('inputOf', () => {
  it('is an input with every default when no flag is given', () => {
    const input = inputOf(source, 'Tower', {});
    expect(batchInputSchema.parse(input)).toEqual(batchInputSchema.parse({ project: 'Tower', source }));
  });

  it('takes every flag', () => {
    const input = inputOf(source, 'Tower', {
      createProject: true, classify: ['specs/**=specifications', 'a=b/**=plans'], maxConcurrentJobs: 2, maxFiles: 10, maxBytes: 100, maxPages: 5, upload: 'form', priority: 1, tenant: 'ann', label: ['k=v=w'],
      maxCredits: 100, retryFailed: 0, retryPartial: true, splitFailed: false, skipProcessed: true, probe: false,
    });
    expect(batchInputSchema.parse(input)).toMatchObject({
      createProject: true,
      classify: [{ glob: 'specs/**', classification: 'specifications' }, { glob: 'a=b/**', classification: 'plans' }],
      limits: { maxFiles: 10, maxBytes: 100, maxPages: 5 },
      maxConcurrentJobs: 2,
      upload: 'form',
      priority: 1,
      tenant: 'ann',
      labels: { k: 'v=w' },
      maxCredits: 100,
      retryFailedDocuments: 0,
      retryPartialDocuments: true,
      splitFailedJobs: false,
      skipProcessed: true,
      probe: false,
    });
  });

  it.each([[{ label: ['nothing'] }], [{ label: ['=v'] }], [{ classify: ['specs='] }]])('refuses %j', (flags) => {
    expect(() => inputOf(source, 'Tower', flags)).toThrow(CliError);
  });
});

describe('flags of a command line', () => {
  const parsed = (...argv: string[]) => addInputFlags(new Command()).parse(argv, { from: 'user' }).opts<InputFlags>();

  it.each<[string[], object]>([
    [[], { splitFailedJobs: true, probe: true, retryFailedDocuments: 1, retryPartialDocuments: false, skipProcessed: false }],
    [['--split-failed'], { splitFailedJobs: true }],
    [['--no-split-failed', '--no-probe', '--retry-failed', '3'], { splitFailedJobs: false, probe: false, retryFailedDocuments: 3 }],
    [['--retry-partial', '--skip-processed', '--max-credits', '7'], { retryPartialDocuments: true, skipProcessed: true, maxCredits: 7 }],
  ])('%j', (argv, fields) => expect(batchInputSchema.parse(inputOf(source, 'Tower', parsed(...argv)))).toMatchObject(fields));
});
