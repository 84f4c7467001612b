/**
 * The atlas rule: a store may lose what it acknowledged only where enough others still hold it.
 *
 * What is acknowledged counts for ever, so damage that takes the last good copies away breaks any protocol; what is tested is that damage
 * which leaves a quorum of good copies breaks nothing. Terms and votes have one copy each and are never taken. TigerBeetle's "fault
 * atlas"; Protocol-Aware Recovery (FAST '18).
 */
import type { ConfState, Index, NodeId, Term } from "../core/types.js";
import { isQuorum } from "./conf-model.js";
import type { Image } from "./record-disk.js";

export interface AtlasView {
  /** Every configuration that somebody may go by. */
  readonly confs: readonly ConfState[];
  readonly others: readonly { readonly id: NodeId; readonly image: Image }[];
  /** Of the committed entry at an index. */
  termAt(index: Index): Term | undefined;
}

/** Whether a store that acknowledged `before` may be found as `after`. */
export function mayFallBack(before: Image, after: Image, view: AtlasView): boolean {
  const { term, vote } = before.hardState;
  if (after.hardState.term !== term || after.hardState.vote !== vote) return false;
  for (let index = 1; index <= before.lastIndex; index++) {
    const own = before.term(index) ?? view.termAt(index);
    if (own === undefined || after.holds(index, own)) continue;
    const held = (id: NodeId): boolean =>
      view.others.some((other) => other.id === id && other.image.holds(index, own));
    if (!view.confs.every((conf) => isQuorum(conf, held))) return false;
  }
  return true;
}

/**
 * What an opening lacks of what was acknowledged before; undefined where it lacks nothing.
 *
 * @param freeFrom  from this index on a write that was under way may have replaced entries
 */
export function lacking(before: Image, after: Image, freeFrom: Index): string | undefined {
  const { term, vote } = before.hardState;
  const found = after.hardState;
  if (found.term < term) return `term ${term}, it is in ${found.term}`;
  if (found.term === term && vote !== 0 && found.vote !== vote) {
    return `its vote for ${vote} in term ${term}, it has one for ${found.vote}`;
  }
  const last = Math.min(before.lastIndex, freeFrom - 1);
  // What was compacted is covered by its last entry: holding that, or a snapshot of it, is holding all before it.
  for (let index = Math.max(1, before.compacted.index); index <= last; index++) {
    const own = before.term(index) ?? 0;
    if (!after.holds(index, own)) return `entry ${index} of term ${own}`;
  }
  return undefined;
}
