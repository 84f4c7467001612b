/**
 * RaftNode: one running node: a core, its store, a way to send and a state machine, on a clock.
 *
 * Opens the store, rebuilds the machine from the newest snapshot, builds the core from the log and keeps the driver turning. What
 * a command means, who is a member and how frames travel are the caller's.
 *
 * Invariant: a node that failed never acknowledges again; a new one is opened from the store.
 */
import { concatBytes } from "../base/bytes.js";
import type { Clock } from "../base/clock.js";
import type { Random } from "../base/random.js";
import { decodeMessages } from "../codec/raftpb.js";
import { type BasicStatus, type PeerStatus, RawNode } from "../core/raw-node.js";
import type { ProposeResult, StepResult } from "../core/results.js";
import {
  type ConfChangeV2,
  type ConfState,
  emptyConfState,
  type Index,
  type Message,
  type NodeId,
  type Snapshot,
  type SnapshotMetadata,
  type SoftState,
} from "../core/types.js";
import type { Loaded, OpenedStore } from "../storage/storage.js";
import { Driver } from "./driver.js";
import { readBody, type SnapshotPolicy, Snapshots } from "./snapshots.js";
import type { AppliedConfChange, StateMachine } from "./state-machine.js";

/** How fast a cluster reacts; the same at every node of it. */
export interface Timing {
  /** Milliseconds of one tick. */
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  /** The election timeout is drawn from [electionTicks, 2·electionTicks−1]. */
  readonly electionTicks: number;
}

/** Heartbeats every 250 ms, elections after 1.5–3 s: what browser tabs and their links can keep. */
export const browserTiming: Timing = { tickMs: 50, heartbeatTicks: 5, electionTicks: 30 };

export interface RaftNodeOptions<Result> {
  readonly id: NodeId;
  readonly store: OpenedStore;
  readonly machine: StateMachine<Result>;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: Timing;
  readonly snapshotPolicy?: SnapshotPolicy;
  /** Given to the one node that founds the cluster: the machine's first state, asked for when the store is empty. */
  readonly found?: () => Uint8Array;
  readonly events: RaftNodeEvents<Result>;
}

export interface RaftNodeEvents<Result> {
  /** Messages of one turn for one peer, in order. False when they are known to be lost. */
  send(to: NodeId, message: Message): boolean;
  applied(index: Index, result: Result): void;
  /** The machine's state was replaced: by a leader's snapshot. */
  restored(): void;
  configured(change: AppliedConfChange): void;
  softState(state: SoftState): void;
  /** Once after each turn in which commit or applied moved. */
  progressed(): void;
  /** The node stopped for good. */
  failed(error: unknown): void;
}

/**
 * Founds a cluster of one: a snapshot at index 1 of term 1 with this node as the only voter and `body` as the machine's state.
 * Nobody else ever bootstraps, so two clusters cannot share a name.
 */
async function foundCluster(store: OpenedStore, id: NodeId, body: Uint8Array): Promise<Loaded> {
  const confState: ConfState = { ...emptyConfState, voters: [id] };
  const metadata = { index: 1, term: 1, confState };
  const hardState = { term: 1, vote: id, commit: 1 };
  await store.storage.append({
    hardState,
    snapshot: { metadata, data: body, unknown: undefined },
    entries: [],
    sync: true,
  });
  return { hardState, snapshot: metadata, entries: [], compacted: { index: 1, term: 1 } };
}

/** Before the first entry: what a store without a snapshot starts from. */
const nothing: SnapshotMetadata = { index: 0, term: 0, confState: emptyConfState };

function isEmpty({ snapshot, entries, hardState }: Loaded): boolean {
  return snapshot === undefined && entries.length === 0 && hardState.term === 0;
}

export class RaftNode<Result> {
  readonly id: NodeId;
  readonly #core: RawNode;
  readonly #driver: Driver<Result>;
  readonly #snapshots: Snapshots;
  readonly #machine: StateMachine<Result>;
  readonly #store: OpenedStore;
  readonly #stopTicks: () => void;
  #refused = 0;
  #started = false;
  /** The last one made for a follower: several newcomers at once share it. */
  #sent: Snapshot | undefined;

  /** Loads the store; nothing happens before `start`. @throws LogboomError `STORAGE_FAILED`, `DECODE` when the snapshot is damaged. */
  static async open<Result>(options: RaftNodeOptions<Result>): Promise<RaftNode<Result>> {
    let loaded = await options.store.storage.load();
    if (options.found !== undefined && isEmpty(loaded)) {
      loaded = await foundCluster(options.store, options.id, options.found());
    }
    if (loaded.snapshot !== undefined) {
      options.machine.restore(await readBody(options.store, loaded.snapshot));
    }
    return new RaftNode(options, loaded);
  }

  private constructor(options: RaftNodeOptions<Result>, loaded: Loaded) {
    const { id, store, machine, timing, events } = options;
    this.id = id;
    this.#machine = machine;
    this.#store = store;
    this.#snapshots = new Snapshots(store, loaded.snapshot, options.snapshotPolicy);
    const { confState, index, term } = loaded.snapshot ?? nothing;
    this.#core = new RawNode(
      {
        id,
        heartbeatTicks: timing.heartbeatTicks,
        electionTicks: timing.electionTicks,
        preVote: true,
        checkQuorum: true,
        // Whoever forwards does it above the core, so that the leader stamps what it proposes.
        forwardProposals: false,
        random: options.random,
        snapshot: (_to, atLeast) => this.#snapshotNow(atLeast),
      },
      {
        hardState: loaded.hardState,
        confState,
        compacted: loaded.compacted,
        entries: loaded.entries,
        applied: index,
      },
    );
    this.#driver = new Driver<Result>({
      core: this.#core,
      storage: store.storage,
      machine,
      confState,
      applied: index,
      appliedTerm: term,
      events: {
        send: (message) => events.send(message.to, message),
        applied: (index, result, bytes) => {
          this.#snapshots.count(bytes);
          events.applied(index, result);
        },
        restored: (snapshot) => {
          this.#snapshots.installed(snapshot.metadata);
          events.restored();
        },
        configured: events.configured,
        softState: events.softState,
        read: () => {},
        progressed: () => {
          this.#maybeSnapshot();
          events.progressed();
        },
        failed: (error) => {
          this.#stopTicks();
          events.failed(error);
        },
      },
    });
    store.onLost((error) => this.#driver.fail(error));
    this.#stopTicks = options.clock.every(timing.tickMs, () => {
      if (this.#started) this.#drive((core) => core.tick());
    });
  }

  /** Begins: applies what the log already holds as committed, before anybody hears of us. */
  start(): void {
    this.#started = true;
    this.#drive(() => {});
  }

  get confState(): ConfState {
    return this.#driver.confState;
  }

  status(): BasicStatus {
    return this.#core.basicStatus();
  }

  /** What this node knows of each member, while it leads; empty otherwise. */
  peers(): ReadonlyMap<NodeId, PeerStatus> {
    return this.#core.status().peers;
  }

  /** Messages from elsewhere that were refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Proposes a command; its result arrives by `events.applied`, on every node. */
  propose(data: Uint8Array): ProposeResult {
    return this.#drive((core) => core.propose(data)) ?? stopped;
  }

  proposeConfChange(change: ConfChangeV2): ProposeResult {
    return this.#drive((core) => core.proposeConfChange(change)) ?? stopped;
  }

  transferLeader(to: NodeId): void {
    this.#drive((core) => core.transferLeader(to));
  }

  /** Asks for votes now instead of at the next timeout. */
  campaign(): void {
    this.#drive((core) => core.campaign());
  }

  /** Takes in a frame of raftpb messages from the authenticated peer `from`. @throws DecodeError, nothing else */
  receive(from: NodeId, body: Uint8Array): void {
    const messages = decodeMessages(body);
    this.#drive((core) => {
      for (const message of messages) {
        // Nobody speaks for another, and nothing here is relayed.
        const result = message.from === from ? core.step(message) : undefined;
        if (result === undefined || isForeign(result)) this.#refused += 1;
      }
    });
  }

  /** The link to `peer` broke: what was sent last may be lost. */
  unreachable(peer: NodeId): void {
    this.#drive((core) => core.reportUnreachable(peer));
  }

  /** Stops; resolves when the write in flight has ended. The store is the caller's to close. */
  async close(): Promise<void> {
    this.#stopTicks();
    await this.#driver.stop();
  }

  #drive<T>(input: (core: RawNode) => T): T | undefined {
    return this.#driver.drive(input);
  }

  /**
   * The machine as it is now. An older one on disk would not do for a newcomer: its configuration does not name it yet, and
   * who is not named in a snapshot must refuse it.
   */
  #snapshotNow(atLeast: Index): Snapshot | undefined {
    const { applied: index, appliedTerm: term, confState } = this.#driver;
    if (index < atLeast || index === 0) return undefined;
    if (this.#sent?.metadata.index !== index) {
      const data = concatBytes(...this.#machine.snapshot());
      this.#sent = { metadata: { index, term, confState }, data, unknown: undefined };
    }
    return this.#sent;
  }

  #maybeSnapshot(): void {
    if (!this.#snapshots.due) return;
    const { confState, applied: index, appliedTerm: term } = this.#driver;
    void this.#snapshots.take({ index, term, confState }, this.#machine.snapshot()).then(
      (upTo) => {
        if (upTo !== undefined) this.#drive((core) => core.compacted(upTo));
      },
      (error) => this.#driver.fail(error),
    );
  }
}

const stopped: ProposeResult = { accepted: false, reason: "stopped" };

/** What only a broken or foreign peer sends; a late message is none of that. */
function isForeign(result: StepResult): boolean {
  return (
    !result.accepted &&
    ["localType", "notForUs", "unknownPeer", "ownName", "malformed"].includes(result.reason)
  );
}
