/**
 * When to take a snapshot, how far to compact behind it, and which older ones to keep. Pure.
 *
 * The log since the last compaction is in memory, so bytes count as well as entries. Entries behind the snapshot stay for
 * followers that are a little slow, who would otherwise need the whole snapshot; older snapshots stay in case the newest is
 * damaged, and only help while the log still covers what came after them: `upTo` never passes the oldest one kept, unless
 * memory is short. Bytes are those of memory: an entry's data and 128 more. etcd's figures are 10,000 entries and 5,000 of catch-up.
 *
 * By default a log has at most 24 MiB behind its snapshot and 16 MiB after it when the next begins; what is left up to 64 MiB is for
 * what arrives while that one is written. From three quarters of `logBytesMax` on the whole log up to the snapshot is dropped; at
 * `logBytesMax` a leader refuses proposals (`tooMuchLog`) and a follower takes no entries until that is done.
 *
 * Not here: taking and streaming one (runtime/snapshots.ts).
 */
import type { Index, SnapshotMetadata } from "../core/types.js";

export interface SnapshotPolicy {
  /** Entries applied since the last snapshot that make a new one due. Default 10,000. */
  readonly entries: number;
  /** Bytes of them that do. Default 16 MiB. */
  readonly bytes: number;
  /** Entries kept behind a snapshot for slow followers. Default 5,000. */
  readonly trailingEntries: number;
  /** Bytes kept behind it at most. Default 24 MiB: more than `bytes`, so that they reach back to the snapshot before. */
  readonly trailingBytes: number;
  /** Complete snapshots kept, the newest included. Default 2. */
  readonly retained: number;
  /** The log in memory never exceeds this. Default 64 MiB. */
  readonly logBytesMax: number;
}

const MiB = 1024 * 1024;

export const defaultSnapshotPolicy: SnapshotPolicy = {
  entries: 10_000,
  bytes: 16 * MiB,
  trailingEntries: 5_000,
  trailingBytes: 24 * MiB,
  retained: 2,
  logBytesMax: 64 * MiB,
};

/** What a node knows of its log when it asks. */
export interface LogInMemory {
  readonly applied: Index;
  /** Index of the last snapshot; 0 for none. */
  readonly snapshotIndex: Index;
  /** Bytes of the entries applied since. */
  readonly bytesSinceSnapshot: number;
  /** Bytes of the applied entries that are still in memory: all that a snapshot could free. */
  readonly appliedBytes: number;
  /** Bytes of all entries in memory. */
  readonly logBytes: number;
}

/** Why a snapshot is due; undefined when none is. `"memory"` cannot wait and leaves nothing behind it. */
export function snapshotDue(
  log: LogInMemory,
  policy: SnapshotPolicy = defaultSnapshotPolicy,
): "entries" | "bytes" | "memory" | undefined {
  if (memoryIsShort(log, policy)) return "memory";
  if (log.applied <= log.snapshotIndex) return undefined;
  if (log.applied - log.snapshotIndex >= policy.entries) return "entries";
  return log.bytesSinceSnapshot >= policy.bytes ? "bytes" : undefined;
}

/** Where little of a full log is applied, a snapshot frees little: it waits for more, unless nothing fits any longer. */
function memoryIsShort({ logBytes, appliedBytes }: LogInMemory, { logBytesMax }: SnapshotPolicy) {
  if (logBytes >= logBytesMax) return appliedBytes > 0;
  return logBytes >= (logBytesMax * 3) / 4 && appliedBytes >= logBytesMax / 4;
}

/**
 * How far the log may be forgotten once `snapshot` is durable.
 *
 * @param kept  the snapshots that stay, in any order, `snapshot` among them
 * @param bytesAfter  bytes of the entries in memory from an index on up to the snapshot; must not grow with it
 * @param forced  the log in memory is full: everything up to the snapshot goes
 */
export function compactionPoint(
  snapshot: Pick<SnapshotMetadata, "index">,
  kept: readonly Pick<SnapshotMetadata, "index">[],
  bytesAfter: (index: Index) => number,
  forced = false,
  policy: SnapshotPolicy = defaultSnapshotPolicy,
): Index {
  if (forced) return snapshot.index;
  const oldest = Math.min(snapshot.index, ...kept.map(({ index }) => index));
  const from = Math.max(0, Math.min(oldest, snapshot.index - policy.trailingEntries));
  if (bytesAfter(from) <= policy.trailingBytes) return from;
  // The first index behind which few enough bytes remain.
  let [low, high] = [from, snapshot.index];
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    if (bytesAfter(middle) <= policy.trailingBytes) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Snapshots to drop: all but the newest `retained`, and those that the log, compacted up to `upTo`, does not reach back to.
 * @param list  newest first, as `SnapshotStore.list` gives them
 */
export function snapshotsToDrop(
  list: readonly SnapshotMetadata[],
  upTo: Index = 0,
  policy: SnapshotPolicy = defaultSnapshotPolicy,
): readonly SnapshotMetadata[] {
  return list.filter(({ index }, place) => place > 0 && (place >= policy.retained || index < upTo));
}
