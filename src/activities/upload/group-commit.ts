interface Waiting<T> {
  item: T;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Writes items one write after another; those that come while one is under way are written together by the next. */
export class GroupCommit<T> {
  #waiting: Waiting<T>[] = [];
  #writing = false;

  /** @param write all or nothing */
  constructor(private readonly write: (items: T[]) => Promise<unknown>) {}

  /** Resolves once the item is written. @throws what its write threw */
  add(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#writing) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.write(group.map(({ item }) => item));
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#writing = false;
  }
}
