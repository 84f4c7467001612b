/**
 * Reading: how a read is confirmed and answered, at the leader and by way of a follower.
 *
 * A read is served at the commit index of the moment it arrives, once we know that we still lead: by a round of heartbeats, or by a
 * lease. Before the first commit of a term a leader does not know what is committed, so reads wait for it. Dissertation §6.4;
 * compare etcd/raft raft.go (MsgReadIndex). Unlike etcd, a sole voter waits as well: its commit index may lag what it acknowledged in
 * a former life, since a write of the commit index alone is not flushed.
 */
import { equalBytes } from "../base/bytes.js";
import { hexId } from "./describe.js";
import { readIndexMessage, readIndexResponse } from "./messages.js";
import { type Raft, readContext, send } from "./raft.js";
import { broadcastHeartbeat, hasCommittedInTerm } from "./replication.js";
import type { Refusal } from "./results.js";
import { type Index, type Message, noNode } from "./types.js";

/** A read has reached the leader. */
export function leaderRead(raft: Raft, request: Message): Refusal | undefined {
  if (raft.reads.waiting >= raft.config.readsMax) return "tooManyReads";
  if (hasCommittedInTerm(raft)) confirmLater(raft, request);
  else raft.reads.postponed.push(request);
  return undefined;
}

/** The first commit of the term: reads that waited for it set out now. */
export function releasePostponedReads(raft: Raft): void {
  if (raft.reads.postponed.length > 0 && hasCommittedInTerm(raft)) releasePostponed(raft);
}

function releasePostponed(raft: Raft): void {
  const requests = raft.reads.postponed;
  raft.reads.postponed = [];
  for (const request of requests) confirmLater(raft, request);
}

function confirmLater(raft: Raft, request: Message): void {
  if (raft.tracker.isSoleVoter(raft.id) || holdsLease(raft)) {
    answer(raft, request, raft.log.committed);
    return;
  }
  enqueue(raft, request);
  broadcastHeartbeat(raft);
}

function enqueue(raft: Raft, request: Message | undefined): void {
  raft.reads.add(raft.log.committed, request, raft.now);
  raft.reads.echo(raft.id, raft.reads.lastPosition);
}

/** A round of heartbeats. Where reads go by lease, its answers renew the lease: a lease is a read that nobody asked for. */
export function beat(raft: Raft): void {
  const { reads } = raft.config;
  if (reads === "lease" && raft.checkQuorum && !raft.tracker.isSoleVoter(raft.id)) {
    enqueue(raft, undefined);
  }
  broadcastHeartbeat(raft);
}

/**
 * True if nobody else can lead yet, by the clocks (§6.4.1): a quorum has heard from us since `leaseStart`, and whoever hears from a
 * leader votes for nobody for `electionTicks`. One tick less, because the first tick after hearing may come at once, and one less again
 * for the part of the present tick that has passed. etcd's leader answers as long as its last CheckQuorum succeeded, up to twice as long.
 */
export function holdsLease(raft: Raft): boolean {
  const { leaseStart } = raft.reads;
  return (
    raft.role === "leader" &&
    raft.config.reads === "lease" &&
    raft.checkQuorum &&
    raft.leadTransferee === noNode &&
    !raft.leaseForfeited &&
    leaseStart !== undefined &&
    raft.now - leaseStart < raft.config.electionTicks - 1
  );
}

/** Answers every read that a quorum has confirmed by now. */
export function answerConfirmedReads(raft: Raft): void {
  const position = raft.tracker.quorumOf((id) => raft.reads.echoedBy(id));
  for (const { request, index } of raft.reads.confirm(position)) {
    if (request !== undefined) answer(raft, request, index);
  }
}

function answer(raft: Raft, request: Message, index: Index): void {
  if (request.from === raft.id) {
    raft.readStates.push({ index, context: readContext(request) });
    return;
  }
  const { from: to, entries } = request;
  send(raft, readIndexResponse({ from: raft.id, to, term: raft.term, readIndex: index, entries }));
}

/** A read has reached a follower: the leader knows. */
export function forwardRead(raft: Raft, request: Message): Refusal | undefined {
  if (raft.leader === noNode) {
    raft.say(
      "info",
      () => `${hexId(raft.id)} no leader at term ${raft.term}; dropping index reading msg`,
    );
    return "noLeader";
  }
  if (request.from === raft.id) {
    if (raft.forwardedReads.length >= raft.config.readsMax) return "tooManyReads";
    raft.forwardedReads.push({ context: readContext(request), sentAt: raft.now });
  }
  send(raft, readIndexMessage({ from: request.from, to: raft.leader, entries: request.entries }));
  return undefined;
}

/**
 * Reads whose answer is overdue were lost on the way, there or back: by now a leader that could not confirm them would have stepped
 * down. Kept, they would take up `readsMax` bit by bit under a leader that stays.
 */
export function giveUpOverdueReads(raft: Raft): void {
  const latest = raft.now - 2 * raft.config.electionTicks;
  const overdue = raft.forwardedReads.findIndex(({ sentAt }) => sentAt > latest);
  const given = raft.forwardedReads.splice(0, overdue < 0 ? raft.forwardedReads.length : overdue);
  for (const { context } of given) raft.droppedReads.push(context);
}

/** The leader's answer to a read of ours. */
export function handleReadIndexResponse(raft: Raft, response: Message): void {
  if (response.entries.length !== 1) {
    raft.say(
      "error",
      () =>
        `${hexId(raft.id)} invalid format of MsgReadIndexResp from ${hexId(response.from)}, entries count: ${response.entries.length}`,
    );
    return;
  }
  const context = readContext(response);
  const at = raft.forwardedReads.findIndex((waiting) => equalBytes(waiting.context, context));
  if (at >= 0) raft.forwardedReads.splice(at, 1);
  raft.readStates.push({ index: response.index, context });
  // The leader of our term has committed that index, and if our entry there is of its term, it is the same one (raft-rs).
  if (raft.config.reportCommit) raft.log.maybeCommit(response.index, response.term);
}
