/**
 * AppliedBytes: how many bytes of applied entries lie behind any index, without keeping a number for each.
 *
 * A mark is set every so many bytes; between two marks the answer is that of the one below, so it is at most one step, or one entry,
 * too much. Pure.
 */
import { memoryBytes } from "../core/entries.js";
import type { Entry, Index } from "../core/types.js";

interface Mark {
  readonly index: Index;
  /** Bytes of all entries up to `index`, those forgotten included. */
  readonly total: number;
}

export class AppliedBytes {
  readonly #step: number;
  /** Ascending; the first is where the log begins. */
  #marks: Mark[];
  #last: Mark;

  /** @param begin  the index before the first entry @param step  bytes between two marks */
  constructor(begin: Index, step: number) {
    this.#step = step;
    this.#last = { index: begin, total: 0 };
    this.#marks = [this.#last];
  }

  /** The last entry counted. */
  get index(): Index {
    return this.#last.index;
  }

  add(entry: Entry): void {
    this.#last = { index: entry.index, total: this.#last.total + memoryBytes(entry) };
    const marked = this.#marks[this.#marks.length - 1]?.total ?? 0;
    if (this.#last.total - marked >= this.#step) this.#marks.push(this.#last);
  }

  /** Bytes of all entries counted, those forgotten included. */
  get total(): number {
    return this.#last.total;
  }

  /** Bytes of the entries up to `index`, as far as that is known: at most that many. */
  totalAt(index: Index): number {
    return this.#markAt(index).total;
  }

  /** Bytes of the entries counted and not forgotten. */
  get kept(): number {
    return this.total - (this.#marks[0] as Mark).total;
  }

  /** Entries up to `index` are in memory no more. */
  forget(index: Index): void {
    const begin = this.#markAt(index);
    this.#marks = [begin, ...this.#marks.filter((mark) => mark.index > begin.index)];
  }

  /** The last mark at or below `index`; the first one where there is none. */
  #markAt(index: Index): Mark {
    if (index >= this.#last.index) return this.#last;
    let [low, high] = [0, this.#marks.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#marks[middle] as Mark).index <= index) low = middle;
      else high = middle - 1;
    }
    return this.#marks[low] as Mark;
  }
}
