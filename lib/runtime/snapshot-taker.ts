/**
 * SnapshotTaker: the machine's state as a snapshot, for the store when one is due and for followers that need one.
 *
 * Not here: when one is due and how far the log is cut behind it (snapshots.ts, storage/snapshot-policy.ts).
 */
import { concatBytes } from "../base/bytes.js";
import type { Clock } from "../base/clock.js";
import { memoryBytesOf } from "../core/entries.js";
import type { RawNode } from "../core/raw-node.js";
import {
  type Index,
  type Message,
  type NodeId,
  noBytes,
  type Snapshot,
  type SnapshotMetadata,
} from "../core/types.js";
import type { Driver } from "./driver.js";
import { begun, type Snapshots } from "./snapshots.js";
import type { StateMachine } from "./state-machine.js";

export interface SnapshotTakerOptions {
  readonly core: RawNode;
  readonly driver: Pick<
    Driver<unknown>,
    "confState" | "applied" | "appliedTerm" | "settled" | "failed" | "drive" | "fail"
  >;
  readonly snapshots: Snapshots;
  readonly machine: StateMachine<unknown>;
  readonly clock: Clock;
  taken(metadata: SnapshotMetadata, ms: number): void;
}

export class SnapshotTaker {
  readonly #options: SnapshotTakerOptions;
  /** The last one made for a follower: several newcomers at once share it. */
  #sent: Snapshot | undefined;

  constructor(options: SnapshotTakerOptions) {
    this.#options = options;
  }

  /** Something was applied: takes one if it is due. */
  look(): void {
    const { snapshots, core, driver } = this.#options;
    const due = snapshots.due(core.basicStatus().logBytes);
    if (due !== undefined && driver.settled) void this.take(due === "memory");
  }

  /**
   * Takes one of the machine as it is now, cuts the log behind it, and resolves with it; with the latest when nothing was
   * applied since, and undefined when there is nothing to take or the node stopped.
   *
   * @param forced  memory is short: nothing of the log stays behind it
   */
  async take(forced = false): Promise<SnapshotMetadata | undefined> {
    const { snapshots, driver, clock, machine, taken } = this.#options;
    const { confState, applied: index, appliedTerm: term, settled, failed } = driver;
    const { latest } = snapshots;
    if (failed || index === 0) return latest;
    if (index === latest?.index) {
      if (forced) await this.#cut(() => snapshots.cutAll());
      return latest;
    }
    if (!settled || snapshots.taking) return undefined;
    const from = clock.now();
    const metadata = { index, term, confState };
    const chunks = (): Iterable<Uint8Array> => begun(machine.snapshot());
    if (!(await this.#cut(() => snapshots.take(metadata, chunks(), forced)))) return undefined;
    taken(metadata, clock.now() - from);
    // So much may have come meanwhile that nothing goes on before another is taken.
    this.look();
    return metadata;
  }

  /** The core forgets what the store did. False when the store failed, which stops the node. */
  async #cut(run: () => Promise<Index | undefined>): Promise<boolean> {
    const { driver } = this.#options;
    try {
      const upTo = await run();
      if (upTo !== undefined && upTo > 0) driver.drive((core) => core.compacted(upTo));
      return true;
    } catch (error) {
      driver.fail(error);
      return false;
    }
  }

  /**
   * A follower whose log is full takes no more entries until a snapshot has cut it: to its leader the message is lost. Where a snapshot
   * would free nothing they are taken: the leader holds them as well, within its own bound.
   */
  hasNoRoomFor({ type, entries }: Message): boolean {
    if (type !== "MsgApp" || entries.length === 0) return false;
    const { snapshots, core } = this.#options;
    const { logBytes, lastIndex } = core.basicStatus();
    if (!snapshots.full(logBytes + memoryBytesOf(entries))) return false;
    // What replaces entries of ours makes the log no longer.
    if ((entries[0]?.index ?? 0) <= lastIndex) return false;
    void this.take(true);
    return true;
  }

  /**
   * The machine as it is now. An older one on disk would not do for a newcomer: its configuration does not name it yet, and
   * who is not named in a snapshot must refuse it.
   */
  now(atLeast: Index): Snapshot | undefined {
    const { applied: index, appliedTerm: term, confState, settled } = this.#options.driver;
    if (index < atLeast || index === 0 || !settled) return undefined;
    if (this.#sent?.metadata.index !== index) {
      const data = concatBytes(...this.#options.machine.snapshot());
      this.#sent = { metadata: { index, term, confState }, data, unknown: undefined };
    }
    return this.#sent;
  }

  /** One on disk; where none will do, one is taken, and the core asks again. */
  stored(to: NodeId, atLeast: Index): Snapshot | undefined {
    const metadata = this.#options.snapshots.usableFor(to, atLeast);
    if (metadata !== undefined) return { metadata, data: noBytes, unknown: undefined };
    void this.take();
    return undefined;
  }
}
