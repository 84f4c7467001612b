/**
 * A replica that is watched: what it is given is what was committed, in order, and what it makes of it is the same everywhere.
 *
 * The runtime shows a machine neither empty entries nor the type of one; the core's own list of what it handed out fills that in.
 */
import {
  type ConfState,
  type Entry,
  emptyConfState,
  type Index,
  type SnapshotMetadata,
} from "../core/types.js";
import { stamp } from "../machines/command.js";
import type { AnyMachine } from "../machines/machine.js";
import { type Applied, createReplica, type Replica } from "../machines/replica.js";
import { markerOf, stampBytes, timesOf } from "../runtime/stamps.js";
import type { AppliedConfChange, NodeMachine, StampedEntry } from "../runtime/state-machine.js";
import type { Loaded } from "../storage/storage.js";

/**
 * A replica's command out of a RaftNode's entry. A replica has the leader's times in a form of its own, which a room's leader puts
 * before the command; here they are taken from the stamp that the RaftNode put there. Undefined for a marker, which no machine is shown.
 */
export function replicaCommand(data: Uint8Array): Uint8Array | undefined {
  if (markerOf(data) !== undefined) return undefined;
  return stamp(data.subarray(stampBytes), timesOf(data));
}

export interface MachineWatch {
  /** An entry is about to be applied. */
  applying(entry: Entry): void;
  /** It was, or the state was replaced (undefined). */
  applied(outcome: Applied | undefined): void;
  configured(): void;
  /** A leader's snapshot is about to replace what is here. */
  installing(metadata: SnapshotMetadata): void;
}

export class WatchedMachine implements NodeMachine<Applied> {
  readonly replica: Replica<unknown>;
  applied: Index = 0;
  confState: ConfState = emptyConfState;
  readonly #watch: () => MachineWatch | undefined;
  /** Handed out by the core and not applied yet. */
  #expected: Entry[] = [];
  #coming: SnapshotMetadata | undefined;

  /** @param watch  is asked each time; undefined where nobody looks any more */
  constructor(machine: AnyMachine, watch: () => MachineWatch | undefined) {
    this.replica = createReplica<unknown>(machine);
    this.#watch = watch;
  }

  /** What the store began with; its snapshot is restored next. */
  loaded({ snapshot }: Loaded): void {
    this.#coming = snapshot;
    if (snapshot !== undefined) this.#moveTo(snapshot);
  }

  committed(entries: readonly Entry[]): void {
    for (const entry of entries) this.#expected.push(entry);
  }

  /** A leader's snapshot is durable here, and will be restored. */
  installed(metadata: SnapshotMetadata): void {
    this.#coming = metadata;
    // What a cluster is founded on comes the same way.
    if (this.applied > 0 || metadata.index > 1) this.#watch()?.installing(metadata);
    else this.#moveTo(metadata);
  }

  /** Everything up to `index` is applied, what no machine is shown included. */
  reach(index: Index): void {
    for (let next = this.#expected[0]; next !== undefined && next.index <= index; ) {
      this.#take(next);
      next = this.#expected[0];
    }
  }

  apply({ index, term, data, now, logTime }: StampedEntry): Applied {
    this.reach(index - 1);
    const next = this.#expected.shift();
    if (next !== undefined) this.#watch()?.applying(next);
    const outcome = this.replica.apply({ index, term, data: stamp(data, { now, logTime }) });
    this.applied = index;
    this.#watch()?.applied(outcome);
    return outcome;
  }

  applyConfChange({ index, confState }: AppliedConfChange): void {
    this.reach(index);
    this.confState = confState;
    this.#watch()?.configured();
  }

  snapshot(): Iterable<Uint8Array> {
    return this.replica.snapshot();
  }

  restore(body: Uint8Array): void {
    this.replica.restore(body);
    const metadata = this.#coming;
    if (metadata === undefined || metadata.index <= this.applied) return;
    this.#moveTo(metadata);
    this.#watch()?.applied(undefined);
  }

  #moveTo(metadata: SnapshotMetadata): void {
    this.applied = metadata.index;
    this.confState = metadata.confState;
    this.#expected = this.#expected.filter(({ index }) => index > metadata.index);
  }

  #take(entry: Entry): void {
    this.#expected.shift();
    this.#watch()?.applying(entry);
    this.applied = entry.index;
  }
}
