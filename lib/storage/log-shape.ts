/**
 * LogShape: what an adapter must know of its own log to refuse a write that does not fit, before anything is touched.
 *
 * Every boundary is checked on both sides: the core does not hand out such a write, and the store does not take it. The
 * rules are the dissertation's figure 3.1 seen from the disk: terms never fall, one vote per term, entries contiguous.
 *
 * Pure: a shape is a value; `afterWrite` and `afterCompaction` give the next one. Not here: the entries themselves.
 */
import { LogboomError } from "../base/errors.js";
import type { Entry, HardState, Index, SnapshotMetadata, Term } from "../core/types.js";
import { emptyHardState } from "../core/types.js";
import type { StorageWrite, StoredState } from "./storage.js";

/** Where a log begins and ends. */
export interface LogShape {
  readonly hardState: HardState;
  /** Before the first entry; both 0 in a log that was never compacted. */
  readonly compacted: Position;
  /** The last entry, or `compacted` when there is none. */
  readonly last: Position;
}

export interface Position {
  readonly index: Index;
  readonly term: Term;
}

const start: Position = { index: 0, term: 0 };
export const emptyShape: LogShape = { hardState: emptyHardState, compacted: start, last: start };

/** The shape after `write`. @throws LogboomError `BAD_INPUT` naming the rule and the value. */
export function afterWrite(shape: LogShape, write: StorageWrite): LogShape {
  let { compacted, last } = shape;
  if (write.snapshot !== undefined) {
    compacted = last = installed(shape, write.snapshot.metadata);
  }
  if (write.entries.length > 0) {
    const fixed = Math.max(shape.hardState.commit, compacted.index);
    last = afterEntries(fixed, last, write.entries);
  }
  const hardState = write.hardState ?? shape.hardState;
  checkHardState(shape.hardState, hardState);
  // A snapshot holds committed state only, so it raises the commit; it is never wrong to say so.
  const commit = Math.max(hardState.commit, compacted.index);
  if (commit > last.index) {
    refuse(`commit is at most the last index (${last.index}), got ${hardState.commit}`);
  }
  return { hardState: { ...hardState, commit }, compacted, last };
}

/**
 * What `compact(snapshot, upTo)` means for this log: the compaction point, never below the present one, and the commit
 * index, which a snapshot raises.
 *
 * @throws LogboomError `BAD_INPUT` when snapshot, log and `upTo` do not fit each other
 */
export function planCompaction(
  shape: LogShape,
  snapshot: SnapshotMetadata,
  upTo: Index,
): { readonly upTo: Index; readonly commit: Index } {
  position("snapshot.index", snapshot.index, 1);
  position("upTo", upTo, 0);
  if (snapshot.index > shape.last.index) {
    refuse(
      `a snapshot is at most as new as the log (${shape.last.index}), got index ${snapshot.index}`,
    );
  }
  if (upTo > snapshot.index) {
    refuse(`upTo is at most the snapshot's index (${snapshot.index}), got ${upTo}`);
  }
  return {
    upTo: Math.max(upTo, shape.compacted.index),
    commit: Math.max(shape.hardState.commit, snapshot.index),
  };
}

/** What must not go back. */
export function storedState(shape: LogShape): StoredState {
  const { hardState, last } = shape;
  return {
    term: hardState.term,
    vote: hardState.vote,
    lastIndex: last.index,
    lastTerm: last.term,
  };
}

function installed(shape: LogShape, snapshot: SnapshotMetadata): Position {
  position("snapshot.index", snapshot.index, 1);
  position("snapshot.term", snapshot.term, 1);
  const floor = Math.max(shape.hardState.commit, shape.compacted.index);
  if (snapshot.index < floor) {
    refuse(`a snapshot is at least as new as the commit (${floor}), got index ${snapshot.index}`);
  }
  return { index: snapshot.index, term: snapshot.term };
}

/** @param fixed  entries up to here are committed, or in a snapshot: they are never replaced */
function afterEntries(fixed: Index, last: Position, entries: readonly Entry[]): Position {
  const first = entries[0]?.index ?? 0;
  position("entries[0].index", first, 1);
  if (first <= fixed) {
    refuse(`committed entries (up to ${fixed}) are never replaced, got a first index of ${first}`);
  }
  if (first > last.index + 1) {
    refuse(`entries leave no gap after index ${last.index}, got a first index of ${first}`);
  }
  // The term before `first` is known only where nothing is cut off; elsewhere log matching is the core's.
  let term = first === last.index + 1 ? last.term : 0;
  let index = first - 1;
  for (const entry of entries) {
    index++;
    if (entry.index !== index) {
      refuse(`entries are contiguous: expected index ${index}, got ${entry.index}`);
    }
    position(`term of entry ${index}`, entry.term, 1);
    if (entry.term < term) {
      refuse(`terms never fall: entry ${index} has term ${entry.term} after ${term}`);
    }
    term = entry.term;
  }
  return { index, term };
}

function checkHardState(before: HardState, after: HardState): void {
  position("hardState.term", after.term, 0);
  position("hardState.commit", after.commit, 0);
  if (!Number.isSafeInteger(after.vote) || after.vote < 0) {
    refuse(`hardState.vote is a NodeId or 0, got ${after.vote}`);
  }
  if (after.term < before.term) {
    refuse(`the term never falls: stored ${before.term}, got ${after.term}`);
  }
  if (after.term === before.term && before.vote !== 0 && after.vote !== before.vote) {
    refuse(
      `one vote per term: voted for ${before.vote} in term ${before.term}, got a vote for ${after.vote}`,
    );
  }
}

function position(what: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  refuse(`${what} is a safe integer of at least ${least}, got ${value}`);
}

function refuse(rule: string): never {
  throw new LogboomError("BAD_INPUT", `this write does not fit the log: ${rule}`);
}
