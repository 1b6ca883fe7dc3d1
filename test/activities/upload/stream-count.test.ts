import fc from 'fast-check';
import { StreamCount } from '../../../src/activities/upload/stream-count';

const windowMs = 2_000;
const stepMs = 100;

/** Storage that gives each stream the same rate until `knee` of them have all there is, and that is too busy for more than `busyAbove`. */
class Storage {
  readonly count: StreamCount;
  private clock = 0;

  constructor(
    public knee: number,
    public busyAbove = Infinity,
    start = 8,
  ) {
    this.count = new StreamCount({ start, windowMs, now: () => this.clock });
  }

  /** Sends for so many windows with as many streams as are allowed, at most `demand`; the number allowed at each step. */
  send(windows: number, { demand = 16, noise = (): number => 1 } = {}): number[] {
    return Array.from({ length: (windows * windowMs) / stepMs }, () => {
      const streams = Math.min(this.count.value, demand);
      this.count.runs(streams);
      this.clock += stepMs;
      if (streams > this.busyAbove) this.count.congested();
      this.count.moved(Math.min(streams, this.knee) * 1_000 * stepMs * noise());
      return this.count.value;
    });
  }
}

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('StreamCount', () => {
  test('finds the streams that storage has room for, from wherever it starts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 16 }), (knee, start) => {
        const storage = new Storage(knee, Infinity, start);
        storage.send(32);
        expect(Math.max(...storage.send(20).map((streams) => Math.abs(streams - knee)))).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('and nearly so when rates go up and down', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.infiniteStream(fc.double({ min: 0.8, max: 1.2, noNaN: true })), (knee, factors) => {
        const storage = new Storage(knee);
        const noise = () => factors.next().value as number;
        storage.send(20, { noise });
        expect(Math.abs(mean(storage.send(60, { noise })) - knee)).toBeLessThanOrEqual(2.5);
      }),
      { numRuns: 20 },
    );
  });

  test('follows a storage that becomes slower, or faster', () => {
    const storage = new Storage(12);
    storage.send(32);
    storage.knee = 3;
    storage.send(32);
    expect(Math.abs(mean(storage.send(20)) - 3)).toBeLessThanOrEqual(1);
    storage.knee = 12;
    storage.send(32);
    expect(Math.abs(mean(storage.send(20)) - 12)).toBeLessThanOrEqual(1);
  });

  test('congestion halves it, once an event, and it recovers', () => {
    const storage = new Storage(16);
    storage.send(32);
    const before = storage.count.value;
    for (let failure = 0; failure < before; failure += 1) storage.count.congested();
    expect(storage.count.value).toBe(Math.floor(before / 2));
    storage.send(32);
    expect(storage.count.value).toBeGreaterThanOrEqual(15);
  });

  test('a storage that refuses more streams than it likes is not pressed for long', () => {
    const storage = new Storage(16, 6);
    storage.send(10);
    const seen = storage.send(100);
    expect(Math.max(...seen)).toBeLessThanOrEqual(7);
    expect(mean(seen)).toBeGreaterThan(3);
  });

  test('little work says nothing', () => {
    const storage = new Storage(2);
    expect(new Set(storage.send(50, { demand: 3 }))).toEqual(new Set([8]));
  });

  test('is from 1 to its bound whatever happens', () => {
    const event = fc.oneof(
      fc.constant(['congested', 0] as const),
      fc.tuple(fc.constant('runs' as const), fc.integer({ min: 0, max: 20 })),
      fc.tuple(fc.constant('moved' as const), fc.integer({ min: 0, max: 1e9 })),
      fc.tuple(fc.constant('later' as const), fc.integer({ min: 0, max: 1e7 })),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 16 }), fc.array(event, { maxLength: 100 }), (most, start, events) => {
        let clock = 0;
        const seen: number[] = [];
        const count = new StreamCount({ most, start, now: () => clock });
        for (const [what, number] of events) {
          if (what === 'later') clock += number;
          else if (what === 'congested') count.congested();
          else count[what](number);
          seen.push(count.value);
        }
        expect(Math.min(1, ...seen)).toBe(1);
        expect(Math.max(...seen, 1)).toBeLessThanOrEqual(most);
      }),
    );
  });
});
