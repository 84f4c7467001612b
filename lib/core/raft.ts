/**
 * Raft: the state of one node, and its two outboxes.
 *
 * `messages` may leave at once. `held` speaks of things that are not durable yet (our own votes and acknowledgements among them)
 * and waits for the write that makes them so. Dissertation figure 3.1 (state), §3.8 (what must be durable before it is
 * said); compare etcd/raft raft.go.
 *
 * Not here: changes of role (roles.ts), and what is done in each (follower.ts, election.ts, leader.ts).
 */
import { assert, must } from "../base/assert.js";
import { LogboomError } from "../base/errors.js";
import { confStateOf, type Membership, type Newcomers, restoreMembership } from "./confchange.js";
import type { FullConfig, LogLevel, RestoredState } from "./config.js";
import { describeConfiguration, hexId } from "./describe.js";
import { Inflights } from "./inflights.js";
import { RaftLog } from "./log.js";
import { appendAccepted } from "./messages.js";
import type { Progress } from "./progress.js";
import { ReadQueue } from "./reads.js";
import {
  type TraceEvent,
  type TraceName,
  traceEvent,
  traceNameOf,
  traceNewConfiguration,
} from "./trace.js";
import { Tracker } from "./tracker.js";
import {
  type ConfState,
  type Index,
  type Message,
  type NodeId,
  noNode,
  type ReadState,
  type Role,
  type Term,
} from "./types.js";

export interface ForwardedRead {
  readonly context: Uint8Array;
  /** The tick at which it was passed on. */
  readonly sentAt: number;
}

/** Everybody's empty list: never write to it. */
export const noMessages: readonly Message[] = [];

export class Raft {
  /** Replaced as a whole when ticks change (`RawNode.setTicks`). */
  config: FullConfig;
  readonly id: NodeId;
  readonly log: RaftLog;
  readonly tracker: Tracker;
  readonly newcomers: Newcomers;

  term: Term;
  vote: NodeId;
  role: Role = "follower";
  leader: NodeId = noNode;

  /** Ticks since we heard from a leader or voted; for a leader, since it last checked its quorum. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** Ticks since the start. */
  now = 0;
  /** Drawn anew in every term, so that split votes do not repeat (§3.4). */
  electionTimeout = 0;
  /** Ticks for which no vote is given after a start, because a lease may rest on what the former life heard. */
  voteBlackout = 0;

  /** Whom leadership is being handed to (§3.10). */
  leadTransferee: NodeId = noNode;
  /** We have told somebody in this term to campaign against us: from then on no lease of ours is worth anything. */
  leaseForfeited = false;
  /** The last configuration change in the log may be here; until it is applied no other is proposed. */
  pendingConfIndex: Index = 0;
  /** The configuration is that of this index. */
  confIndex: Index;
  /** Payload bytes of entries that a leader appended and nobody applied yet. */
  uncommittedBytes = 0;
  readonly reads: ReadQueue = new ReadQueue();
  /** Reads passed on to the leader and not answered, oldest first. */
  forwardedReads: ForwardedRead[] = [];
  /** We have asked the leader for a snapshot at least this new; 0 = no. */
  requestedSnapshot: Index = 0;
  /** The tick at which that wish is given up: while it stands we acknowledge nothing, and a quorum may need us. */
  requestedSnapshotUntil = 0;

  // Appended to by `post` and `hold` alone, because the empty list is everybody's.
  messages: readonly Message[] = noMessages;
  held: readonly Message[] = noMessages;
  /** Counts how often `messages` was handed out, or its end made one of an earlier term: appends of an earlier round cannot be joined. */
  round = 0;
  readStates: ReadState[] = [];
  droppedReads: Uint8Array[] = [];

  /** Set once, for good: the node neither acknowledges nor votes any more. */
  stopped: LogboomError | undefined;

  // What may be changed while running.
  checkQuorum: boolean;
  logBytesMax: number;
  skipBroadcastCommit: boolean;
  batchAppends: boolean;
  priority: number;
  applyUnpersisted: number;

  constructor(config: FullConfig, start: RestoredState) {
    this.config = config;
    this.id = config.id;
    this.checkQuorum = config.checkQuorum;
    this.logBytesMax = config.logBytesMax;
    this.skipBroadcastCommit = config.skipBroadcastCommit;
    this.batchAppends = config.batchAppends;
    this.priority = config.priority;
    this.applyUnpersisted = config.applyUnpersisted.entries;
    // A write of the commit index alone may be lost in a crash; a snapshot, and what was applied, never (storage.ts).
    const committed = Math.max(start.hardState.commit, start.applied, start.compacted.index);
    const applied = Math.max(start.applied, start.compacted.index);
    this.log = new RaftLog(
      {
        compacted: start.compacted,
        entries: start.entries,
        committed,
        applied,
        applyBytesMax: config.applyBytesMax,
      },
      config.log,
    );
    this.term = start.hardState.term;
    this.vote = start.hardState.vote;
    this.confIndex = applied;
    this.tracker = new Tracker(config.groupCommit);
    this.newcomers = {
      lastIndex: 0,
      makeInflights: () => new Inflights(config.inflightAppendsMax, config.inflightBytesMax),
    };
    Object.defineProperty(this.newcomers, "lastIndex", { get: () => this.log.lastIndex });
    trace(this, "InitState");
    installConfState(this, start.confState);
    if (config.reads === "lease" && this.term > 0) this.voteBlackout = config.electionTicks;
  }

  say(level: LogLevel, text: () => string): void {
    this.config.log?.(level, text);
  }

  get ownProgress(): Progress | undefined {
    return this.tracker.find(this.id);
  }

  /** Limits how far apply may run ahead of our disk, as our role allows it. */
  setApplyAhead(entries: number): void {
    const { roles } = this.config.applyUnpersisted;
    this.applyUnpersisted = entries;
    this.log.applyAhead = roles === "all" || this.role === "leader" ? entries : 0;
  }

  /** May campaign: a voter that is not waiting for a snapshot to become durable. */
  get promotable(): boolean {
    const own = this.ownProgress;
    return own !== undefined && !own.isLearner && this.log.snapshot === undefined;
  }
}

/** Starts from a configuration that was agreed on elsewhere: at the start, or with a snapshot. */
export function installConfState(raft: Raft, state: ConfState): void {
  const changed = restoreMembership(state, raft.newcomers);
  assert(changed.ok, "a saved configuration that cannot be restored", { state });
  install(raft, changed.membership);
}

export function install(raft: Raft, membership: Membership): void {
  if (raft.config.trace !== undefined) {
    trace(raft, "ApplyConfChange", undefined, traceNewConfiguration(membership.configuration));
  }
  raft.tracker.install(membership);
  // What confirmed our leadership was counted by another configuration.
  raft.reads.endLease();
  raft.say(
    "info",
    () =>
      `${hexId(raft.id)} switched to configuration ${describeConfiguration(raft.tracker.configuration)}`,
  );
}

/** Tells the trace listener, if there is one. */
export function trace(
  raft: Raft,
  name: TraceName,
  message?: Message,
  prop?: TraceEvent["prop"],
): void {
  raft.config.trace?.(traceEvent(name, raft, message, prop));
}

export function traceMessage(raft: Raft, verb: "Send" | "Receive", message: Message): void {
  const name = traceNameOf(verb, message);
  if (name === undefined) return;
  const own = verb === "Send" ? raft.ownProgress : undefined;
  const prop =
    own !== undefined && message.type === "MsgApp"
      ? { match: own.match, next: own.next }
      : undefined;
  trace(raft, name, message, prop);
}

export function confState(raft: Raft): ConfState {
  return confStateOf(raft.tracker.configuration);
}

// — sending —

/** Puts `message` where it belongs: promises wait for the disk, everything else may leave now (§3.8, §10.2.1). */
export function send(raft: Raft, message: Message): void {
  if (isPromise(raft, message)) hold(raft, message);
  else post(raft, message);
}

/** For messages that may leave now. */
export function post(raft: Raft, message: Message): void {
  if (raft.messages.length === 0) raft.messages = [message];
  else (raft.messages as Message[]).push(message);
  if (raft.config.trace !== undefined) traceMessage(raft, "Send", message);
}

/** For promises: they leave with the write that keeps them. */
function hold(raft: Raft, message: Message): void {
  if (raft.held.length === 0) raft.held = [message];
  else (raft.held as Message[]).push(message);
  if (raft.config.trace !== undefined) traceMessage(raft, "Send", message);
}

function isPromise(raft: Raft, { type }: Message): boolean {
  return (
    type === "MsgAppResp" ||
    type === "MsgVoteResp" ||
    type === "MsgPreVoteResp" ||
    // A term in which we ask for votes must be ours for good: whoever wins it, crashes and forgets could win it twice.
    (type === "MsgVote" && raft.config.voteRequests === "afterPersist")
  );
}

/** Acknowledges `index` to the leader `to` (which may be ourselves). */
export function acknowledge(raft: Raft, to: NodeId, index: Index): void {
  hold(raft, appendAccepted(raft.id, to, raft.term, index, reportedCommit(raft)));
}

export function reportedCommit(raft: Raft): Index {
  return raft.config.reportCommit ? raft.log.committed : 0;
}

/** Nobody will answer the reads that wait: ours are reported, others' authors find out by themselves. */
export function dropReads(raft: Raft): void {
  for (const request of raft.reads.clear()) {
    if (request.from === raft.id) raft.droppedReads.push(readContext(request));
  }
  if (raft.forwardedReads.length > 0) {
    for (const { context } of raft.forwardedReads) raft.droppedReads.push(context);
    raft.forwardedReads = [];
  }
}

export function readContext(request: Message): Uint8Array {
  return must(request.entries[0], "a read has one entry, which holds its context").data;
}

/** Stops the node for good: nothing it could say can be trusted. */
export function stop(raft: Raft, error: LogboomError): void {
  if (raft.stopped !== undefined) return;
  raft.stopped = error;
  raft.messages = noMessages;
  raft.held = noMessages;
  raft.round++;
  raft.readStates = [];
  raft.role = "follower";
  raft.leader = noNode;
  dropReads(raft);
  raft.say("error", () => error.message);
}

/** We hold less than we once acknowledged: the store was rolled back or lost its tail. */
export function stopForLostLog(raft: Raft, leader: NodeId, commit: Index): void {
  const last = raft.log.lastIndex;
  stop(
    raft,
    new LogboomError(
      "STORE_WENT_BACK",
      `node ${raft.id} has acknowledged entries up to ${commit} or beyond to leader ${leader}, but its log ends at ${last}: ` +
        "its store went back in time. It must not vote or acknowledge again; join under a new id.",
    ),
  );
}
