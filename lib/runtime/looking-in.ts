/** Looking into a store while no node runs on it: whether it has a past, and who its members were. Reads, and writes nothing. */

import type { OpenedStore } from "../storage/storage.js";
import { isEmpty } from "./founding.js";
import { MemberedMachine } from "./membered-machine.js";
import type { Configuration } from "./members.js";
import { replay } from "./replay.js";
import type { NodeMachine } from "./state-machine.js";

/**
 * Whether the store belongs to a cluster already: a node opened on it ignores `bootstrap`.
 *
 * @param store  not in use by a node; it stays open, and the caller's
 * @throws LogboomError `STORAGE_FAILED`, outcome none
 */
export async function hasState(store: OpenedStore): Promise<boolean> {
  return !isEmpty(await store.storage.load());
}

/**
 * The latest configuration in the store, by an entry that need not be committed; undefined where there is no state.
 *
 * @param store  not in use by a node; it stays open, and the caller's
 * @throws LogboomError `STORAGE_FAILED`, `DECODE`, outcome none
 */
export async function readConfiguration(store: OpenedStore): Promise<Configuration | undefined> {
  const loaded = await store.storage.load();
  if (isEmpty(loaded)) return undefined;
  const machine = new MemberedMachine(knowsAll);
  const { confState } = await replay(machine, store, loaded);
  return { index: machine.configurationIndex, confState, addresses: machine.addresses };
}

/** A machine that is told nothing, since it knows everything: the members' table is kept beside it. */
const knowsAll: NodeMachine<undefined> = {
  version: Number.MAX_SAFE_INTEGER,
  appliedIndex: () => Number.MAX_SAFE_INTEGER,
  apply: () => undefined,
  snapshot: () => [],
  restore() {},
};
