/**
 * Journal: a log kept as numbered records (log-record.ts), without what it is kept in. Which record holds which entries, what may be deleted,
 * and what all of them together say. Pure.
 *
 * Invariants: numbers ascend without a gap from `from` to `next - 1`; every entry of the log is in a record at or above `from`.
 */
import { DecodeError } from "../base/errors.js";
import type { Entry, Index } from "../core/types.js";
import type { LogRecord } from "./log-record.js";
import type { LogShape } from "./log-shape.js";
import { TermRuns } from "./term-runs.js";

/** The live entries of one record. */
interface Span {
  readonly number: number;
  readonly first: Index;
  readonly last: Index;
}

/** Numbers of records, both inclusive. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

export class Journal {
  /** The number of the first record that is needed. */
  from: number;
  /** The number the next record gets. */
  next: number;
  private spans: Span[] = [];
  /** Records that took the log over, at or above `from`. They are never deleted. */
  private takeovers: number[] = [];

  constructor(from: number) {
    this.from = this.next = from;
  }

  /** A record with `entries` (none: undefined) gets the next number. */
  add(entries: { readonly first: Index; readonly last: Index } | undefined): number {
    const number = this.next++;
    if (entries === undefined) return number;
    this.cut(entries.first);
    this.spans.push({ number, ...entries });
    return number;
  }

  takeOver(): void {
    this.takeovers.push(this.add(undefined));
  }

  /** Entries at and above `index` are replaced. */
  cut(index: Index): void {
    const { spans } = this;
    for (let last = spans.at(-1); last !== undefined && last.last >= index; last = spans.at(-1)) {
      spans.pop();
      if (last.first < index) spans.push({ ...last, last: index - 1 });
    }
  }

  /** Entries up to `upTo` are not needed any more. @returns what may be deleted */
  release(upTo: Index): readonly NumberRange[] {
    const kept = this.spans.findIndex(({ last }) => last > upTo);
    this.spans = kept === -1 ? [] : this.spans.slice(kept);
    const before = this.from;
    this.from = this.spans[0]?.number ?? this.next;
    const stay = this.takeovers.filter((number) => number < this.from);
    this.takeovers = this.takeovers.slice(stay.length);
    const ranges: NumberRange[] = [];
    let from = before;
    for (const number of [...stay, this.from]) {
      if (number > from) ranges.push({ from, to: number - 1 });
      from = number + 1;
    }
    return ranges;
  }
}

/** Reads the records of a log in order and puts it together. */
export class JournalReader {
  private readonly journal: Journal;
  private entries: Entry[] = [];

  /** @param from  the number of the first record that will be fed */
  constructor(from: number) {
    this.journal = new Journal(from);
  }

  /** @throws DecodeError when it does not follow the one before */
  feed(number: number, { entries, shape, takesOver }: LogRecord): void {
    const { journal } = this;
    if (number !== journal.next) {
      throw new DecodeError(`record ${journal.next} is missing, the next is ${number}`);
    }
    if (takesOver) journal.takeOver();
    else journal.add(spanOf(entries));
    if (entries.length > 0) this.append(entries, shape);
    // A snapshot that was installed cuts off what stood above it.
    this.truncate(shape.last.index + 1);
    journal.cut(shape.last.index + 1);
  }

  /** @param shape  as the last record has it @throws DecodeError when the entries do not fit it */
  finish(shape: LogShape): {
    readonly journal: Journal;
    readonly runs: TermRuns;
    readonly entries: readonly Entry[];
  } {
    const { compacted, last } = shape;
    const before = this.entries[0]?.index ?? 0;
    const dropped = Math.max(0, compacted.index + 1 - before);
    const entries = dropped === 0 ? this.entries : this.entries.slice(dropped);
    const first = entries[0]?.index ?? compacted.index + 1;
    const end = compacted.index + entries.length;
    if (first !== compacted.index + 1 || end !== last.index) {
      throw new DecodeError(
        `entries ${first} to ${first + entries.length - 1} are there, the last record says ${compacted.index + 1} to ${last.index}`,
      );
    }
    const runs = new TermRuns(compacted);
    let { term } = compacted;
    for (const entry of entries) {
      if (entry.term < term) {
        throw new DecodeError(
          `entry ${entry.index} has term ${entry.term} after an entry of term ${term}`,
        );
      }
      term = entry.term;
      runs.set(entry.index, term);
    }
    if (term !== last.term) {
      throw new DecodeError(`the last entry has term ${term}, the last record says ${last.term}`);
    }
    return { journal: this.journal, runs, entries };
  }

  private append(entries: readonly Entry[], { compacted }: LogShape): void {
    const first = entries[0]?.index ?? 0;
    const end = (this.entries.at(-1)?.index ?? first - 1) + 1;
    if (first > end) {
      // Right after a snapshot that was installed, nothing from before it counts.
      if (first !== compacted.index + 1) {
        throw new DecodeError(`entry ${end} is missing, the next is ${first}`);
      }
      this.entries = [];
    }
    this.truncate(first);
    for (const entry of entries) this.entries.push(entry);
  }

  private truncate(index: Index): void {
    const first = this.entries[0]?.index ?? index;
    if (index < first + this.entries.length) this.entries.length = Math.max(0, index - first);
  }
}

export function spanOf(
  entries: readonly Entry[],
): { readonly first: Index; readonly last: Index } | undefined {
  const [first, last] = [entries[0], entries.at(-1)];
  return first === undefined || last === undefined
    ? undefined
    : { first: first.index, last: last.index };
}
