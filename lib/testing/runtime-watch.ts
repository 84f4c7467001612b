/** The world of a RuntimeNode, and what is looked at in it: each call of its core, and each entry that its machine is given. */
import type { StepResult } from "../core/results.js";
import type { NodeId } from "../core/types.js";
import type { NodeWorld, SimPeer } from "./node-world.js";
import type { ObservedNode } from "./observer.js";
import type { Image } from "./record-disk.js";
import type { SimLinks } from "./sim-links.js";
import type { SimMedium } from "./sim-medium.js";
import type { CoreWatch } from "./watched-core.js";
import type { MachineWatch, WatchedMachine } from "./watched-machine.js";
import type { StoreWatch } from "./watched-store.js";

/** What a RuntimeNode needs beside what every node does. */
export interface RuntimeWorld extends NodeWorld {
  /** With whom the cluster begins. */
  readonly voters: readonly NodeId[];
  makeMedium(slot: number): SimMedium;
  /** Whether the store of `id` may be found as `left`. */
  mayFallBack(id: NodeId, acknowledged: Image, left: Image): boolean;
  /** A store went back without noticing: its node may stop because of it. */
  wentBack(id: NodeId): void;
  /** The store is of no use any more, and with it the identity. */
  storeLost(node: SimPeer): void;
  /** Runs a check; what it throws ends the simulation. */
  check(run: () => void): void;
  /** Who runs, but for `id`. */
  others(id: NodeId): readonly NodeId[];
  readonly links: SimLinks;
}

type WatchedNode = SimPeer & ObservedNode;

export function coreWatch(
  node: WatchedNode,
  { observer, check, log, progressed }: RuntimeWorld,
  machine: WatchedMachine,
): CoreWatch {
  return {
    looked: () => check(() => observer.look(node)),
    stepping: (message) => log(node, "gets", message),
    step(message, step) {
      let result: StepResult = { accepted: true };
      check(() => {
        result = observer.stepping(node, message, step);
      });
      return result;
    },
    said: (messages) =>
      check(() => {
        for (const message of messages) {
          observer.sending(node, message);
          log(node, "sends", message);
        }
      }),
    handing: (write) => check(() => observer.handing(node, write)),
    durable: (write) => log(node, "durable", write.id),
    committed: (entries) => machine.committed(entries),
    applied: (index) => machine.reach(index),
    compacted(upTo) {
      log(node, "compacts", upTo);
      check(() => observer.compacting(node, upTo));
    },
    settled() {
      check(() => observer.settled(node));
      progressed(node);
    },
  };
}

export function storeWatch(
  node: WatchedNode,
  { observer, wentBack }: RuntimeWorld,
  machine: WatchedMachine,
): Pick<StoreWatch, "ledger" | "id" | "wentBack" | "installed" | "bodyBegun"> {
  const { id } = node;
  return {
    ledger: observer.ledger,
    id,
    wentBack: () => wentBack(id),
    installed: (metadata) => machine.installed(metadata),
    bodyBegun(metadata) {
      // What is newer than what we have applied is on its way in.
      if (metadata.index <= node.applied) observer.snapshotMade(node, metadata);
    },
  };
}

export function machineWatch(
  node: WatchedNode,
  { observer, check, log, progressed, applied }: RuntimeWorld,
): MachineWatch {
  return {
    applying: (entry) => check(() => observer.applying(node, entry)),
    applied(outcome) {
      if (node.core === undefined) return;
      check(() => observer.applied(node, outcome));
      if (outcome !== undefined) applied(node, outcome, node.applied);
      progressed(node);
    },
    configured: () => log(node, "configuration", node.confState),
    installing: (metadata) => check(() => observer.installing(node, metadata)),
  };
}
