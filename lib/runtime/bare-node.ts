/**
 * BareNode: one running node: a core, its store, a way to send and a state machine, on a clock. Events in, events out.
 *
 * Opens the store, rebuilds the machine from the newest snapshot, builds the core from the log and keeps the driver turning. What
 * a command means, who is a member and how frames travel are the caller's: RaftNode lays promises over it, a room its own protocol.
 *
 * Invariant: a node that failed never acknowledges again; a new one is opened from the store.
 */
import type { Clock } from "../base/clock.js";
import type { Random } from "../base/random.js";
import { decodeMessages } from "../codec/raftpb.js";
import type { Config } from "../core/config.js";
import { type BasicStatus, type PeerStatus, RawNode, type Status } from "../core/raw-node.js";
import type { ProposalFate, ProposeResult, Result, StepResult } from "../core/results.js";
import {
  type ConfChangeV2,
  type ConfState,
  type Entry,
  emptyConfState,
  type Index,
  type Message,
  type NodeId,
  type ReadState,
  type SnapshotMetadata,
  type SoftState,
  type Term,
} from "../core/types.js";
import type { SnapshotPolicy } from "../storage/snapshot-policy.js";
import type { Loaded, OpenedStore } from "../storage/storage.js";
import { restoreSnapshot } from "./applier.js";
import { Driver } from "./driver.js";
import { foundCluster, isEmpty } from "./founding.js";
import { bestSuccessor } from "./handing-over.js";
import { SnapshotTaker } from "./snapshot-taker.js";
import { completePolicy, Snapshots, trimmed } from "./snapshots.js";
import type { AppliedConfChange, Beside, StateMachine } from "./state-machine.js";

/** How fast a cluster reacts; the same at every node of it. */
export interface Timing {
  /** Milliseconds of one tick. */
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  /** The election timeout is drawn from [electionTicks, 2·electionTicks−1]. */
  readonly electionTicks: number;
}

export function sameTiming(a: Timing, b: Timing): boolean {
  const { tickMs, heartbeatTicks, electionTicks } = a;
  return (
    tickMs === b.tickMs && heartbeatTicks === b.heartbeatTicks && electionTicks === b.electionTicks
  );
}

/** Heartbeats every 250 ms, elections after 1.5–3 s: what browser tabs and their links can keep. */
export const browserTiming: Timing = { tickMs: 50, heartbeatTicks: 5, electionTicks: 30 };
/**
 * Heartbeats every 300 ms, elections after 1–2 s: Node processes in one network. etcd and hashicorp/raft wait a second as well; what an idle
 * cluster costs is its heartbeats.
 */
export const nodeTiming: Timing = { tickMs: 50, heartbeatTicks: 6, electionTicks: 20 };

export interface BareNodeOptions<R> {
  readonly id: NodeId;
  readonly store: OpenedStore;
  readonly machine: StateMachine<R> & { readonly beside?: Beside };
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: Timing;
  /** When snapshots are taken, and how much log stays in memory. What is not given is the default. */
  readonly snapshotPolicy?: Partial<SnapshotPolicy>;
  /** What a MsgSnap carries: the machine's state as it is now ("inline", the default), or the name of a stored snapshot whose body
   *  `send` must have carried over first ("stored"). */
  readonly snapshotBodies?: "inline" | "stored";
  /** Further settings of the core. */
  readonly core?: Partial<Config>;
  /** Given to the one node that founds the cluster: the machine's first state, asked for when the store is empty. */
  readonly found?: () => Uint8Array;
  /** Is shown the core before it runs: for tests that look into it. */
  readonly watch?: (core: RawNode) => void;
  readonly events: BareNodeEvents<R>;
}

export interface BareNodeEvents<R> {
  /** Messages of one turn for one peer, in order. False when they are known to be lost. */
  send(to: NodeId, message: Message): boolean;
  applied(index: Index, result: R): void;
  /** Every entry, after it was applied; also those that no machine sees. */
  entry?(entry: Entry, result: R | undefined): void;
  /** The machine's state was replaced: by a leader's snapshot. */
  restored(metadata: SnapshotMetadata): void;
  configured(change: AppliedConfChange): void;
  softState(state: SoftState): void;
  read?(state: ReadState): void;
  readDropped?(context: Uint8Array): void;
  stored?(entries: number, ms: number): void;
  /** A turn of the loop took `ms`. */
  turned?: ((ms: number) => void) | undefined;
  snapshotTaken?(metadata: SnapshotMetadata, ms: number): void;
  /** Once after each turn in which commit or applied moved. */
  progressed(): void;
  /** The node stopped for good. */
  failed(error: unknown): void;
}

/** Before the first entry: what a store without a snapshot starts from. */
const nothing: SnapshotMetadata = { index: 0, term: 0, confState: emptyConfState };

export class BareNode<R> {
  readonly id: NodeId;
  readonly snapshots: Snapshots;
  readonly #options: BareNodeOptions<R>;
  readonly #core: RawNode;
  readonly #driver: Driver<R>;
  readonly #taker: SnapshotTaker;
  #refused = 0;

  /** Loads the store; nothing happens before `start`. @throws LogboomError `STORAGE_FAILED`, `DECODE` when the snapshot is damaged. */
  static async open<R>(options: BareNodeOptions<R>): Promise<BareNode<R>> {
    let loaded = await options.store.storage.load();
    if (options.found !== undefined && isEmpty(loaded)) {
      const confState = { ...emptyConfState, voters: [options.id] };
      loaded = await foundCluster(options.store, confState, options.id, options.found());
    }
    return BareNode.openLoaded(options, loaded);
  }

  /** The same, with what the store was found to hold. */
  static async openLoaded<R>(options: BareNodeOptions<R>, loaded: Loaded): Promise<BareNode<R>> {
    const { machine, store } = options;
    const { snapshot } = loaded;
    if (snapshot !== undefined) await restoreSnapshot(machine, store, snapshot);
    const policy = completePolicy(options.snapshotPolicy);
    return new BareNode(options, await trimmed(loaded, store, policy), policy);
  }

  private constructor(options: BareNodeOptions<R>, loaded: Loaded, policy: SnapshotPolicy) {
    const { id, store, machine, timing } = options;
    this.id = id;
    this.#options = options;
    this.snapshots = new Snapshots(store, loaded, policy);
    const { confState, index, term } = loaded.snapshot ?? nothing;
    const stored = options.snapshotBodies === "stored";
    this.#core = new RawNode(
      {
        ...options.core,
        id,
        logBytesMax: policy.logBytesMax,
        heartbeatTicks: timing.heartbeatTicks,
        electionTicks: timing.electionTicks,
        preVote: true,
        checkQuorum: true,
        // Whoever forwards does it above the core, so that the leader stamps what it proposes.
        forwardProposals: false,
        random: options.random,
        snapshot: (to, atLeast) =>
          stored ? this.#taker.stored(to, atLeast) : this.#taker.now(atLeast),
      },
      {
        hardState: loaded.hardState,
        confState,
        compacted: loaded.compacted,
        entries: loaded.entries,
        applied: index,
      },
    );
    options.watch?.(this.#core);
    this.#driver = this.#makeDriver({ confState, index, term });
    this.#taker = new SnapshotTaker({
      core: this.#core,
      driver: this.#driver,
      snapshots: this.snapshots,
      machine,
      clock: options.clock,
      taken: (metadata, ms) => options.events.snapshotTaken?.(metadata, ms),
    });
    store.onLost((error) => this.#driver.fail(error, true));
  }

  /** From now on; the same at every node. @throws LogboomError `BAD_CONFIG`; leaves all as it was */
  setTiming({ tickMs, heartbeatTicks, electionTicks }: Timing): void {
    this.#core.setTicks(heartbeatTicks, electionTicks);
    this.#driver.setTickMs(tickMs);
  }

  /** From now on snapshots are taken by another policy. */
  setSnapshotPolicy(policy: SnapshotPolicy): void {
    this.snapshots.policy = policy;
    this.#drive((core) => core.setLogBytesMax(policy.logBytesMax));
  }

  #makeDriver({ confState, index, term }: SnapshotMetadata): Driver<R> {
    const { store, machine, clock, events, timing } = this.#options;
    return new Driver<R>({
      core: this.#core,
      storage: store.storage,
      machine,
      clock,
      tickMs: timing.tickMs,
      confState,
      applied: index,
      appliedTerm: term,
      readBody: (metadata) => store.snapshots.read(metadata),
      events: {
        send: (message) => events.send(message.to, message),
        applied: (entry, result) => {
          this.snapshots.applied(entry);
          if (result !== undefined) events.applied(entry.index, result);
          events.entry?.(entry, result);
        },
        restored: ({ metadata }) => {
          this.snapshots.installed(metadata);
          events.restored(metadata);
        },
        configured: (change) => events.configured(change),
        softState: (state) => events.softState(state),
        read: (state) => events.read?.(state),
        readDropped: (context) => events.readDropped?.(context),
        stored: (entries, ms) => events.stored?.(entries, ms),
        turned: events.turned,
        progressed: () => {
          this.#taker.look();
          events.progressed();
        },
        failed: (error) => events.failed(error),
      },
    });
  }

  /** Begins: applies what the log already holds as committed, before anybody hears of us. */
  start(): void {
    this.#driver.start();
  }

  get confState(): ConfState {
    return this.#driver.confState;
  }

  /** What the machine has, not what was handed to it. */
  get applied(): Index {
    return this.#driver.applied;
  }

  /** Term of the log's last entry. */
  get lastTerm(): Term {
    return this.#core.termAt(this.#core.basicStatus().lastIndex) ?? 0;
  }

  get appliedTerm(): Term {
    return this.#driver.appliedTerm;
  }

  /** Committed entries that wait to be applied. */
  get backlog(): number {
    return this.#driver.backlog;
  }

  status(): BasicStatus {
    return this.#core.basicStatus();
  }

  fullStatus(): Status {
    return this.#core.status();
  }

  /** What this node knows of each member, while it leads; empty otherwise. */
  peers(): ReadonlyMap<NodeId, PeerStatus> {
    return this.#core.status().peers;
  }

  /** Messages from elsewhere that were refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Proposes commands to be appended together; their results arrive by `events.applied`, on every node. */
  propose(data: Uint8Array | readonly Uint8Array[]): ProposeResult {
    return this.#drive((core) => core.propose(data)) ?? stopped;
  }

  proposeConfChange(change: ConfChangeV2): ProposeResult {
    return this.#drive((core) => core.proposeConfChange(change)) ?? stopped;
  }

  proposalFate(index: Index, term: Term): ProposalFate {
    return this.#core.proposalFate(index, term);
  }

  transferLeader(to: NodeId): Result {
    return this.#drive((core) => core.transferLeader(to)) ?? stopped;
  }

  /** The voter that has most of our log, while we lead. */
  bestSuccessor(): NodeId | undefined {
    return bestSuccessor(this.#core);
  }

  /** Asks at which index a read is linearizable; the answer is `events.read` or `events.readDropped`, or is lost. */
  readIndex(context: Uint8Array): Result {
    return this.#drive((core) => core.readIndex(context)) ?? stopped;
  }

  /** Asks for votes now instead of at the next timeout. */
  campaign(): void {
    this.#drive((core) => core.campaign());
  }

  /** Asks the leader for its state, whatever our log: for a machine that was found to differ. */
  requestSnapshot(): Result {
    return this.#drive((core) => core.requestSnapshot()) ?? stopped;
  }

  /** Takes in a frame of raftpb messages from the authenticated peer `from`. @throws DecodeError, nothing else */
  receive(from: NodeId, body: Uint8Array): void {
    this.step(from, decodeMessages(body));
  }

  step(from: NodeId, messages: readonly Message[]): void {
    this.#drive((core) => {
      for (const message of messages) {
        if (this.#taker.hasNoRoomFor(message)) continue;
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

  /** How the snapshot fared that `events.send` was given for `peer`. */
  snapshotEnded(peer: NodeId, outcome: "arrived" | "failed"): void {
    this.#drive((core) => core.reportSnapshot(peer, outcome));
  }

  /** Turns the core's knobs while it runs. */
  adjust(turn: (core: RawNode) => void): void {
    this.#drive(turn);
  }

  /** Stops for good: the machine failed somebody else. */
  fail(error: unknown): void {
    this.#driver.fail(error);
  }

  /** Stops for good: the store failed somebody else. */
  storeFailed(error: unknown): void {
    this.#driver.fail(error, true);
  }

  /**
   * Takes a snapshot of the machine as it is now, cuts the log behind it, and resolves with it; with the latest when nothing was
   * applied since, and undefined when there is nothing to take or the node stopped.
   */
  snapshot(): Promise<SnapshotMetadata | undefined> {
    return this.#taker.take();
  }

  /** Stops; resolves when the write in flight has ended. The store is the caller's to close. */
  async close(): Promise<void> {
    await this.#driver.stop();
  }

  #drive<T>(input: (core: RawNode) => T): T | undefined {
    return this.#driver.drive(input);
  }
}

const stopped: { readonly accepted: false; readonly reason: "stopped" } = {
  accepted: false,
  reason: "stopped",
};

/** What only a broken or foreign peer sends; a late message is none of that. */
function isForeign(result: StepResult): boolean {
  return (
    !result.accepted &&
    ["localType", "notForUs", "unknownPeer", "ownName", "malformed"].includes(result.reason)
  );
}
