/**
 * DirectMachine: what a SimNode's committed entries become, in one life of it: a replica, the snapshots that it sends, and those that
 * forget its log.
 *
 * Batches may wait before they are applied, as a machine with much to do would let them.
 */
import { concatBytes } from "../base/bytes.js";
import type { Random } from "../base/random.js";
import type { RawNode } from "../core/raw-node.js";
import {
  type ConfState,
  type Entry,
  emptyConfState,
  type Index,
  type Snapshot,
  type Term,
} from "../core/types.js";
import { createReplica, type Replica } from "../machines/replica.js";
import type { NodeWorld, SimPeer } from "./node-world.js";
import type { ObservedNode } from "./observer.js";
import type { RecordDisk } from "./record-disk.js";
import { exponential } from "./sim-options.js";

/** The node as its machine sees it. */
export interface MachineHost extends SimPeer, ObservedNode {
  readonly id: number;
  readonly core: RawNode | undefined;
  readonly replica: Replica<unknown>;
  readonly applied: Index;
  readonly confState: ConfState;
  readonly disk: RecordDisk;
  drive(input: (core: RawNode) => void): void;
}

export class DirectMachine {
  readonly replica: Replica<unknown>;
  applied: Index = 0;
  confState: ConfState = emptyConfState;
  readonly #node: MachineHost;
  readonly #world: NodeWorld;
  readonly #random: Random;
  readonly #diskRandom: Random;
  #appliedTerm: Term = 0;
  #applyQueue: Entry[] = [];
  #applying = false;
  #sinceSnapshot = 0;
  #snapshotting = false;
  #sentSnapshot: Snapshot | undefined;

  constructor(node: MachineHost, world: NodeWorld, random: Random, diskRandom: Random) {
    this.#node = node;
    this.#world = world;
    this.#random = random;
    this.#diskRandom = diskRandom;
    this.replica = createReplica<unknown>(world.machine);
    const body = node.disk.flushed.snapshot;
    if (body === undefined) return;
    this.replica.restore(body.data);
    this.applied = body.metadata.index;
    this.#appliedTerm = body.metadata.term;
    this.confState = body.metadata.confState;
  }

  take(core: RawNode, entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const { applyMs } = this.#world.options;
    if (applyMs === 0) {
      for (const entry of entries) this.#apply(core, entry);
      core.applied(this.applied);
      this.#world.observer.look(this.#node);
      return;
    }
    for (const entry of entries) this.#applyQueue.push(entry);
    this.#applyLater(core, applyMs);
  }

  #applyLater(core: RawNode, ms: number): void {
    if (this.#applying) return;
    this.#applying = true;
    this.#world.after(this.#random.below(2 * ms), () => {
      if (this.#node.core !== core) return;
      this.#applying = false;
      const batch = this.#applyQueue.splice(0, 3);
      if (batch.length === 0) return;
      this.#world.log(this.#node, "applies", batch.length);
      for (const entry of batch) this.#apply(core, entry);
      this.#node.drive(() => core.applied(this.applied));
      if (this.#applyQueue.length > 0) this.#applyLater(core, ms);
    });
  }

  #apply(core: RawNode, entry: Entry): void {
    this.#world.observer.applying(this.#node, entry);
    this.#sinceSnapshot++;
    if (entry.type !== "EntryNormal") {
      this.confState = core.applyConfChange(entry);
      this.applied = entry.index;
      this.#appliedTerm = entry.term;
      this.#world.log(this.#node, "configuration", this.confState);
      this.#world.observer.look(this.#node);
      return;
    }
    const { index, term, data } = entry;
    const outcome = data.length > 0 ? this.replica.apply({ index, term, data }) : undefined;
    this.applied = index;
    this.#appliedTerm = term;
    this.#world.observer.applied(this.#node, outcome);
    if (outcome !== undefined) this.#world.applied(this.#node, outcome, index);
  }

  install(core: RawNode, snapshot: Snapshot): void {
    this.#world.observer.installing(this.#node, snapshot.metadata);
    this.replica.restore(snapshot.data);
    this.applied = snapshot.metadata.index;
    this.#appliedTerm = snapshot.metadata.term;
    this.confState = snapshot.metadata.confState;
    this.#sinceSnapshot = 0;
    const overtaken = this.#applyQueue.at(-1);
    this.#applyQueue = [];
    if (overtaken !== undefined) core.applied(overtaken.index);
    this.#world.observer.applied(this.#node, undefined);
  }

  snapshotNow(atLeast: Index): Snapshot | undefined {
    const { applied: index, confState } = this;
    const term = this.#appliedTerm;
    if (index < atLeast || index === 0) return undefined;
    if (this.#sentSnapshot?.metadata.index !== index) {
      const data = concatBytes(...this.replica.snapshot());
      this.#sentSnapshot = { metadata: { index, term, confState }, data, unknown: undefined };
    }
    this.#world.observer.snapshotMade(this.#node, this.#sentSnapshot.metadata);
    return this.#sentSnapshot;
  }

  maybeSnapshot(): void {
    const { snapshotEntries, trailing, disk } = this.#world.options;
    if (this.#snapshotting || this.#sinceSnapshot < snapshotEntries) return;
    this.#snapshotting = true;
    this.#sinceSnapshot = 0;
    const { applied: index, confState } = this;
    const term = this.#appliedTerm;
    const { life } = this.#node;
    const metadata = { index, term, confState };
    this.#world.observer.snapshotMade(this.#node, metadata);
    const body = { metadata, data: concatBytes(...this.replica.snapshot()) };
    this.#world.after(1 + exponential(this.#diskRandom, 2 * disk.meanMs + 1), () => {
      if (this.#node.life !== life) return;
      this.#snapshotting = false;
      this.#compact(body, Math.max(0, index - trailing));
    });
  }

  #compact(body: { metadata: Snapshot["metadata"]; data: Uint8Array }, upTo: Index): void {
    const { flushed } = this.#node.disk;
    const newest = flushed.snapshot?.metadata.index ?? 0;
    // Under way or not flushed: what is applied may be ahead of our own disk, and the adapter would refuse.
    const { index, term } = body.metadata;
    if (newest >= index || flushed.term(index) !== term) return;
    this.#node.disk.compact(body, upTo);
    if (upTo <= newest) return;
    this.#world.log(this.#node, "compacts", upTo);
    this.#world.observer.compacting(this.#node, upTo);
    this.#node.drive((core) => core.compacted(upTo));
  }
}
