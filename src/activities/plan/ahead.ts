/**
 * Works on items ahead of whoever takes the results: up to `width` at a time, results in the order of the items. Leaving early starts no
 * further item and waits for those under way. @throws what `work` throws, in its turn
 */
export async function* ahead<Item, Result>(items: Iterable<Item>, width: number, work: (item: Item) => Promise<Result>): AsyncGenerator<{ item: Item; result: Result }> {
  const underWay: { item: Item; result: Promise<Result> }[] = [];
  const queue = items[Symbol.iterator]();
  const fill = (): void => {
    while (underWay.length < width) {
      const next = queue.next();
      if (next.done) return;
      const result = work(next.value);
      // It is thrown in its turn; until then nobody listens.
      result.catch(() => undefined);
      underWay.push({ item: next.value, result });
    }
  };
  try {
    for (fill(); underWay.length > 0; fill()) {
      const { item, result } = underWay[0]!;
      const settled = await result;
      underWay.shift();
      yield { item, result: settled };
    }
  } finally {
    await Promise.allSettled(underWay.map(({ result }) => result));
  }
}
