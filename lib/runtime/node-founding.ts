/** How a RaftNode's cluster begins: with the members' table and the machine as new, the same bytes at every founder. */
import { type NodeId, noNode } from "../core/types.js";
import type { Loaded, OpenedStore } from "../storage/storage.js";
import { foundCluster } from "./founding.js";
import type { MemberedMachine } from "./membered-machine.js";
import { type Bootstrap, bootstrapState } from "./node-options.js";

/** Founds the cluster of a RaftNode, whose machine is as new. @throws LogboomError `BAD_CONFIG`, `STORAGE_FAILED` */
export async function foundWith(
  { store, id }: { readonly store: OpenedStore; readonly id: NodeId },
  machine: MemberedMachine<unknown>,
  bootstrap: Bootstrap,
): Promise<Loaded> {
  const confState = bootstrapState(bootstrap, id);
  const body = machine.found(bootstrap.addresses ?? new Map());
  return await foundCluster(store, confState, noNode, body);
}
