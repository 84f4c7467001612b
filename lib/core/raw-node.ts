/**
 * RawNode: the public face of consensus. Synchronous and deterministic: time is `tick()`, randomness is passed in, nothing waits.
 *
 * The loop of its owner: `ready()` → send its messages, store its write, apply its committed entries; when the write is durable, call
 * `persisted(write)` and send what that returns; when entries are applied, call `applied(index)`. What must not be said before it is
 * durable is not handed out before it is durable, so persist-before-send is not the owner's to forget. Any number of writes may be
 * outstanding. Dissertation §3.8, §10.2.1; compare etcd/raft rawnode.go, which has two forms of this (Advance, AsyncStorageWrites).
 */
import { assert } from "../base/assert.js";
import type { LogboomError } from "../base/errors.js";
import { encodeConfChange } from "./confchange-codec.js";
import {
  type Config,
  checkPriority,
  completeConfig,
  emptyState,
  limit,
  type RestoredState,
} from "./config.js";
import { proposedEntry } from "./entries.js";
import { forgetLeader, requestSnapshot } from "./follower.js";
import { Handover, type Outstanding } from "./handover.js";
import { ping, reportSnapshot, reportUnreachable } from "./leader.js";
import {
  appliedTo,
  applyConfChange,
  assignCommitGroups,
  clearCommitGroups,
  proposalFate,
  proposeAsLeader,
  refuseConfChange,
  setGroupCommit,
} from "./membership.js";
import { proposalMessage, readIndexMessage, transferLeaderMessage } from "./messages.js";
import { confState, noMessages, type Raft } from "./raft.js";
import {
  accepted,
  type ProposalFate,
  type ProposeResult,
  type Refusal,
  type Result,
  refused,
  result,
  type StepResult,
} from "./results.js";
import { setTicks, startRaft } from "./roles.js";
import { settle } from "./settle.js";
import { type BasicStatus, basicStatus, type Status, status } from "./status.js";
import { campaignNow, step, tick, ticksUntilDue } from "./step.js";
import {
  type ConfChange,
  type ConfChangeV2,
  type ConfState,
  type Entry,
  type Index,
  type Message,
  type NodeId,
  noNode,
  type Ready,
  type Term,
  type Write,
} from "./types.js";
import { refuseMessage } from "./validation.js";

export type { BasicStatus, PeerStatus, Status } from "./status.js";

/** What only `testing/script.ts` may see. */
let internalsOf: (node: RawNode) => { readonly raft: Raft; readonly handover: Handover };

export class RawNode {
  readonly #raft: Raft;
  readonly #handover: Handover;

  static {
    internalsOf = (node) => ({ raft: node.#raft, handover: node.#handover });
  }

  /**
   * @param restored  what `Storage.load()` found; nothing for a node that waits to be sent a snapshot
   * @throws LogboomError `BAD_CONFIG` · InvariantError when `restored` contradicts itself
   */
  constructor(config: Config, restored: RestoredState = emptyState) {
    this.#raft = startRaft(completeConfig(config), restored);
    this.#handover = new Handover(this.#raft);
  }

  // — input —

  /** One tick of time. */
  tick(): void {
    if (this.#raft.stopped === undefined) tick(this.#raft);
  }

  /** In how many ticks one does more than count, as of now. Those before it may be taken together, ahead of the next input. */
  get ticksUntilDue(): number {
    return ticksUntilDue(this.#raft);
  }

  /** Takes in a message from an authenticated peer. Never throws for what is in it. */
  step(message: Message): StepResult {
    const raft = this.#raft;
    if (raft.stopped !== undefined) return refused("stopped");
    const refusal = refuseMessage(raft, message) ?? step(raft, message);
    return refusal === undefined ? accepted : refused(refusal);
  }

  /** Starts an election now. */
  campaign(): Result {
    return this.#ask((raft) => campaignNow(raft));
  }

  /** Proposes one command, or several to be appended together. A follower forwards it, unless that is turned off. */
  propose(data: Uint8Array | readonly Uint8Array[]): ProposeResult {
    if (!Array.isArray(data)) return this.#propose([proposedEntry(data as Uint8Array)]);
    return this.#propose(data.map((command: Uint8Array) => proposedEntry(command)));
  }

  /** Proposes a change of membership. It takes effect when it is applied (`applyConfChange`). */
  proposeConfChange(change: ConfChange | ConfChangeV2): ProposeResult {
    const { type, data } = encodeConfChange(change);
    const entry = proposedEntry(data, type);
    const raft = this.#raft;
    const objection = raft.role === "leader" ? refuseConfChange(raft, entry) : undefined;
    return objection === undefined ? this.#propose([entry]) : refused(objection);
  }

  #propose(entries: readonly Entry[]): ProposeResult {
    const raft = this.#raft;
    if (raft.stopped !== undefined) return refused("stopped");
    if (entries.length === 0) return refused("empty");
    const index = raft.log.lastIndex + 1;
    const leads = raft.role === "leader";
    const to = raft.leader;
    const refusal = leads
      ? proposeAsLeader(raft, entries)
      : step(raft, proposalMessage({ from: raft.id, to, entries }));
    if (refusal !== undefined) return refused(refusal);
    if (leads) return { accepted: true, index, term: raft.term, forwardedTo: noNode };
    return { accepted: true, index: 0, term: 0, forwardedTo: to };
  }

  /** What became of the entry proposed at (`index`, `term`). */
  proposalFate(index: Index, term: Term): ProposalFate {
    return proposalFate(this.#raft, index, term);
  }

  /**
   * Asks for an index at which a read is linearizable; the answer is a ReadState with `context`. Requests may be lost: ask again after
   * a while, with a new context.
   *
   * @param context  not empty, and unique to this attempt in the whole cluster
   */
  readIndex(context: Uint8Array): Result {
    if (context.length === 0) return refused("empty");
    const entries = [proposedEntry(context)];
    return this.#ask((raft) =>
      step(raft, readIndexMessage({ from: raft.id, to: raft.leader, entries })),
    );
  }

  /** Hands leadership to `target`: it has one election timeout to catch up and win, in which proposals are refused. */
  transferLeader(target: NodeId): Result {
    return this.#ask((raft) =>
      step(raft, transferLeaderMessage({ target, to: raft.leader, term: 0 })),
    );
  }

  /** A follower stops believing in its leader, so that it may vote for another at once. */
  forgetLeader(): Result {
    return this.#ask(forgetLeader);
  }

  /** A leader sends heartbeats now. */
  ping(): Result {
    return this.#ask(ping);
  }

  /** A follower asks its leader for a snapshot that is at least as new as its log, whatever its log. */
  requestSnapshot(): Result {
    return this.#ask(requestSnapshot);
  }

  /** The last message to `id` may not have arrived. */
  reportUnreachable(id: NodeId): void {
    if (this.#raft.stopped === undefined) reportUnreachable(this.#raft, id);
  }

  /** The snapshot sent to `id` has arrived, or has not. Must be told, or the peer waits for ever. */
  reportSnapshot(id: NodeId, outcome: "arrived" | "failed"): void {
    if (this.#raft.stopped === undefined) reportSnapshot(this.#raft, id, outcome === "arrived");
  }

  #ask(request: (raft: Raft) => Refusal | undefined): Result {
    if (this.#raft.stopped !== undefined) return refused("stopped");
    return result(request(this.#raft));
  }

  // — output —

  /** Whether `ready()` has anything. A peek. */
  hasReady(): boolean {
    return this.#handover.hasReady();
  }

  /** Everything new since the last call; it counts as taken. */
  ready(): Ready {
    return this.#handover.take();
  }

  /**
   * `write` and all before it are durable. Counts our own votes and acknowledgements and returns those owed to peers: send them.
   * With a snapshot in it: queue the state machine's restore before calling.
   *
   * @throws InvariantError when `write` is unknown, or was reported before
   */
  persisted(write: Write): readonly Message[] {
    const raft = this.#raft;
    const handover = this.#handover;
    handover.check(write);
    let owed = noMessages;
    let durable: Outstanding;
    do {
      durable = handover.takeFirst();
      if (raft.stopped === undefined) owed = settle(raft, durable, owed);
    } while (durable.write.id < write.id);
    return raft.stopped === undefined ? owed : noMessages;
  }

  /**
   * The state machine has everything up to `index` (which may lie behind a snapshot installed meanwhile).
   *
   * @throws InvariantError when `index` was not handed out, or a configuration entry up to it got no verdict
   */
  applied(index: Index): void {
    const raft = this.#raft;
    const { applying } = raft.log;
    assert(index <= applying, "applied beyond what was handed out", { index, applying });
    const { encodedBytes, payloadBytes } = this.#handover.takeApplied(index);
    if (raft.stopped !== undefined) return;
    appliedTo(raft, index, encodedBytes);
    raft.uncommittedBytes = Math.max(0, raft.uncommittedBytes - payloadBytes);
  }

  /**
   * To be called for each configuration entry while it is applied, in order. With "refuse" the application vetoes it, on every replica
   * alike. Returns the configuration from `entry` on; an entry that a snapshot has overtaken changes nothing.
   *
   * @throws InvariantError when `entry` was not handed out, or another must be decided first
   */
  applyConfChange(entry: Entry, verdict: "accept" | "refuse" = "accept"): ConfState {
    const raft = this.#raft;
    if (entry.index <= raft.confIndex) return confState(raft);
    this.#handover.decide(entry.index);
    if (verdict === "accept" && raft.stopped === undefined) applyConfChange(raft, entry);
    else raft.confIndex = entry.index;
    return confState(raft);
  }

  /** A durable snapshot covers the log up to `index`: forget it. @throws InvariantError beyond what was handed out to apply */
  compacted(index: Index): void {
    this.#raft.log.compact(index);
  }

  // — looking in —

  get id(): NodeId {
    return this.#raft.id;
  }

  /** Why the node has stopped for good, if it has. */
  get stopped(): LogboomError | undefined {
    return this.#raft.stopped;
  }

  basicStatus(): BasicStatus {
    return basicStatus(this.#raft);
  }

  status(): Status {
    return status(this.#raft);
  }

  /** Entries in [from, to) that are still in memory. @throws InvariantError outside of the log */
  entries(from: Index, to: Index): readonly Entry[] {
    return this.#raft.log.slice(from, to, Number.POSITIVE_INFINITY);
  }

  /** The term of the entry at `index`; undefined if it is not in memory. */
  termAt(index: Index): Term | undefined {
    return this.#raft.log.term(index);
  }

  // — knobs that may be turned while running —

  /** Counts anew, with other ticks; the same everywhere. @throws LogboomError `BAD_CONFIG`, also where reads go by lease */
  setTicks(heartbeatTicks: number, electionTicks: number): void {
    setTicks(this.#raft, heartbeatTicks, electionTicks);
  }

  setCheckQuorum(on: boolean): void {
    this.#raft.checkQuorum = on;
  }

  setBatchAppends(on: boolean): void {
    this.#raft.batchAppends = on;
  }

  setSkipBroadcastCommit(on: boolean): void {
    this.#raft.skipBroadcastCommit = on;
  }

  setPriority(priority: number): void {
    checkPriority(priority);
    this.#raft.priority = priority;
  }

  setApplyBytesMax(bytes: number): void {
    limit("applyBytesMax", bytes, 1);
    this.#raft.log.applyBytesMax = bytes;
  }

  setLogBytesMax(bytes: number): void {
    limit("logBytesMax", bytes, 1);
    this.#raft.logBytesMax = bytes;
  }

  /** How many entries apply may run ahead of our disk, where the role allows it. */
  setApplyUnpersisted(entries: number): void {
    limit("applyUnpersisted.entries", entries, 0);
    this.#raft.setApplyAhead(entries);
  }

  /** The window of one peer, by count; 0 stops appends to it once it replicates. False if there is no such peer. */
  setInflightAppendsMax(peer: NodeId, count: number): boolean {
    limit("inflightAppendsMax", count, 0);
    const progress = this.#raft.tracker.progress.get(peer);
    progress?.inflights.limit(count);
    return progress !== undefined;
  }

  /** Gives back the memory of windows that are empty. */
  releaseInflights(): void {
    for (const { progress } of this.#raft.tracker.peers) progress.inflights.release();
  }

  /** Turns raft-rs' group commit on or off. */
  setGroupCommit(on: boolean): void {
    setGroupCommit(this.#raft, on);
  }

  /** Puts peers into commit groups (above 0). Not persisted: assign again after a restart and after installing a snapshot. */
  assignCommitGroups(groups: Iterable<readonly [NodeId, number]>): void {
    assignCommitGroups(this.#raft, groups);
  }

  clearCommitGroups(): void {
    clearCommitGroups(this.#raft);
  }

  /** Whether what is committed is spread over two groups; undefined unless we lead and have applied up to our term. */
  get commitGroupsConsistent(): boolean | undefined {
    const { role, log, term, tracker } = this.#raft;
    if (role !== "leader" || log.term(log.applied) !== term) return undefined;
    return tracker.groupsConsistent;
  }
}

// — for testing/script.ts alone: etcd's scripts deliver one by one what `persisted` takes in at once —

/** What waits for `write`, in order: our own messages and the append response too. */
export function held(node: RawNode, write: Write): readonly Message[] {
  return internalsOf(node).handover.held(write);
}

/** What waits for `write` and all before it, which is forgotten. */
export function takeHeld(node: RawNode, write: Write): readonly Message[] {
  return internalsOf(node).handover.takeHeld(write);
}

/** Takes in a message without the checks of `step`; the refusal, if it held a request. */
export function stepLocal(node: RawNode, message: Message): Refusal | undefined {
  return step(internalsOf(node).raft, message);
}

export function raftOf(node: RawNode): Raft {
  return internalsOf(node).raft;
}
