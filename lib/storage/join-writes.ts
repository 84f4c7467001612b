/**
 * joinWrites: two writes as one, so that what waits for a busy disk costs one flush (group commit).
 *
 * The later write wins wherever both speak: its snapshot drops the earlier one's snapshot and entries, its entries cut the
 * earlier ones off at its first index, its HardState replaces the earlier one, and it is flushed if one of them had to be. Storing
 * the joined write leaves the same state as storing both. To a crash it is one write: what storage.ts says may be left of one may be
 * left of it, so the earlier may not be counted as durable before the later is. Dissertation §10.2.1.
 *
 * Invariant: entries stay contiguous. Not here: when to join (runtime/writer.ts).
 */
import { assert } from "../base/assert.js";
import type { Entry, Write } from "../core/types.js";

/**
 * `a`, then `b`, as one write. It is done when `b` is, hence `b`'s id.
 *
 * @throws InvariantError when `b`'s entries leave a gap after `a`'s, or reach back into `a`'s snapshot
 */
export function joinWrites(a: Write, b: Write): Write {
  assert(a.id < b.id, "writes are joined in order", { a: a.id, b: b.id });
  return {
    id: b.id,
    hardState: b.hardState ?? a.hardState,
    snapshot: b.snapshot ?? a.snapshot,
    entries: b.snapshot === undefined ? joinEntries(a, b) : b.entries,
    sync: a.sync || b.sync,
  };
}

function joinEntries(a: Write, b: Write): readonly Entry[] {
  const first = b.entries[0];
  if (first === undefined) return a.entries;
  const snapshotIndex = a.snapshot?.metadata.index;
  if (snapshotIndex !== undefined) {
    assert(first.index > snapshotIndex, "entries reach back into a snapshot", {
      first: first.index,
      snapshotIndex,
    });
  }
  const earlier = a.entries[0];
  if (earlier === undefined) {
    const gap = snapshotIndex !== undefined && first.index !== snapshotIndex + 1;
    assert(!gap, "a gap between a snapshot and entries", { first: first.index, snapshotIndex });
    return b.entries;
  }
  assert(first.index <= earlier.index + a.entries.length, "a gap between joined entries", {
    first: first.index,
    end: earlier.index + a.entries.length,
  });
  // All of `a` may be replaced, and more below it: `b` then begins where it begins.
  const kept = Math.max(0, first.index - earlier.index);
  return [...a.entries.slice(0, kept), ...b.entries];
}
