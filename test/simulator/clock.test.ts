import fc from 'fast-check';
import { Clock } from '../../src/simulator/clock';

test('a scripted clock stands still, and on its way runs what falls due at its own instant', () => {
  const clock = new Clock(true);
  const start = clock.now();
  const seen: [string, number][] = [];
  const note = (name: string) => () => seen.push([name, clock.now() - start]);
  clock.after(20, note('later'));
  clock.after(10, () => {
    note('first')();
    clock.after(5, note('made on the way'));
  });
  clock.after(10, note('same time'));
  clock.after(12, note('cancelled')).cancel();
  clock.advance(9);
  expect(seen).toEqual([]);
  clock.advance(11);
  expect(seen).toEqual([['first', 10], ['same time', 10], ['made on the way', 15], ['later', 20]]);
  expect(clock.now() - start).toBe(20);
});

test('a real clock moves by itself and can be moved', async () => {
  const clock = new Clock(false);
  const before = clock.now();
  const order: string[] = [];
  const soon = new Promise<void>((resolve) => clock.after(5, () => resolve(void order.push('soon'))));
  clock.after(3_600_000, () => order.push('in an hour'));
  await soon;
  expect(order).toEqual(['soon']);
  clock.advance(3_600_000);
  expect(order).toEqual(['soon', 'in an hour']);
  expect(clock.now() - before).toBeGreaterThanOrEqual(3_600_000);
  clock.stop();
});

test('whatever the steps, everything runs once, in order of time and then of asking', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100), { maxLength: 30 }), fc.array(fc.nat(40), { maxLength: 10 }), (delays, steps) => {
      const clock = new Clock(true);
      const ran: number[] = [];
      delays.forEach((delay, index) => clock.after(delay, () => ran.push(index)));
      steps.forEach((step) => clock.advance(step));
      clock.advance(100);
      const expected = delays.map((delay, index) => ({ delay, index })).toSorted((a, b) => a.delay - b.delay || a.index - b.index);
      expect(ran).toEqual(expected.map(({ index }) => index));
    }),
  );
});
