/**
 * BodyReaders: who is reading which snapshot's body, so that it stays until the last of them is done.
 *
 * A body may be dropped, or another may arrive in its place, while it is restored from or sent to a follower. Not here: what it means for a
 * body to go.
 */

export class BodyReaders {
  readonly #counts = new Map<string, number>();
  readonly #afterwards = new Map<string, () => Promise<void>>();

  /** Passes `body` through; from the first piece asked for until the end, or until nobody asks any more, `key` is being read. */
  async *read<T>(key: string, body: AsyncIterable<T>): AsyncGenerator<T> {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    try {
      yield* body;
    } finally {
      await this.#ended(key);
    }
  }

  reads(key: string): boolean {
    return this.#counts.has(key);
  }

  /** Runs `work` when the last reader of `key` ends; false, and nothing is done, where there is none. */
  afterwards(key: string, work: () => Promise<void>): boolean {
    if (!this.reads(key)) return false;
    this.#afterwards.set(key, work);
    return true;
  }

  async #ended(key: string): Promise<void> {
    const left = (this.#counts.get(key) ?? 1) - 1;
    if (left > 0) {
      this.#counts.set(key, left);
      return;
    }
    this.#counts.delete(key);
    const work = this.#afterwards.get(key);
    this.#afterwards.delete(key);
    await work?.();
  }
}
