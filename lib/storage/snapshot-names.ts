/** Snapshots by name: index and term. The rules every adapter keeps about them. Pure. */
import { LogboomError } from "../base/errors.js";
import type { SnapshotMetadata, Term } from "../core/types.js";
import type { LogShape } from "./log-shape.js";

/** Index and term name a snapshot: by State Machine Safety two with the same hold the same state. */
export function sameSnapshot(a: SnapshotMetadata, b: SnapshotMetadata): boolean {
  return a.index === b.index && a.term === b.term;
}

/** Order of `list()`. */
export function newestFirst(a: SnapshotMetadata, b: SnapshotMetadata): number {
  return b.index - a.index || b.term - a.term;
}

/**
 * Refuses to drop the last snapshot the log can be loaded from: what was compacted is nowhere else.
 *
 * @param named  those that `append` or `compact` named
 * @throws LogboomError `BAD_INPUT`
 */
export function checkDroppable(
  shape: LogShape,
  named: readonly SnapshotMetadata[],
  metadata: SnapshotMetadata,
): void {
  if (shape.compacted.index === 0) return;
  const usable = named.filter((one) => one.index >= shape.compacted.index);
  if (usable.length > 1 || usable.every((one) => !sameSnapshot(one, metadata))) return;
  throw new LogboomError(
    "BAD_INPUT",
    `the snapshot at index ${metadata.index} is the only one from which the log, compacted up to ${shape.compacted.index}, can be loaded`,
  );
}

export function noSnapshot(metadata: SnapshotMetadata): LogboomError {
  return new LogboomError(
    "NOT_FOUND",
    `no snapshot of index ${metadata.index}, term ${metadata.term} is stored`,
  );
}

/** For a snapshot that is named before its body is there. */
export function noBody(metadata: SnapshotMetadata): LogboomError {
  return new LogboomError(
    "BAD_INPUT",
    `the body of the snapshot at index ${metadata.index}, term ${metadata.term} must be finished first, or come with it`,
  );
}

/** For a snapshot of this node's own log whose term the log does not confirm. */
export function wrongTerm(metadata: SnapshotMetadata, found: Term): LogboomError {
  return new LogboomError(
    "BAD_INPUT",
    `entry ${metadata.index} has term ${found}, its snapshot says ${metadata.term}`,
  );
}
