import { JobSecrets } from '../../src/webhook/job-secrets';

const now = performance.now.bind(performance);
const later = (ms: number): void => {
  jest.spyOn(performance, 'now').mockImplementation(() => now() + ms);
};
afterEach(() => jest.restoreAllMocks());

test('a flood of forgeries costs one check each, and one look every two seconds in case the secret was replaced', async () => {
  let reads = 0;
  const checked: string[] = [];
  const secrets = new JobSecrets(async () => `secret ${(reads += 1) > 2 ? 'new' : 'old'}`);
  const forged = (secret: string): boolean => checked.push(secret) < 0;
  const flood = () => Promise.all(Array.from({ length: 100 }, () => secrets.passes('a', forged)));
  expect(new Set(await flood())).toEqual(new Set([false]));
  expect([reads, checked.length]).toEqual([1, 100]);
  later(2_001);
  await flood();
  // The secret is the same: what did not fit it before does not now.
  expect([reads, checked.length]).toEqual([2, 200]);
  later(4_002);
  await flood();
  expect([reads, checked.filter((secret) => secret === 'secret new').length]).toEqual([3, 100]);
});

test('many who ask at once share one look, and what went wrong is asked anew', async () => {
  let reads = 0;
  let up = false;
  const secrets = new JobSecrets(async () => {
    reads += 1;
    if (!up) throw new Error('down');
    return null;
  });
  const all = await Promise.allSettled(Array.from({ length: 50 }, () => secrets.passes('a', () => false)));
  expect([reads, new Set(all.map(({ status }) => status))]).toEqual([1, new Set(['rejected'])]);
  up = true;
  expect([await secrets.passes('a', () => false), reads]).toEqual([true, 2]);
});
