/**
 * LogEntries: the entries in memory, each at its index, and index and term of the one before them.
 *
 * One array, so that any entry and any term is one step away. Not here: which of them are committed, durable or applied (log.ts).
 */
import { assert } from "../base/assert.js";
import { encodedBytes, memoryBytes } from "./entries.js";
import { TermRuns } from "./term-runs.js";
import type { Entry, Index, Term } from "./types.js";

const noEntries: readonly Entry[] = [];

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
  #sliced: readonly Entry[] | undefined;

  constructor(base: LogBase, entries: readonly Entry[]) {
    this.#terms = new TermRuns(base);
    this.reset(base);
    this.append(entries, 0);
    // The list is the caller's.
    this.#sliced = undefined;
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
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.at(index)?.term;
  }

  at(index: Index): Entry | undefined {
    if (index <= this.#baseIndex || index > this.lastIndex) return undefined;
    return this.#entries[this.#position(index)];
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
    const start = this.#position(from);
    const end = this.#endWithin(start, start + to - from, bytesMax);
    const known = this.#sliced;
    if (known !== undefined && known.length === end - start && known[0]?.index === from) {
      return known;
    }
    const entries = this.#entries.slice(start, end);
    this.#sliced = entries;
    return entries;
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
    if (skip === 0) this.#sliced = entries;
  }

  /** Forgets entries at and after `from`. */
  truncate(from: Index): void {
    this.#sliced = undefined;
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
    this.#sliced = undefined;
  }

  /** Forgets everything and goes on after `base`. */
  reset(base: LogBase): void {
    this.#entries = [];
    this.#memory = 0;
    this.#sliced = undefined;
    this.#baseIndex = base.index;
    this.#baseTerm = base.term;
    this.#terms = new TermRuns(base);
  }
}
