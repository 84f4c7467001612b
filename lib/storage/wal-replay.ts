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
 * Memory: entries above `keepFrom` only. Not here: segments and files (wal-log.ts).
 */
import { equalBytes } from "../base/bytes.js";
import { DecodeError } from "../base/errors.js";
import { decodeHardState } from "../codec/raftpb-log.js";
import { type Entry, emptyHardState, type HardState, type Index } from "../core/types.js";
import { TermRuns } from "./term-runs.js";
import { decodeSnapshotMark, type SnapshotMark } from "./wal.js";

/** Where a record lies. */
export interface Place {
  readonly sequence: number;
  readonly offset: number;
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
  /** Entries above `keepFrom`, the last of which is the log's last. */
  entries: Entry[] = [];
  /** Undefined until the first entry or snapshot says where the log begins. */
  runs: TermRuns | undefined;
  private readonly keepFrom: Index;
  /** What was there before a snapshot that is not covered yet. */
  private doubted: { readonly before: State | undefined; readonly place: Place } | undefined;

  /** @param keepFrom  entries after this index are collected */
  constructor(keepFrom: Index) {
    this.keepFrom = keepFrom;
  }

  setMetadata(data: Uint8Array): void {
    if (this.metadata !== undefined && !equalBytes(this.metadata, data)) {
      throw new DecodeError("the metadata differ from those before");
    }
    this.metadata = data.slice();
  }

  state(data: Uint8Array): void {
    this.hardState = decodeHardState(data);
    const installed = this.runs?.compacted.index ?? 0;
    if (this.doubted !== undefined && this.hardState.commit >= installed) this.doubted = undefined;
  }

  entry(entry: Entry): void {
    // The first record of a log whose beginning was released: what stands before it is unknown, and so is its own past.
    if (this.runs === undefined) {
      const origin = entry.index <= 1 ? { index: 0, term: 0 } : undefined;
      this.runs = new TermRuns(origin ?? { index: entry.index, term: entry.term });
      if (origin === undefined) return;
    }
    const { runs } = this;
    if (entry.index <= runs.compacted.index) {
      // Rewritten below where we know the log from: begin there.
      this.runs = new TermRuns({ index: entry.index, term: entry.term });
      this.entries = [];
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
      this.entries.length = Math.max(0, kept);
    }
    runs.set(entry.index, entry.term);
    if (entry.index > this.keepFrom) this.entries.push(entry);
  }

  snapshot(data: Uint8Array, place: Place): void {
    const mark = decodeSnapshotMark(data);
    const { runs } = this;
    const own = mark.index === 0 || runs?.termAt(mark.index) === mark.term;
    if (!own) {
      const covered = mark.index <= this.hardState.commit && runs === undefined;
      if (!covered && this.doubted === undefined) {
        const before =
          runs === undefined
            ? undefined
            : { runs, entries: this.entries, hardState: this.hardState, marks: [...this.marks] };
        this.doubted = { before, place };
      }
      this.runs = new TermRuns({ index: mark.index, term: mark.term });
      this.entries = [];
    } else if (runs === undefined) {
      this.runs = new TermRuns({ index: 0, term: 0 });
    }
    this.marks.push(mark);
  }

  /** Takes back a snapshot that was never covered. @returns where the write that brought it begins */
  unfinished(): Place | undefined {
    const { doubted } = this;
    if (doubted === undefined) return undefined;
    this.doubted = undefined;
    const { before } = doubted;
    this.runs = before?.runs;
    this.entries = before?.entries ?? [];
    this.hardState = before?.hardState ?? emptyHardState;
    this.marks = [...(before?.marks ?? [])];
    return doubted.place;
  }
}
