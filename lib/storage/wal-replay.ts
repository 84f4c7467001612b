/**
 * What the records of a log mean together: the state a node has when it starts from them. Pure.
 *
 * Records are fed in order; a later entry cuts off what stood at and above its index; the last HardState counts. A snapshot
 * record either says that this node made a snapshot of its own log (the log holds its index and term) or that it
 * installed one, and then nothing of the log before it counts any more. etcd keeps the entries above an installed one's
 * index, and with them a tail that the leader had replaced.
 *
 * A snapshot counts once a HardState that covers it has followed. One that was installed and never covered is the beginning
 * of a write that did not reach the disk: it and what follows never were (`unfinished`).
 *
 * Memory: the entries of a window only. Not here: segments and files (wal-log.ts).
 */
import { must } from "../base/assert.js";
import { equalBytes } from "../base/bytes.js";
import { DecodeError } from "../base/errors.js";
import { decodeHardState } from "../codec/raftpb-log.js";
import { memoryBytes } from "../core/entries.js";
import { type Entry, emptyHardState, type HardState, type Index } from "../core/types.js";
import type { Position } from "./log-shape.js";
import { TermRuns } from "./term-runs.js";
import { decodeSnapshotMark, type SnapshotMark } from "./wal.js";

/** Where a record lies. */
export interface Place {
  readonly sequence: number;
  readonly offset: number;
}

/** Which entries are collected: those after an index, but of the older ones only as many as fit. */
export interface Window {
  readonly after: Index;
  /** Of the entries up to here the newest that have at most `bytesMax` bytes in memory (core/entries.ts). */
  readonly behind: Index;
  readonly bytesMax: number;
}

/** All entries after `index`. */
export function allAfter(index: Index): Window {
  return { after: index, behind: 0, bytesMax: 0 };
}

interface State {
  readonly runs: TermRuns;
  readonly entries: Entry[];
  readonly hardState: HardState;
  readonly marks: readonly SnapshotMark[];
}

export class Replay {
  hardState: HardState = emptyHardState;
  metadata: Uint8Array | undefined;
  /** Snapshot records in order, also those that do not count. */
  marks: SnapshotMark[] = [];
  /** Entries after `keptAfter`, the last of which is the log's last. */
  entries: Entry[] = [];
  keptAfter: Index;
  /** Undefined until the first entry or snapshot says where the log begins. */
  runs: TermRuns | undefined;
  /** A snapshot record seen before any entry: the log begins after it, or somewhere in what was released. */
  private origin: Position | undefined;
  private readonly window: Window;
  /** Bytes of `entries` up to `window.behind`. */
  private behindBytes = 0;
  /** What was there before a snapshot that is not covered yet. */
  private doubted:
    | { readonly index: Index; readonly before: State | undefined; readonly place: Place }
    | undefined;

  constructor(window: Window) {
    this.window = window;
    this.keptAfter = window.after;
  }

  setMetadata(data: Uint8Array): void {
    if (this.metadata !== undefined && !equalBytes(this.metadata, data)) {
      throw new DecodeError("the metadata differ from those before");
    }
    this.metadata = data.slice();
  }

  state(data: Uint8Array): void {
    const hardState = decodeHardState(data);
    this.checkState(hardState);
    this.hardState = hardState;
    const { doubted } = this;
    if (doubted !== undefined && hardState.commit >= doubted.index) this.doubted = undefined;
  }

  /**
   * The type of a record is not under its checksum, and an entry without data reads as a HardState with the same three
   * numbers: that their order makes sense is what tells them apart.
   */
  private checkState({ term, vote }: HardState): void {
    const before = this.hardState;
    if (term < before.term) throw new DecodeError(`term ${term} follows term ${before.term}`);
    if (term === before.term && before.vote !== 0 && vote !== before.vote) {
      throw new DecodeError(`a vote for ${vote} follows one for ${before.vote} in term ${term}`);
    }
  }

  entry(entry: Entry): void {
    if (entry.index < 1 || entry.term < 1) {
      throw new DecodeError(`an entry has index ${entry.index} and term ${entry.term}`);
    }
    if (entry.index <= this.hardState.commit && entry.index <= (this.runs?.last ?? 0)) {
      throw new DecodeError(`entry ${entry.index} was committed and is replaced`);
    }
    const runs = this.runs ?? this.begin(entry);
    this.runs = runs;
    this.origin = undefined;
    if (entry.index <= runs.compacted.index) {
      // Rewritten below where we know the log from: begin there.
      this.runs = new TermRuns({ index: entry.index, term: entry.term });
      this.beginWith([]);
      return;
    }
    if (entry.index > runs.last + 1) {
      throw new DecodeError(`entry ${entry.index} follows entry ${runs.last}`);
    }
    const before = runs.termAt(entry.index - 1) ?? 0;
    if (entry.term < before) {
      throw new DecodeError(`entry ${entry.index} has term ${entry.term} after term ${before}`);
    }
    if (entry.index <= runs.last) {
      const kept = entry.index - (runs.last + 1 - this.entries.length);
      this.cut(Math.max(0, kept));
    }
    runs.set(entry.index, entry.term);
    if (entry.index > this.keptAfter) this.keep(entry);
  }

  private keep(entry: Entry): void {
    const { behind, bytesMax } = this.window;
    this.entries.push(entry);
    if (entry.index > behind) return;
    this.behindBytes += memoryBytes(entry);
    while (this.behindBytes > bytesMax) {
      const oldest = must(this.entries.shift(), "what has bytes is there");
      this.behindBytes -= memoryBytes(oldest);
      this.keptAfter = oldest.index;
    }
  }

  /** Leaves the first `count` entries. */
  private cut(count: number): void {
    for (let n = count; n < this.entries.length; n++) {
      const entry = this.entries[n] as Entry;
      if (entry.index > this.window.behind) break;
      this.behindBytes -= memoryBytes(entry);
    }
    this.entries.length = count;
  }

  private beginWith(entries: Entry[]): void {
    this.entries = entries;
    this.behindBytes = 0;
  }

  snapshot(data: Uint8Array, place: Place): void {
    const mark = decodeSnapshotMark(data);
    const { runs } = this;
    // One below all that is left of the log is this node's own: what it covers was released since.
    const below = runs !== undefined && mark.index < runs.compacted.index;
    const own = mark.index === 0 || below || runs?.termAt(mark.index) === mark.term;
    if (runs === undefined && mark.index === 0) {
      this.runs = new TermRuns({ index: 0, term: 0 });
    } else if (!own) {
      const covered = mark.index <= this.hardState.commit && runs === undefined;
      if (!covered && this.doubted === undefined) {
        const before =
          runs === undefined
            ? undefined
            : { runs, entries: this.entries, hardState: this.hardState, marks: [...this.marks] };
        this.doubted = { index: mark.index, before, place };
      }
      if (runs === undefined) this.origin = mark;
      else this.runs = new TermRuns({ index: mark.index, term: mark.term });
      this.beginWith([]);
    }
    this.marks.push(mark);
  }

  /** All records were fed. */
  finish(): void {
    if (this.origin !== undefined) this.runs = new TermRuns(this.origin);
  }

  /** Where a log begins whose first entry is `entry`. */
  private begin({ index, term }: Entry): TermRuns {
    if (index <= 1) return new TermRuns({ index: 0, term: 0 });
    const { origin } = this;
    // What stands before the first entry is unknown: it becomes the one before the first.
    return new TermRuns(index === (origin?.index ?? 0) + 1 && origin ? origin : { index, term });
  }

  /** Takes back a snapshot that was never covered. @returns where the write that brought it begins */
  unfinished(): Place | undefined {
    const { doubted } = this;
    if (doubted === undefined) return undefined;
    this.doubted = undefined;
    const { before } = doubted;
    this.runs = before?.runs;
    this.beginWith(before?.entries ?? []);
    this.hardState = before?.hardState ?? emptyHardState;
    this.marks = [...(before?.marks ?? [])];
    return doubted.place;
  }
}
