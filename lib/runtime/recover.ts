/**
 * Recovery after a majority is gone for good: explicit, offline, and the one thing here that may lose acknowledged commands.
 *
 * Run it on ONE survivor, the one with the longest log, with its node stopped; then open that node, and add others with new ids and
 * empty stores. Every entry of its log is applied, also those not known to be committed: a majority may have acknowledged them. What
 * the lost members alone had is lost. A former member that comes back must not be let in: its log may differ.
 * Compare hashicorp/raft's RecoverCluster, which may be run on several and relies on their logs being alike.
 */
import { LogboomError } from "../base/errors.js";
import { emptyConfState, type NodeId, type SnapshotMetadata } from "../core/types.js";
import type { OpenedStore } from "../storage/storage.js";
import { isEmpty } from "./founding.js";
import { MemberedMachine } from "./membered-machine.js";
import { replay } from "./replay.js";
import { save } from "./snapshots.js";
import type { NodeMachine } from "./state-machine.js";

export interface RecoverOptions {
  /** This survivor: the sole voter afterwards. */
  readonly id: NodeId;
  /** Not in use by a node. Closed at the end. */
  readonly store: OpenedStore;
  /** A fresh one. */
  readonly machine: NodeMachine<unknown>;
  readonly address?: string;
}

/**
 * Makes this store's node the only voter of its cluster, with everything its log holds. Resolves with the snapshot it begins from.
 *
 * @throws LogboomError `BAD_INPUT` (an empty store), `STORAGE_FAILED`, `DECODE` (a damaged snapshot), `UPGRADE_NEEDED`; outcome none, but for
 *         `STORAGE_FAILED` while the new beginning is written: it stands wholly or not at all. Whatever the machine throws is passed on.
 */
export async function recoverCluster(options: RecoverOptions): Promise<SnapshotMetadata> {
  const { id, store, address } = options;
  const loaded = await store.storage.load();
  if (isEmpty(loaded))
    throw new LogboomError("BAD_INPUT", "the store is empty: nothing to recover");
  const machine = new MemberedMachine(options.machine);
  const { last } = await replay(machine, store, loaded);
  machine.refound(last + 1, new Map(address === undefined ? [] : [[id, address]]));
  // A term and an index nobody has: what lost members still hold can never pass for this.
  const term = loaded.hardState.term + 1;
  const confState = { ...emptyConfState, voters: [id] };
  const metadata = { index: last + 1, term, confState };
  await save(store, metadata, machine.snapshot());
  await store.storage.append({
    hardState: { term, vote: id, commit: metadata.index },
    snapshot: { metadata, data: new Uint8Array(0), unknown: undefined },
    entries: [],
    sync: true,
  });
  await store.storage.close();
  return metadata;
}
