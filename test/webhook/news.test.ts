import fc from 'fast-check';
import { dueAt, longestIntervalMs, newChannel, newsOf, onDue, onNews, onSent, signalIntervalMs, type Channel } from '../../src/webhook/news';

const at = (updatedAt: string | null) => ({ status: 'failed', updatedAt });

describe('newsOf', () => {
  test.each(['provisioning', 'awaiting_uploads', 'uploading', 'preflighting', 'processing'])('%s is no news', (status) => {
    expect(newsOf({ status, updatedAt: '2026-01-01T00:00:00Z' })).toBeNull();
  });

  test.each(['completed', 'completed_with_errors', 'failed', 'cancelled', 'expired', 'blocked_insufficient_credits', 'paused_by_moon'])('%s is', (status) => {
    expect(newsOf({ status, updatedAt: 'then' })).toEqual({ status, updatedAt: 'then' });
  });

  test('so is what cannot be read, and endless texts go no further', () => {
    expect([null, { status: null, updatedAt: null }, { status: 'x'.repeat(65), updatedAt: 'y'.repeat(65) }].map(newsOf)).toEqual(Array(3).fill({ status: null, updatedAt: null }));
  });

  test.each(['\u001b[2J', 'done\nlevel=50', 'done now', '\ud800', '<b>', '..', '__proto__ ', 'ünknown'])('a status that is no word, %j, goes into no history', (status) => {
    expect(newsOf({ status, updatedAt: '2026-01-01T00:00:00.5+01:00' })).toEqual({ status: null, updatedAt: '2026-01-01T00:00:00.5+01:00' });
    expect(newsOf({ status: 'failed', updatedAt: `${status} \t` })).toEqual({ status: 'failed', updatedAt: null });
  });
});

describe('a channel', () => {
  const sent = onSent(onNews(newChannel, at('1'), 0).channel, 'sent', 5);

  test('sends the first news, drops its repeat, and holds later news back for ten seconds', () => {
    expect(onNews(newChannel, at('1'), 0).verdict).toBe('send');
    expect(onNews(sent, at('1'), 99_999)).toEqual({ channel: sent, verdict: 'drop' });
    const { channel, verdict } = onNews(sent, at('2'), 100);
    expect([verdict, dueAt(channel)]).toEqual(['wait', 5 + signalIntervalMs]);
    expect(onDue(channel)).toMatchObject({ sending: at('2'), waiting: null });
    expect(onNews(sent, at('2'), 5 + signalIntervalMs).verdict).toBe('send');
  });

  test('what has no time is never taken for a repeat', () => {
    const untimed = onSent(onNews(newChannel, at(null), 0).channel, 'sent', 0);
    expect([onNews(untimed, at(null), 1).verdict, onNews(untimed, at(null), signalIntervalMs).verdict]).toEqual(['wait', 'send']);
  });

  test('a repeat of what is under way shares its fate; other news waits for it', () => {
    const sending = onNews(newChannel, at('1'), 0).channel;
    expect(onNews(sending, at('1'), 0).verdict).toBe('join');
    const { channel, verdict } = onNews(sending, at('2'), 0);
    expect([verdict, dueAt(channel)]).toEqual(['wait', null]);
    expect(dueAt(onSent(channel, 'sent', 7))).toBe(7 + signalIntervalMs);
    expect(onSent(onNews(sending, at('1'), 0).channel, 'sent', 0).waiting).toBeNull();
  });

  test('what failed counts as not sent: it is tried again, at once when it comes again', () => {
    const failed = onSent(onNews(newChannel, at('1'), 0).channel, 'failed', 50);
    expect([failed.told, failed.waiting, dueAt(failed)]).toEqual([[], at('1'), 1050]);
    expect(onNews(failed, at('1'), 60).verdict).toBe('send');
    const again = onSent(onDue(failed), 'failed', 1050);
    expect(dueAt(again)).toBe(3050);
    expect(dueAt({ ...again, failures: 50 })).toBe(1050 + 30_000);
  });

  test('of a workflow that is over nothing counts as sent, and it is asked as seldom as one that runs', () => {
    const gone = onSent(onNews(onNews(newChannel, at('1'), 0).channel, at('2'), 0).channel, 'gone', 5);
    expect(gone).toMatchObject({ told: [], sending: null, waiting: null });
    const { channel, verdict } = onNews(gone, at('1'), 100);
    expect([verdict, dueAt(channel)]).toEqual(['wait', 5 + signalIntervalMs]);
  });

  test('old webhooks in turns are repeats, too', () => {
    let channel = newChannel;
    for (const [index, updatedAt] of ['1', '2', '3'].entries()) channel = onSent(onNews(channel, at(updatedAt), index * 1_000_000).channel, 'sent', index * 1_000_000);
    for (const updatedAt of ['1', '2', '3', '1', '2']) expect(onNews(channel, at(updatedAt), 9_000_000).verdict).toBe('drop');
  });

  test('while news keep coming the time between two signals doubles, up to ten minutes, and a day has few; a calm makes it short again', () => {
    const dayMs = 86_400_000;
    const sends: number[] = [];
    let channel = newChannel;
    let number = 0;
    // Each second another change; what waits is sent as soon as it may be.
    for (let now = 0; now < dayMs; now += 1000) {
      if ((dueAt(channel) ?? Infinity) <= now) {
        sends.push(now);
        channel = onSent(onDue(channel), 'sent', now);
      }
      const heard = onNews(channel, at(String(number++)), now);
      if (heard.verdict === 'send') sends.push(now);
      channel = heard.verdict === 'send' ? onSent(heard.channel, 'sent', now) : heard.channel;
    }
    expect(sends.slice(0, 9)).toEqual([0, 10_000, 30_000, 70_000, 150_000, 310_000, 630_000, 1_230_000, 1_830_000]);
    expect(sends.length).toBeLessThanOrEqual(dayMs / longestIntervalMs + 7);
    const calm = { ...channel, waiting: null };
    const later = dayMs + 2 * longestIntervalMs;
    const again = onSent(onNews(calm, at('later'), later).channel, 'sent', later);
    expect(dueAt(onNews(again, at('and again'), later + 1).channel)).toBe(later + signalIntervalMs);
  });
});

/** Something that happens `after` the last thing: news of a time, and how the next attempt to tell ends, and how long it takes. */
interface Happening {
  after: number;
  updatedAt: string | null;
  ends: 'sent' | 'failed';
  takes: number;
}
interface Told {
  start: number;
  end: number;
  updatedAt: string | null;
}

/** Runs a channel by a clock of its own, as the signaller does, until nothing waits any more. After the last happening every attempt succeeds. */
class Run {
  channel: Channel = newChannel;
  now = 0;
  readonly told: Told[] = [];
  #under: { ends: 'sent' | 'failed'; end: number; start: number } | null = null;
  #plan: Pick<Happening, 'ends' | 'takes'> = { ends: 'sent', takes: 0 };

  /** Time passes, with all that falls due in it. */
  until(time: number): void {
    for (;;) {
      const due = this.#under ? this.#under.end : dueAt(this.channel);
      if (due === null || due > time) break;
      this.now = Math.max(this.now, due);
      if (this.#under) this.#ended(this.#under);
      else {
        this.channel = onDue(this.channel);
        this.#begin();
      }
    }
    this.now = Math.max(this.now, time === Infinity ? 0 : time);
  }

  news({ updatedAt, ends, takes }: Omit<Happening, 'after'>): string {
    this.#plan = { ends, takes };
    const { channel, verdict } = onNews(this.channel, at(updatedAt), this.now);
    this.channel = channel;
    if (verdict === 'send') this.#begin();
    return verdict;
  }

  recover(): void {
    this.#plan = { ends: 'sent', takes: 0 };
  }

  #begin(): void {
    const { ends, takes } = this.#plan;
    this.#under = { ends, start: this.now, end: this.now + takes };
  }

  #ended({ ends, start }: { ends: 'sent' | 'failed'; start: number }): void {
    if (ends === 'sent') this.told.push({ start, end: this.now, updatedAt: this.channel.sending!.updatedAt });
    this.channel = onSent(this.channel, ends, this.now);
    this.#under = null;
  }
}

const happening: fc.Arbitrary<Happening> = fc.record({
  after: fc.oneof(fc.nat(50), fc.nat(15_000)),
  updatedAt: fc.option(fc.constantFrom('1', '2', '3')),
  ends: fc.constantFrom('sent' as const, 'failed' as const),
  takes: fc.oneof(fc.constant(0), fc.nat(4_000)),
});

test('whatever comes in whatever order: nothing is told twice within ten seconds, and nothing is lost', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), (happenings) => {
      const run = new Run();
      const arrivals: { at: number; updatedAt: string | null }[] = [];
      for (const { after, ...news } of happenings) {
        run.until(run.now + after);
        arrivals.push({ at: run.now, updatedAt: news.updatedAt });
        run.news(news);
      }
      run.recover();
      run.until(Infinity);
      run.told.forEach(({ start }, index) => index > 0 && expect(start - run.told[index - 1]!.end).toBeGreaterThanOrEqual(signalIntervalMs));
      // Told of it, or of something later: the workflow looks at the job after each of them.
      for (const { at: arrived, updatedAt } of arrivals) {
        expect(run.told.some((told) => told.start >= arrived || (updatedAt !== null && told.updatedAt === updatedAt))).toBe(true);
      }
      expect(run.channel).toMatchObject({ sending: null, waiting: null });
      expect(run.told.length).toBeLessThanOrEqual(arrivals.length);
    }),
    { numRuns: 500 },
  );
});
