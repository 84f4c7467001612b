/**
 * RaftNode: a replicated state machine, as one object with promises. What `logboom/runtime` is about.
 *
 * Opens on a store, a transport, a state machine, a clock and randomness, all by interface. Every request ends: with its result, or
 * with a LogboomError whose `outcome` says whether it may still take effect. A request made at a follower goes to the leader. Its
 * counterpart in Go is hashicorp/raft; what that has as futures are promises here, and every wait takes an AbortSignal.
 *
 * Invariant: nothing is acknowledged that a majority has not stored; once closed, everything is settled and no timer is left.
 * Not here: the loop (driver.ts), what becomes of a proposal (proposals.ts), forwarding, snapshots on the wire (transfers.ts).
 */
import { concatBytes } from "../base/bytes.js";
import { type Index, type NodeId, noBytes, noNode, type SnapshotMetadata } from "../core/types.js";
import { checkCommands, checkMember } from "./input-checks.js";
import { carrierOf, changeOf, type MemberChange } from "./member-changes.js";
import { stateOf } from "./membered-machine.js";
import type { Configuration } from "./members.js";
import type { NodeEvent, NodeEventType } from "./node-events.js";
import {
  type Bootstrap,
  type Changes,
  checkAddress,
  checkReloadable,
  completeOptions,
  type RaftNodeOptions,
  type Reloadable,
  reloadableOf,
} from "./node-options.js";
import { type NodeStatus, statsOf } from "./node-status.js";
import type { Applied } from "./proposals.js";
import { refusal } from "./refusals.js";
import { RunningNode } from "./running-node.js";
import type { StateVerdict } from "./state-check.js";

/** How a request may be given up. What was already sent may still take effect: the error's `outcome` says. */
export interface Waiting {
  readonly signal?: AbortSignal;
}

/** How a change of membership may be made to depend on the configuration it was thought up for. */
export interface Changing extends Waiting {
  /** Refused with `PROPOSAL_DROPPED` (`configurationChanged`) unless `configuration.index` is this. */
  readonly ifIndex?: Index;
}

/** Bytes of an external backup in one entry. */
const backupPieceBytes = 256 * 1024;

export class RaftNode<Result> {
  readonly #node: RunningNode<Result>;
  readonly #options: RaftNodeOptions<Result>;
  #settings: Reloadable;

  /**
   * Loads the store, restores the machine, begins to apply what the log holds as committed, and takes part.
   *
   * @throws LogboomError `BAD_CONFIG` (an option against its rule, named with its value) · `STORE_WENT_BACK` (a part of the store was gone:
   *         it is a new one, and may not go on under the old id); for these two nothing was touched · after the rest, store and
   *         transport are closed: `STORAGE_FAILED`, `STORAGE_LOCKED`, `DECODE` (the machine does not take its snapshot), `UPGRADE_NEEDED` (the
   *         log is of a later machine version), `HALTED` (the machine threw; see `cause`)
   */
  static async open<Result>(options: RaftNodeOptions<Result>): Promise<RaftNode<Result>> {
    const complete = completeOptions(options);
    return new RaftNode(options, await RunningNode.open(complete), reloadableOf(complete));
  }

  private constructor(
    options: RaftNodeOptions<Result>,
    node: RunningNode<Result>,
    settings: Reloadable,
  ) {
    this.#options = options;
    this.#node = node;
    this.#settings = settings;
  }

  get id(): NodeId {
    return this.#options.id;
  }

  // — commands —

  /**
   * Replicates `command` and resolves with the machine's result once it is applied on this node.
   *
   * @param command  1 to `proposalBytesMax` bytes (default 1 MiB); not copied, so do not reuse the buffer
   * @throws LogboomError with outcome none: `TOO_LARGE`, `BAD_INPUT` (empty), `NOT_LEADER`, `TOO_MUCH_LOG`, `PROPOSAL_DROPPED` (see
   *         `reason`: `transferring`, `overwritten`, `tooMuchUncommitted`, `tooManyBytes`) · with outcome unknown: `LEADERSHIP_LOST`,
   *         `HALTED` · with either: `ABORTED`, `CLOSED`
   * @see dissertation §6.3 before retrying an unknown outcome, and `SessionClient`
   */
  async propose(command: Uint8Array, options: Waiting = {}): Promise<Applied<Result>> {
    const [applied] = await this.proposeAll([command], options);
    return applied as Applied<Result>;
  }

  /** Several commands, appended together and in order, with a result each. At most 4,096. @throws as `propose` */
  async proposeAll(
    commands: readonly Uint8Array[],
    options: Waiting = {},
  ): Promise<readonly Applied<Result>[]> {
    if (commands.length === 0) return [];
    checkCommands(commands, this.#settings.proposalBytesMax);
    return await this.#node.requests.propose(commands, options.signal);
  }

  /** Resolves when everything proposed before, by anybody, is applied on this node. @throws as `propose` */
  async barrier(options: Waiting = {}): Promise<Index> {
    this.#options.metrics?.count("raft_barrier_total");
    const [applied] = await this.#node.requests.propose([noBytes], options.signal);
    return applied?.index ?? 0;
  }

  // — reading —

  /**
   * Runs `query` on the machine once this node's state is at least as new as every command acknowledged to anybody before the call. At
   * followers and learners too: they ask the leader for an index, not for the state.
   *
   * While no leader answers it waits; bound it with a signal.
   *
   * @throws LogboomError with outcome none: `ABORTED`, `CLOSED`, `HALTED`, `PROPOSAL_DROPPED` with reason `tooManyReads` (100,000 wait) · and
   *         whatever `query` throws
   */
  async read<T>(query: () => T, options: Waiting = {}): Promise<T> {
    await this.readIndex(options);
    return query();
  }

  /** The index at which reading is linearizable, once it is applied here. @throws as `read` */
  readIndex(options: Waiting = {}): Promise<Index> {
    return this.#node.requests.readIndex(options.signal);
  }

  /** Resolves when a quorum has confirmed, after the call, that this node leads. @throws LogboomError `NOT_LEADER`, outcome none, and as `read` */
  async verifyLeader(options: Waiting = {}): Promise<void> {
    this.#options.metrics?.count("raft_verify_leader_total");
    const { role, term } = this.#node.basicStatus();
    if (role !== "leader") throw refusal("notLeader");
    await this.#node.requests.readIndex(options.signal);
    const now = this.#node.basicStatus();
    if (now.role !== "leader" || now.term !== term) throw refusal("notLeader");
  }

  // — membership —

  /** Who is a member, and where, by which entry. As far as this node has applied: a change under way does not show yet. A copy. */
  get configuration(): Configuration {
    return this.#node.configuration;
  }

  /** Adds a voter, promotes a learner to one, or moves a voter to another address. @throws as `change` */
  addVoter(id: NodeId, address?: string, options?: Changing): Promise<Configuration> {
    return this.change([member(id, "voter", address)], options);
  }

  /** Adds a member without a vote. @throws as `change` */
  addLearner(id: NodeId, address?: string, options?: Changing): Promise<Configuration> {
    return this.change([member(id, "learner", address)], options);
  }

  /** Gives a learner its vote. @throws as `change`; `BAD_INPUT` for who is no learner here */
  async promote(id: NodeId, options?: Changing): Promise<Configuration> {
    checkMember(this.configuration, id, "learners");
    return await this.change([{ id, becomes: "voter" }], options);
  }

  /** Takes a voter's vote; it stays as a learner. @throws as `change`; `BAD_INPUT` for who is no voter here */
  async demote(id: NodeId, options?: Changing): Promise<Configuration> {
    checkMember(this.configuration, id, "voters");
    return await this.change([{ id, becomes: "learner" }], options);
  }

  /** Removes a member. Its id must not be used again. A leader that removes itself steps down. @throws as `change` */
  remove(id: NodeId, options?: Changing): Promise<Configuration> {
    return this.change([{ id, becomes: "removed" }], options);
  }

  /** One voter leaves and another comes, in one joint change. @throws as `change` */
  replace(
    leaving: NodeId,
    coming: NodeId,
    address?: string,
    options?: Changing,
  ): Promise<Configuration> {
    return this.change(
      [{ id: leaving, becomes: "removed" }, member(coming, "voter", address)],
      options,
    );
  }

  /**
   * Any change of membership; more than one member goes through a joint configuration. Resolves with the configuration once it is
   * applied here and is joint no more.
   *
   * @throws LogboomError with outcome none: `BAD_INPUT`, `BAD_CONFIG` (an address), `PROPOSAL_DROPPED` with reason `pendingConfChange`,
   *         `mustLeaveJoint`, `invalidConfChange` or `configurationChanged` · and as `propose`
   */
  async change(
    members: readonly MemberChange[],
    { ifIndex = 0, signal }: Changing = {},
  ): Promise<Configuration> {
    await this.#node.requests.change(changeOf(members), ifIndex, signal);
    await this.#node.until(() => this.configuration.confState.votersOutgoing.length === 0, signal);
    return this.configuration;
  }

  /** Says where member `id` lives from now on. @throws as `change` */
  async setAddress(id: NodeId, address: string, options: Changing = {}): Promise<Configuration> {
    checkAddress(address);
    checkMember(this.configuration, id);
    const addresses = new Map([[id, address]]);
    const change = carrierOf(id, { type: "addresses", addresses });
    await this.#node.requests.change(change, options.ifIndex ?? 0, options.signal);
    return this.configuration;
  }

  /**
   * Begins a cluster on a node that has nothing yet; all that begin the same one are given the same `bootstrap`.
   * @throws LogboomError `BAD_CONFIG`; `BAD_INPUT` when there is state already, which is safe to ignore
   */
  bootstrap(bootstrap: Bootstrap): Promise<void> {
    return this.#node.bootstrap(bootstrap);
  }

  // — leadership —

  /** 0 while none is known. */
  get leader(): NodeId {
    return this.#node.basicStatus().leader;
  }

  /** Never once this node has halted or was closed. */
  get isLeader(): boolean {
    return this.#node.running && this.#node.basicStatus().role === "leader";
  }

  /** Resolves with the leader's id as soon as one is known. @throws LogboomError `ABORTED`, `CLOSED`, `HALTED`, outcome none */
  async waitForLeader({ signal }: Waiting = {}): Promise<NodeId> {
    await this.#node.until(() => this.leader !== noNode, signal, "none");
    return this.leader;
  }

  /** Calls `listener` now and whenever this node begins or ends to lead, by halting and closing too; never twice with the same. */
  watchLeadership(listener: (leads: boolean) => void): () => void {
    let last = this.isLeader;
    listener(last);
    return this.observe(() => {
      if (this.isLeader === last) return;
      last = this.isLeader;
      listener(last);
    }, ["role", "halted", "closed"]);
  }

  /**
   * Hands leadership to `to`, or to the voter with the longest log, and resolves with who leads then. Meanwhile proposals are refused.
   *
   * @throws LogboomError with outcome none: `NOT_LEADER`, `PROPOSAL_DROPPED` with reason `badTarget`, `alreadyLeader`, `inProgress` or
   *         `transferTimedOut` (after three election timeouts; it may still move later) · with outcome unknown: `ABORTED`, `CLOSED`, `HALTED`
   */
  transferLeadership({
    to = noNode,
    signal,
  }: Waiting & { readonly to?: NodeId } = {}): Promise<NodeId> {
    return this.#node.requests.transfer(to, signal);
  }

  // — snapshots and backups —

  /**
   * Takes a snapshot of this node's state now and cuts its log behind it. Resolves with it once it is durable, or with the latest where
   * nothing was applied since; undefined where there is nothing yet.
   * @throws LogboomError `HALTED` (the machine or the store failed over it), `CLOSED`
   */
  snapshot(): Promise<SnapshotMetadata | undefined> {
    return this.#node.snapshot();
  }

  /**
   * The machine's own state in a snapshot of this node's store, in chunks: what `restore` takes. Read it before a later one takes its place.
   *
   * @param snapshot  as `snapshot()` or `status().snapshot` gave it
   * @throws LogboomError `NOT_FOUND`, `STORAGE_FAILED`, `CLOSED`
   */
  openSnapshot(snapshot: SnapshotMetadata): AsyncIterable<Uint8Array> {
    return stateOf(this.#options.store.snapshots.read(snapshot));
  }

  /** The machine's own state as it is now, in chunks: what `restore` takes, here or in another cluster. Not what was not yet applied here. */
  backup(): Iterable<Uint8Array> {
    return this.#options.machine.snapshot();
  }

  /**
   * Replaces the machine's state by `backup` on every node at one point of the log; members stay as they are. Commands that are
   * committed before its last piece are undone with the rest of the state. A backup of an earlier machine version is migrated.
   *
   * @param version  of the machine that gave the backup; default: the active one
   * @throws LogboomError with outcome none: `TOO_LARGE` (256 MiB), `BAD_INPUT` (the machine does not take it, by whatever exception: the
   *         state is as before), `PROPOSAL_DROPPED` with reason `overtaken` (another was begun meanwhile) · and as `change`
   */
  async restore(
    backup: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    {
      signal,
      version = this.status().machineVersion,
    }: Waiting & { readonly version?: number } = {},
  ): Promise<void> {
    this.#options.metrics?.count("raft_restore_total");
    const chunks: Uint8Array[] = [];
    if (backup instanceof Uint8Array) chunks.push(backup);
    else for await (const chunk of backup) chunks.push(chunk);
    await this.#node.requests.restore(concatBytes(...chunks), version, backupPieceBytes, signal);
  }

  /**
   * Compares the states of all members at one entry of the log. What the majority of voters holds is right: others restore it from this
   * leader; where this leader is among the others, it hands over to one of the majority, which makes the check again.
   * Without a majority nobody restores. Members that are out of reach are not judged. Where replicas differ, this node and those that
   * restore say `diverged`. Leaders check by themselves too, see `checkEverySnapshots`.
   *
   * @throws LogboomError `NOT_LEADER`, `PROPOSAL_DROPPED` (`inProgress`), and as `change`; outcome none in effect: a check changes no state
   */
  checkState(): Promise<StateVerdict> {
    return this.#node.guards.checks.begin();
  }

  /**
   * Activates machine version `version`, now, on every node at one entry, with the machine's migrations up to it; without effect where it
   * is active. Only the leader can, once it has heard from every member, within the last seconds, that its code goes that far. For
   * `activation: "manual"`; otherwise leaders do so by themselves.
   *
   * @throws LogboomError with outcome none: `BAD_INPUT` (no version), `NOT_LEADER`, `PROPOSAL_DROPPED` with reason `unsupportedVersion`
   *         (the message names the members) or `pendingConfChange` · and as `change`
   */
  activateVersion(version: number): Promise<void> {
    return this.#node.guards.activate(version);
  }

  // — looking in —

  status(): NodeStatus {
    return this.#node.status();
  }

  /** `status` under hashicorp/raft's names. */
  stats(): Readonly<Record<string, string>> {
    return statsOf(this.status());
  }

  /** Calls `listener` for events of `types`, or for those a predicate picks; for all by default. */
  observe(
    listener: (event: NodeEvent) => void,
    filter?: readonly NodeEventType[] | ((event: NodeEvent) => boolean),
  ): () => void {
    return this.#node.observe((event) => {
      const wanted =
        filter === undefined ||
        (typeof filter === "function" ? filter(event) : filter.includes(event.type));
      if (wanted) listener(event);
    });
  }

  get settings(): Reloadable {
    return this.#settings;
  }

  /** Changes settings while running. @throws LogboomError `BAD_CONFIG` (also for ticks while reads go by lease) */
  reload(changes: Changes): Reloadable {
    const snapshotPolicy = { ...this.#settings.snapshotPolicy, ...changes.snapshotPolicy };
    const settings = { ...this.#settings, ...changes, snapshotPolicy };
    checkReloadable(settings);
    this.#node.reload(settings);
    this.#settings = settings;
    return settings;
  }

  /**
   * Stops: every open request ends with `CLOSED`, transport and store are closed, no timer is left. Idempotent.
   * @throws what transport or store could not be closed with, after everything else was
   */
  close(): Promise<void> {
    return this.#node.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function member(
  id: NodeId,
  becomes: "voter" | "learner",
  address: string | undefined,
): MemberChange {
  return address === undefined ? { id, becomes } : { id, becomes, address };
}
