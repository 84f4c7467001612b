/**
 * Replay: a store's whole log on a machine, committed or not, with the configuration as of its end. For what is done while no node
 * runs on the store: recovery, and looking in.
 */
import { InvariantError } from "../base/errors.js";
import {
  applyChange,
  confStateOf,
  type Membership,
  type Newcomers,
  restoreMembership,
} from "../core/confchange.js";
import { decodeConfChange } from "../core/confchange-codec.js";
import { Inflights } from "../core/inflights.js";
import { type ConfState, type Entry, emptyConfState, type Index } from "../core/types.js";
import type { Loaded, OpenedStore } from "../storage/storage.js";
import { restoreSnapshot } from "./applier.js";
import type { MemberedMachine } from "./membered-machine.js";

/** Nobody is sent anything here. */
const newcomers: Newcomers = { lastIndex: 0, makeInflights: () => new Inflights(1, 1) };

/** @throws LogboomError as `restoreSnapshot`, and whatever the machine throws */
export async function replay(
  machine: MemberedMachine<unknown>,
  store: Pick<OpenedStore, "snapshots">,
  { snapshot, entries }: Loaded,
): Promise<{ readonly last: Index; readonly confState: ConfState }> {
  const known = machine.appliedIndex?.() ?? 0;
  if (snapshot !== undefined) await restoreSnapshot(machine, store, snapshot);
  let membership = membershipOf(snapshot?.confState ?? emptyConfState);
  let last = snapshot?.index ?? 0;
  for (const entry of entries) {
    if (entry.index <= last) continue;
    last = entry.index;
    if (entry.type !== "EntryNormal") {
      membership = changed(machine, membership, entry, known);
    } else if (entry.data.length > 0) {
      if (last > known) machine.apply(entry);
      else machine.beside.entry(entry);
    }
  }
  return { last, confState: confStateOf(membership.configuration) };
}

function changed(
  machine: MemberedMachine<unknown>,
  membership: Membership,
  entry: Entry,
  known: Index,
): Membership {
  const change = decodeConfChange(entry);
  const { context } = change;
  const answer = applyChange(membership, change, newcomers);
  // What cannot be carried out changes nothing, as in the core.
  const after = answer.ok ? answer.membership : membership;
  const confState = confStateOf(after.configuration);
  const applied = { index: entry.index, confState, context };
  if (entry.index > known) machine.applyConfChange(applied);
  else machine.beside.confChange(applied);
  return after;
}

function membershipOf(confState: ConfState): Membership {
  const restored = restoreMembership(confState, newcomers);
  if (!restored.ok) throw new InvariantError("a stored configuration can be reached", restored);
  return restored.membership;
}
