/**
 * Roles: how a node becomes follower, pre-candidate, candidate and leader, and what it then starts from.
 *
 * Dissertation §3.3 (terms), §3.4 (roles), §3.6.2 (a leader's first entry); compare etcd/raft raft.go (reset, become…).
 */
import { assert, must } from "../base/assert.js";
import { LogboomError } from "../base/errors.js";
import { completeConfig, type FullConfig, type RestoredState } from "./config.js";
import { hexId } from "./describe.js";
import { emptyEntry, isConfChange, payloadBytesOf } from "./entries.js";
import { acknowledge, dropReads, Raft, trace } from "./raft.js";
import type { Refusal } from "./results.js";
import { type Entry, type Index, type Message, type NodeId, noNode, type Term } from "./types.js";

/** A node as it is after a start: a follower of nobody. */
export function startRaft(config: FullConfig, restored: RestoredState): Raft {
  const raft = new Raft(config, restored);
  becomeFollower(raft, raft.term, noNode);
  raft.say("info", () => describeStart(raft));
  return raft;
}

function describeStart(raft: Raft): string {
  const peers = raft.tracker.voters.map(hexId).join(",");
  const { log } = raft;
  return (
    `newRaft ${hexId(raft.id)} [peers: [${peers}], term: ${raft.term}, commit: ${log.committed}, ` +
    `applied: ${log.applied}, lastindex: ${log.lastIndex}, lastterm: ${log.lastTerm}]`
  );
}

function reset(raft: Raft, term: Term): void {
  raft.round++;
  if (term !== raft.term) {
    raft.term = term;
    raft.vote = noNode;
    raft.requestedSnapshot = 0;
  }
  raft.leader = noNode;
  countAnew(raft);
  raft.leadTransferee = noNode;
  raft.leaseForfeited = false;
  raft.tracker.votes.clear();
  const last = raft.log.lastIndex;
  for (const { id, progress } of raft.tracker.peers) {
    progress.reset(last + 1);
    if (id === raft.id) progress.match = last;
  }
  raft.pendingConfIndex = 0;
  raft.uncommittedBytes = 0;
  dropReads(raft);
}

function countAnew(raft: Raft): void {
  const { minElectionTicks, maxElectionTicks, random } = raft.config;
  raft.electionElapsed = 0;
  raft.heartbeatElapsed = 0;
  raft.electionTimeout = minElectionTicks + random.below(maxElectionTicks - minElectionTicks);
}

/** Other ticks from now on. What others count is what a lease rests on, so with leases they stay. @throws LogboomError `BAD_CONFIG` */
export function setTicks(raft: Raft, heartbeatTicks: number, electionTicks: number): void {
  const { reads } = raft.config;
  if (reads === "lease") {
    throw new LogboomError("BAD_CONFIG", 'ticks can only be changed while reads are "safe"');
  }
  raft.config = completeConfig({
    ...raft.config,
    heartbeatTicks,
    electionTicks,
    minElectionTicks: electionTicks,
    maxElectionTicks: 2 * electionTicks,
  });
  countAnew(raft);
}

export function becomeFollower(raft: Raft, term: Term, leader: NodeId): void {
  reset(raft, term);
  raft.role = "follower";
  raft.leader = leader;
  raft.setApplyAhead(raft.applyUnpersisted);
  raft.say("info", () => `${hexId(raft.id)} became follower at term ${raft.term}`);
  trace(raft, "BecomeFollower");
}

export function becomeCandidate(raft: Raft): void {
  assert(raft.role !== "leader", "invalid transition [leader -> candidate]");
  reset(raft, raft.term + 1);
  raft.role = "candidate";
  raft.vote = raft.id;
  raft.requestedSnapshot = 0;
  raft.say("info", () => `${hexId(raft.id)} became candidate at term ${raft.term}`);
  trace(raft, "BecomeCandidate");
}

/** Asks without committing to anything: neither term nor vote move (§9.6). */
export function becomePreCandidate(raft: Raft): void {
  assert(raft.role !== "leader", "invalid transition [leader -> pre-candidate]");
  raft.tracker.votes.clear();
  raft.leader = noNode;
  raft.role = "preCandidate";
  dropReads(raft);
  raft.say("info", () => `${hexId(raft.id)} became pre-candidate at term ${raft.term}`);
}

export function becomeLeader(raft: Raft): void {
  assert(raft.role !== "follower", "invalid transition [follower -> leader]");
  reset(raft, raft.term);
  raft.role = "leader";
  raft.leader = raft.id;
  raft.requestedSnapshot = 0;
  raft.setApplyAhead(raft.applyUnpersisted);
  const own = must(raft.ownProgress, "only members win elections");
  own.becomeReplicate();
  own.recentActive = true;
  // There may be an unapplied change anywhere in the log we inherit: propose none before all of it is applied.
  raft.pendingConfIndex = raft.log.lastIndex;
  trace(raft, "BecomeLeader");
  // The entry with which a term opens, so that earlier ones can be committed (§3.6.2, §6.4).
  const refusal = appendEntries(raft, [emptyEntry]);
  assert(refusal === undefined, "empty entry was dropped", { refusal });
  raft.say("info", () => `${hexId(raft.id)} became leader at term ${raft.term}`);
}

/** A leader's log only grows: appends `entries` under the next indexes and our term. Says why not, if not. */
export function appendEntries(raft: Raft, entries: readonly Entry[]): Refusal | undefined {
  const payload = payloadBytesOf(entries);
  if (exceedsUncommitted(raft, payload)) {
    raft.say("warn", () => describeDroppedProposal(raft));
    return "tooMuchUncommitted";
  }
  raft.uncommittedBytes += payload;
  if (raft.config.trace !== undefined) traceReplication(raft, entries);
  raft.log.append(placedAfter(raft.log.lastIndex, raft.term, entries));
  // A leader counts itself like anybody else: once the entries are durable here (§10.2.1). One acknowledgement is enough for all
  // proposals between two writes, and where appends are joined nobody looks for one each.
  if (raft.batchAppends) dropUnsaidAcknowledgement(raft);
  acknowledge(raft, raft.id, raft.log.lastIndex);
  return undefined;
}

/** `entries` at the indexes after `last`, in `term`. */
function placedAfter(last: Index, term: Term, entries: readonly Entry[]): readonly Entry[] {
  const placed = new Array<Entry>(entries.length);
  for (let i = 0; i < entries.length; i++) {
    const { type, data, unknown } = entries[i] as Entry;
    placed[i] = { term, index: last + i + 1, type, data, unknown };
  }
  return placed;
}

function traceReplication(raft: Raft, entries: readonly Entry[]): void {
  for (const entry of entries) if (!isConfChange(entry)) trace(raft, "Replicate");
}

function describeDroppedProposal(raft: Raft): string {
  return `${hexId(raft.id)} appending new entries to log would exceed uncommitted entry size limit; dropping proposal`;
}

/** Takes back the acknowledgement to ourselves with which `held` ends, which the next one covers. */
function dropUnsaidAcknowledgement({ held, id, term }: Raft): void {
  if (held.length === 0) return;
  const last = held[held.length - 1] as Message;
  if (last.type === "MsgAppResp" && last.to === id && last.term === term) {
    (held as Message[]).pop();
  }
}

/** One proposal of any size is let through when nothing is uncommitted; empty ones always are. */
function exceedsUncommitted(raft: Raft, payload: number): boolean {
  return (
    raft.uncommittedBytes > 0 &&
    payload > 0 &&
    raft.uncommittedBytes + payload > raft.config.uncommittedBytesMax
  );
}
