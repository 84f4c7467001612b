/** Founding: what a cluster begins with, and how an empty store is told from one with a past. */
import type { ConfState, NodeId } from "../core/types.js";
import type { Loaded, OpenedStore } from "../storage/storage.js";

/**
 * Founds a cluster: a snapshot at index 1 of term 1 with `confState` and `body` as the machine's state. Whoever founds the same cluster
 * must write the same bytes.
 */
export async function foundCluster(
  store: OpenedStore,
  confState: ConfState,
  vote: NodeId,
  body: Uint8Array,
): Promise<Loaded> {
  const metadata = { index: 1, term: 1, confState };
  const hardState = { term: 1, vote, commit: 1 };
  await store.storage.append({
    hardState,
    snapshot: { metadata, data: body, unknown: undefined },
    entries: [],
    sync: true,
  });
  return { hardState, snapshot: metadata, entries: [], compacted: { index: 1, term: 1 } };
}

export function isEmpty({ snapshot, entries, hardState }: Loaded): boolean {
  return snapshot === undefined && entries.length === 0 && hardState.term === 0;
}
