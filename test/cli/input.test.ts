import { CliError } from '../../src/cli/cli-error';
import { inputOf } from '../../src/cli/input';
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
    });
  });

  it.each([[{ label: ['nothing'] }], [{ label: ['=v'] }], [{ classify: ['specs='] }]])('refuses %j', (flags) => {
    expect(() => inputOf(source, 'Tower', flags)).toThrow(CliError);
  });
});
