import fc from 'fast-check';
import { Shares } from '../../src/webhook/shares';

const [kib, mib] = [1024, 1024 * 1024];

test('one job has 64 requests in hand, and half a mebibyte', () => {
  const shares = new Shares();
  const taken = Array.from({ length: 65 }, () => shares.take('a'));
  expect(taken.filter((share) => share !== null)).toHaveLength(64);
  expect([taken[0]!.reserve(256 * kib), taken[1]!.reserve(256 * kib), taken[2]!.reserve(1)]).toEqual([true, true, false]);
  expect(shares.take('b')!.reserve(256 * kib)).toBe(true);
  taken[0]!.release();
  expect([taken[2]!.reserve(256 * kib), shares.take('a')]).toEqual([true, expect.anything()]);
});

test('all jobs together have 32 MiB', () => {
  const shares = new Shares();
  const held = Array.from({ length: 64 }, (_, job) => shares.take(`job ${job}`)!);
  expect(held.map((share) => share.reserve(mib / 2)).includes(false)).toBe(false);
  const one = shares.take('one more')!;
  expect(one.reserve(1)).toBe(false);
  held[7]!.release();
  expect(one.reserve(mib / 2)).toBe(true);
});

test('whatever is taken and given back in whatever order: never more than allowed, and in the end all is there again', () => {
  const step = fc.record({ job: fc.nat(3), bytes: fc.nat(300 * kib), release: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const shares = new Shares();
      const held: { job: number; bytes: number; release: () => void }[] = [];
      for (const { job, bytes, release } of steps) {
        const share = shares.take(String(job));
        if (share) held.push({ job, bytes: share.reserve(bytes) ? bytes : 0, release: share.release });
        if (release) held.shift()?.release();
        const of = (wanted: number) => held.filter((one) => one.job === wanted);
        expect(of(job).length).toBeLessThanOrEqual(64);
        expect(of(job).reduce((sum, one) => sum + one.bytes, 0)).toBeLessThanOrEqual(mib / 2);
      }
      for (const { release } of held) release();
      for (const job of ['0', '1', '2', '3']) expect(shares.take(job)!.reserve(mib / 2)).toBe(true);
    }),
  );
});
