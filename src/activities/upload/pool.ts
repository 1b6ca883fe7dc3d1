/**
 * Runs `work` for each item, at most `width` at a time; takes an item only when there is room for it. After a failure no further item
 * starts, but those under way end first: cutting them off would only send their bytes again. @throws the first failure
 */
export async function runPool<T>(items: Iterable<T> | AsyncIterable<T>, width: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const failures: unknown[] = [];
  const lane = async () => {
    try {
      for (let next = await queue.next(); !next.done && failures.length === 0; next = await queue.next()) await work(next.value);
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  if (failures.length === 0) return;
  await queue.return?.();
  throw failures[0];
}
