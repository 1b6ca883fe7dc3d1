import { GroupCommit } from '../../../src/activities/upload/group-commit';

/** Writes that end when the test says so. */
class Writes {
  readonly groups: string[][] = [];
  private readonly ends: ((error?: Error) => void)[] = [];
  readonly commits = new GroupCommit<string>((group) => {
    this.groups.push(group);
    return new Promise<void>((resolve, reject) => this.ends.push((error) => (error ? reject(error) : resolve())));
  });
  async end(error?: Error): Promise<void> {
    this.ends.shift()!(error);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('GroupCommit', () => {
  test('what comes while a write is under way goes with the next one, and waits for it', async () => {
    const writes = new Writes();
    const done: string[] = [];
    const add = (item: string) => void writes.commits.add(item).then(() => done.push(item));
    for (const item of ['a', 'b', 'c']) add(item);
    expect([writes.groups, done]).toEqual([[['a']], []]);
    await writes.end();
    expect([writes.groups, done]).toEqual([[['a'], ['b', 'c']], ['a']]);
    await writes.end();
    add('d');
    await writes.end();
    expect([writes.groups.at(-1), done]).toEqual([['d'], ['a', 'b', 'c', 'd']]);
  });

  test('a write that fails is the failure of its own items only', async () => {
    const writes = new Writes();
    const outcomes = Promise.allSettled(['a', 'b', 'c'].map((item) => writes.commits.add(item)));
    await writes.end();
    await writes.end(new Error('disk full'));
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    const later = writes.commits.add('d');
    await writes.end();
    await later;
  });
});
