/**
 * RaftLog: the entries since the last compaction, all in memory, and how far each of five cursors has come.
 *
 * ```
 *  compacted        applied  applying   committed      stable    handedOut       last
 *      |  entries in memory …  |  |         |            |           |            |
 *      └ the term here is kept     └ ready() gave them   └ on disk   └ being written
 * ```
 * `stable` and `committed` are independent of each other. A snapshot being installed stands before every entry.
 * Dissertation §3.5, §3.6; compare etcd/raft log.go and log_unstable.go, which split the same between storage and memory.
 *
 * Invariants: applied ≤ applying ≤ committed ≤ last; stable ≤ handedOut ≤ last. A committed entry is never overwritten.
 */
import { assert } from "../base/assert.js";
import type { Log } from "./config.js";
import { type LogBase, LogEntries } from "./log-entries.js";
import type { Entry, Index, Snapshot, SnapshotMetadata, Term } from "./types.js";

const noEntries: readonly Entry[] = [];

/** What a log starts from. */
export interface LogStart {
  readonly compacted: LogBase;
  readonly entries: readonly Entry[];
  readonly committed: Index;
  readonly applied: Index;
  readonly applyBytesMax: number;
}

export class RaftLog {
  readonly #log: Log;
  readonly #entries: LogEntries;

  /** A field of its own, because every step asks for it. */
  lastIndex: Index;
  committed: Index;
  applied: Index;
  /** Last index handed out to be applied. */
  applying: Index;
  #applyingBytes = 0;
  #applyingPaused = false;
  applyBytesMax: number;
  /** How many entries beyond `stable` may be handed out to be applied; Infinity for all. */
  applyAhead = 0;

  /** Last index known to be durable here. */
  stable: Index;
  /** Last index handed out to be written. */
  handedOut: Index;
  /** Received and not yet known to be durable; no entry is handed out to be applied meanwhile. */
  snapshot: Snapshot | undefined;
  #snapshotHandedOut = false;

  constructor(start: LogStart, log: Log) {
    this.#log = log;
    this.#entries = new LogEntries(start.compacted, start.entries);
    this.lastIndex = this.#entries.lastIndex;
    this.applyBytesMax = start.applyBytesMax;
    this.committed = start.committed;
    this.applied = start.applied;
    this.applying = start.applied;
    this.stable = this.lastIndex;
    this.handedOut = this.stable;
    assert(
      start.applied >= start.compacted.index &&
        start.applied <= start.committed &&
        start.committed <= this.lastIndex,
      "a log must start with compacted <= applied <= committed <= last",
      {
        compacted: start.compacted.index,
        applied: start.applied,
        committed: start.committed,
        last: this.lastIndex,
      },
    );
  }

  get firstIndex(): Index {
    return this.#entries.firstIndex;
  }

  get lastTerm(): Term {
    return this.#entries.lastTerm;
  }

  /** Bytes the entries occupy, roughly. */
  get memory(): number {
    return this.#entries.memory;
  }

  /** Entries that are in memory only, so far as we know. */
  get unstableCount(): number {
    return this.lastIndex - this.stable;
  }

  /** The term of the entry at `index`; undefined if it was compacted or is not there yet. */
  term(index: Index): Term | undefined {
    return this.#entries.term(index);
  }

  entry(index: Index): Entry | undefined {
    return this.#entries.at(index);
  }

  matches(index: Index, term: Term): boolean {
    return this.term(index) === term;
  }

  /** §3.6.1: at least as up to date as ours. */
  isUpToDate(lastIndex: Index, lastTerm: Term): boolean {
    const ours = this.lastTerm;
    return lastTerm > ours || (lastTerm === ours && lastIndex >= this.lastIndex);
  }

  /** Entries in [from, to), at most `bytesMax` encoded bytes of them but at least one. Shared: never write to it. */
  slice(from: Index, to: Index, bytesMax: number): readonly Entry[] {
    return this.#entries.slice(from, to, bytesMax);
  }

  /** Encoded bytes of `entries`; the last slice is counted once. */
  encodedBytesOf(entries: readonly Entry[]): number {
    return this.#entries.encodedBytesOf(entries);
  }

  /** The leader's own: appends `entries`, which follow the last one. */
  append(entries: readonly Entry[]): void {
    this.#truncateAndAppend(entries, 0);
  }

  /**
   * A follower's: takes over what follows (`prevIndex`, `prevTerm`) and the leader's commit index, if the logs match there.
   * Returns the last index now known to equal the leader's, or undefined.
   */
  maybeAppend(
    prevIndex: Index,
    prevTerm: Term,
    entries: readonly Entry[],
    leaderCommit: Index,
  ): Index | undefined {
    if (!this.matches(prevIndex, prevTerm)) return undefined;
    const lastNew = prevIndex + entries.length;
    const conflict = this.#findConflict(entries);
    if (conflict < entries.length) {
      assert(prevIndex + 1 + conflict > this.committed, "committed entry overwritten", {
        index: prevIndex + 1 + conflict,
        committed: this.committed,
      });
      this.#truncateAndAppend(entries, conflict);
    }
    // Only as far as we know our log to equal the leader's: what lies beyond `lastNew` may be another's (figure 3.1).
    this.commitTo(Math.min(leaderCommit, lastNew));
    return lastNew;
  }

  /** Position of the first of `entries` that we do not hold; their number if we hold all. */
  #findConflict(entries: readonly Entry[]): number {
    const last = this.lastIndex;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      const ours = this.term(entry.index);
      if (ours === entry.term) continue;
      if (entry.index <= last) this.#sayConflict(entry, ours ?? 0);
      return i;
    }
    return entries.length;
  }

  #sayConflict({ index, term }: Entry, ours: Term): void {
    this.#log?.(
      "info",
      () => `found conflict at index ${index} [existing term: ${ours}, conflicting term: ${term}]`,
    );
  }

  /** Appends `entries` from position `skip` on, dropping what we hold at and after the first of them. */
  #truncateAndAppend(entries: readonly Entry[], skip: number): void {
    const from = (entries[skip] as Entry).index;
    assert(from > this.committed, "append behind the commit index", {
      from,
      committed: this.committed,
    });
    assert(from <= this.lastIndex + 1, "append beyond the log's end", {
      from,
      last: this.lastIndex,
    });
    if (from <= this.lastIndex) this.#truncate(from);
    this.#entries.append(entries, skip);
    this.lastIndex = this.#entries.lastIndex;
  }

  #truncate(from: Index): void {
    if (from <= this.stable + 1) {
      this.#log?.("info", () => `replace the unstable entries from index ${from}`);
      this.stable = from - 1;
      this.handedOut = from - 1;
    } else {
      this.#log?.("info", () => `truncate the unstable entries before index ${from}`);
      // What is being written of the new history is nothing; what was of the old one must be written over.
      this.handedOut = Math.min(this.handedOut, from - 1);
    }
    this.#entries.truncate(from);
  }

  /**
   * The highest index at or below `index` whose term is at most `term`: where a log whose entry at `index` has `term` may meet
   * ours. Its term is 0 when it is not known. §3.5's optimisation; one round per term, not per entry.
   */
  findConflictByTerm(index: Index, term: Term): LogBase {
    return this.#entries.lastAtMost(index, term);
  }

  commitTo(index: Index): void {
    if (index <= this.committed) return;
    assert(index <= this.lastIndex, "commit beyond the log's end", {
      index,
      last: this.lastIndex,
    });
    this.committed = index;
  }

  /** Commits up to `index` if that is news and its entry is of `term`. */
  maybeCommit(index: Index, term: Term): boolean {
    if (term === 0 || index <= this.committed || !this.matches(index, term)) return false;
    this.commitTo(index);
    return true;
  }

  // — to storage —

  /** Entries to write that nobody was given yet. */
  nextEntries(): readonly Entry[] {
    return this.slice(this.handedOut + 1, this.lastIndex + 1, Number.POSITIVE_INFINITY);
  }

  get hasNextEntries(): boolean {
    return this.lastIndex > this.handedOut;
  }

  nextSnapshot(): Snapshot | undefined {
    return this.#snapshotHandedOut ? undefined : this.snapshot;
  }

  /** Entries and snapshot have been handed out to be written. */
  acceptInProgress(): void {
    this.handedOut = this.lastIndex;
    if (this.snapshot !== undefined) this.#snapshotHandedOut = true;
  }

  /**
   * Everything up to (`term`, `index`) is durable, unless it was replaced while it was being written: an entry of another term
   * at `index` means that the write in question no longer speaks of our log (the A-B-A of two leaders and back).
   */
  stableTo(index: Index, term: Term): void {
    if (index <= this.stable || index > this.lastIndex || this.term(index) !== term) {
      this.#log?.("info", () => this.#whyNotStable(index, term));
      return;
    }
    this.stable = index;
    this.handedOut = Math.max(this.handedOut, index);
  }

  #whyNotStable(index: Index, term: Term): string {
    if (index <= this.stable && index === this.snapshot?.metadata.index) {
      return `entry at index ${index} matched unstable snapshot; ignoring`;
    }
    if (index <= this.stable || index > this.lastIndex) {
      return `entry at index ${index} missing from unstable log; ignoring`;
    }
    return (
      `entry at (index,term)=(${index},${term}) mismatched with entry at ` +
      `(${index},${this.term(index)}) in unstable log; ignoring`
    );
  }

  stableSnapshotTo(index: Index): void {
    if (this.snapshot?.metadata.index !== index) return;
    this.snapshot = undefined;
    this.#snapshotHandedOut = false;
  }

  // — to the state machine —

  /** The last index that may be handed out now. */
  get applyLimit(): Index {
    return Math.min(this.committed, this.stable + this.applyAhead);
  }

  get hasCommittedEntries(): boolean {
    return !this.#applyingPaused && this.snapshot === undefined && this.applyLimit > this.applying;
  }

  nextCommittedEntries(): readonly Entry[] {
    if (!this.hasCommittedEntries) return noEntries;
    const room = this.applyBytesMax - this.#applyingBytes;
    return this.slice(this.applying + 1, this.applyLimit + 1, room);
  }

  /** Entries up to `index`, `bytes` of them, have been handed out to be applied. */
  acceptApplying(index: Index, bytes: number): void {
    this.applying = index;
    this.#applyingBytes += bytes;
    this.#applyingPaused = this.#applyingBytes >= this.applyBytesMax || index < this.applyLimit;
  }

  /** @param bytes  of what was handed out and is done with; undefined if all of it is still under way, in part */
  appliedTo(index: Index, bytes: number | undefined): void {
    assert(index >= this.applied && index <= this.committed, "applied out of range", {
      index,
      applied: this.applied,
      committed: this.committed,
    });
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    if (bytes === undefined) return;
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes);
    this.#applyingPaused = this.#applyingBytes >= this.applyBytesMax;
  }

  // — the log's beginning —

  /** Forgets entries up to `index`, whose term is kept. Costs what it frees. */
  compact(index: Index): void {
    if (index < this.firstIndex) return;
    assert(index <= this.applying, "compaction of entries that nobody was given to apply", {
      index,
      applying: this.applying,
    });
    this.#entries.compact(index);
  }

  /** Replaces everything by `snapshot`, which is yet to be made durable. */
  restore(snapshot: Snapshot): void {
    const { index, term }: SnapshotMetadata = snapshot.metadata;
    this.#log?.(
      "info",
      () => `log [${this.describe()}] starts to restore snapshot [index: ${index}, term: ${term}]`,
    );
    this.committed = index;
    this.#entries.reset(snapshot.metadata);
    this.lastIndex = index;
    this.stable = index;
    this.handedOut = index;
    this.snapshot = snapshot;
    this.#snapshotHandedOut = false;
  }

  /** In etcd's words, where "unstable" begins after `stable`. */
  describe(): string {
    return (
      `committed=${this.committed}, applied=${this.applied}, applying=${this.applying}, ` +
      `unstable.offset=${this.stable + 1}, unstable.offsetInProgress=${this.handedOut + 1}, ` +
      `len(unstable.Entries)=${this.unstableCount}`
    );
  }
}
