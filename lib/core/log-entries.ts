/**
 * LogEntries: the entries in memory, each at its index, and index and term of the one before them.
 *
 * One array, so that any entry and any term is one step away. Not here: which of them are committed, durable or applied (log.ts).
 */
import { assert } from "../base/assert.js";
import { encodedBytes, encodedBytesOf, memoryBytes } from "./entries.js";
import { TermRuns } from "./term-runs.js";
import type { Entry, Index, Term } from "./types.js";

const noEntries: readonly Entry[] = [];
const notCounted = -1;

/** The entry before the first in memory: that of the snapshot or the compaction, or (0, 0). */
export interface LogBase {
  readonly index: Index;
  readonly term: Term;
}

export class LogEntries {
  #entries: Entry[] = [];
  #baseIndex = 0;
  #baseTerm: Term = 0;
  #terms: TermRuns;
  #memory = 0;
  /** The last slice: the same is asked for by each follower, to be written and to be applied. */
  #sliced: readonly Entry[] = noEntries;
  #slicedBytes = 0;

  constructor(base: LogBase, entries: readonly Entry[]) {
    this.#terms = new TermRuns(base);
    this.reset(base);
    this.append(entries, 0);
    // The list is the caller's.
    this.#forgetSlice();
  }

  get firstIndex(): Index {
    return this.#baseIndex + 1;
  }

  get lastIndex(): Index {
    return this.#baseIndex + this.#entries.length;
  }

  get lastTerm(): Term {
    if (this.#entries.length === 0) return this.#baseTerm;
    return (this.#entries[this.#entries.length - 1] as Entry).term;
  }

  /** Bytes the entries occupy, roughly. */
  get memory(): number {
    return this.#memory;
  }

  #position(index: Index): number {
    return index - this.#baseIndex - 1;
  }

  /** The term of the entry at `index`; undefined if it was compacted or is not there yet. */
  term(index: Index): Term | undefined {
    const at = this.#position(index);
    if (at >= 0 && at < this.#entries.length) return (this.#entries[at] as Entry).term;
    return at === -1 ? this.#baseTerm : undefined;
  }

  at(index: Index): Entry | undefined {
    const at = this.#position(index);
    return at >= 0 && at < this.#entries.length ? this.#entries[at] : undefined;
  }

  /**
   * The highest index at or below `index` whose term is at most `term`, and that term; 0 where it is not known, which is beyond the end
   * and before the beginning.
   */
  lastAtMost(index: Index, term: Term): LogBase {
    if (index > this.lastIndex || index < this.#baseIndex) return { index, term: 0 };
    const found = this.#terms.lastAtMost(index, term);
    return found ?? { index: Math.max(0, this.#baseIndex - 1), term: 0 };
  }

  /**
   * Entries in [from, to), at most `bytesMax` encoded bytes of them but at least one. The array is shared: never write to it.
   * The caller asks for nothing that was compacted.
   */
  slice(from: Index, to: Index, bytesMax: number): readonly Entry[] {
    if (from >= to) return noEntries;
    assert(from >= this.firstIndex && to <= this.lastIndex + 1, "slice outside of the log", {
      from,
      to,
      first: this.firstIndex,
      last: this.lastIndex,
    });
    if (this.#isSliced(from, to - from) && this.encodedBytesOf(this.#sliced) <= bytesMax) {
      return this.#sliced;
    }
    return this.#cut(from, to, bytesMax);
  }

  #isSliced(from: Index, count: number): boolean {
    const known = this.#sliced;
    return known.length === count && (known[0] as Entry).index === from;
  }

  #cut(from: Index, to: Index, bytesMax: number): readonly Entry[] {
    const start = this.#position(from);
    const end = this.#endWithin(start, start + to - from, bytesMax);
    if (!this.#isSliced(from, end - start)) {
      this.#sliced = this.#entries.slice(start, end);
      this.#slicedBytes = notCounted;
    }
    return this.#sliced;
  }

  /** Encoded bytes of `entries`, which are counted once as long as they are the last slice. */
  encodedBytesOf(entries: readonly Entry[]): number {
    if (entries !== this.#sliced) return encodedBytesOf(entries);
    if (this.#slicedBytes === notCounted) this.#slicedBytes = encodedBytesOf(entries);
    return this.#slicedBytes;
  }

  #endWithin(start: number, end: number, bytesMax: number): number {
    if (bytesMax === Number.POSITIVE_INFINITY) return end;
    let bytes = encodedBytes(this.#entries[start] as Entry);
    let at = start + 1;
    for (; at < end; at++) {
      bytes += encodedBytes(this.#entries[at] as Entry);
      if (bytes > bytesMax) break;
    }
    return at;
  }

  /** Appends `entries` from position `skip` on; they follow the last one. The array is kept: never write to it afterwards. */
  append(entries: readonly Entry[], skip: number): void {
    for (let at = skip; at < entries.length; at++) {
      const entry = entries[at] as Entry;
      this.#entries.push(entry);
      this.#memory += memoryBytes(entry);
      this.#terms.append(entry.index, entry.term);
    }
    // What was received is what is to be written next.
    if (skip > 0) return;
    this.#sliced = entries;
    this.#slicedBytes = notCounted;
  }

  #forgetSlice(): void {
    this.#sliced = noEntries;
    this.#slicedBytes = 0;
  }

  /** Forgets entries at and after `from`. */
  truncate(from: Index): void {
    this.#forgetSlice();
    const keep = this.#position(from);
    for (let at = keep; at < this.#entries.length; at++) {
      this.#memory -= memoryBytes(this.#entries[at] as Entry);
    }
    this.#entries.length = keep;
    this.#terms.truncate(from);
  }

  /** Forgets entries up to `index`, whose term is kept. Costs what it frees. */
  compact(index: Index): void {
    this.#baseTerm = this.term(index) as Term;
    const dropped = this.#entries.splice(0, index - this.#baseIndex);
    for (const entry of dropped) this.#memory -= memoryBytes(entry);
    this.#baseIndex = index;
    this.#terms.compact(index);
    this.#forgetSlice();
  }

  /** Forgets everything and goes on after `base`. */
  reset(base: LogBase): void {
    this.#entries = [];
    this.#memory = 0;
    this.#forgetSlice();
    this.#baseIndex = base.index;
    this.#baseTerm = base.term;
    this.#terms = new TermRuns(base);
  }
}
