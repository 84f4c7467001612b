/**
 * Step: the rules on terms, which hold in every role, then the role's own.
 *
 * "If a server receives a message with a later term, it becomes a follower of that term; one with an earlier term it ignores"
 * (§3.3), with the exceptions that PreVote, CheckQuorum and leases need. Compare etcd/raft raft.go (Step).
 *
 * Relies on messages having been checked (validation.ts); local ones come from raw-node.ts.
 */
import { describeRole, hexId } from "./describe.js";
import {
  describeVote,
  handleVoteRequest,
  handleVoteResponse,
  refuseVote,
  startElection,
} from "./election.js";
import { dropProposal, hearLeader, stepFollower } from "./follower.js";
import { checkQuorum, stepLeader } from "./leader.js";
import { appliedTo } from "./membership.js";
import { campaignTransfer } from "./messages.js";
import { acknowledge, type Raft, traceMessage } from "./raft.js";
import { beat, giveUpOverdueReads } from "./reading.js";
import type { Refusal } from "./results.js";
import { becomeFollower } from "./roles.js";
import { type Index, type Message, noNode, type Term } from "./types.js";

/** Takes in `message`; answers why a request in it was refused, if so. */
export function step(raft: Raft, message: Message): Refusal | undefined {
  if (raft.config.trace !== undefined) traceMessage(raft, "Receive", message);
  // A leader's lease may rest on what we heard before we were restarted.
  if (raft.voteBlackout > 0 && isVoteRequest(message) && !isTransfer(message)) return undefined;
  if (message.type === "MsgStorageAppendResp") {
    const { term, logTerm, index, snapshot } = message;
    if (index !== 0) entriesStored(raft, term, logTerm, index);
    if (snapshot !== undefined) snapshotStored(raft, snapshot.metadata.index);
    return undefined;
  }
  if (message.term > raft.term) {
    if (!admitHigherTerm(raft, message)) return undefined;
  } else if (message.term < raft.term && message.term !== 0) {
    handleLowerTerm(raft, message);
    return undefined;
  }
  switch (message.type) {
    case "MsgVote":
    case "MsgPreVote":
      handleVoteRequest(raft, message);
      return undefined;
    default:
      return stepRole(raft, message);
  }
}

function stepRole(raft: Raft, message: Message): Refusal | undefined {
  if (raft.role === "leader") return stepLeader(raft, message);
  if (raft.role === "follower") return stepFollower(raft, message);
  return stepCandidate(raft, message);
}

// — terms —

/** Moves to the message's term where it counts; false if the message is to be dropped. */
function admitHigherTerm(raft: Raft, message: Message): boolean {
  const { type } = message;
  if (isVoteRequest(message)) {
    if (!isTransfer(message) && inLease(raft)) {
      raft.say(
        "info",
        () =>
          `${describeVote(raft, message, "ignored", "from")}: lease is not expired ` +
          `(remaining ticks: ${raft.config.electionTicks - raft.electionElapsed})`,
      );
      return false;
    }
    if (type === "MsgPreVote") return true;
  }
  // A granted pre-vote carries the term we asked it for, which nobody has entered yet.
  if (type === "MsgPreVoteResp" && !message.reject) return true;
  raft.say(
    "info",
    () =>
      `${hexId(raft.id)} [term: ${raft.term}] received a ${type} message with higher term from ${hexId(message.from)} [term: ${message.term}]`,
  );
  const fromLeader = type === "MsgApp" || type === "MsgHeartbeat" || type === "MsgSnap";
  becomeFollower(raft, message.term, fromLeader ? message.from : noNode);
  return true;
}

/** A leader was heard from within an election timeout: nobody else is to be elected (§4.2.3). */
export function inLease(raft: Raft): boolean {
  return (
    raft.checkQuorum && raft.leader !== noNode && raft.electionElapsed < raft.config.electionTicks
  );
}

function isVoteRequest({ type }: Message): boolean {
  return type === "MsgVote" || type === "MsgPreVote";
}

function isTransfer({ context }: Message): boolean {
  return (
    context.length === campaignTransfer.length &&
    context.every((byte, at) => byte === campaignTransfer[at])
  );
}

function handleLowerTerm(raft: Raft, message: Message): void {
  const { type, from } = message;
  if ((type === "MsgHeartbeat" || type === "MsgApp") && (raft.checkQuorum || raft.config.preVote)) {
    // The sender leads an earlier term and does not know ours. Without the answer it would never step down, nor we be heard:
    // our requests for votes are dropped in the leases of its followers, or are pre-votes that lose.
    acknowledge(raft, from, 0);
  } else if (type === "MsgPreVote") {
    // Without an answer, candidates of an earlier term and a longer log would wait for us for ever.
    refuseVote(raft, message);
  } else {
    raft.say(
      "info",
      () =>
        `${hexId(raft.id)} [term: ${raft.term}] ignored a ${type} message with lower term from ${hexId(from)} [term: ${message.term}]`,
    );
  }
}

// — storage —

/** The log up to (`storedTerm`, `storedIndex`), handed out in `term`, is durable. */
export function entriesStored(raft: Raft, term: Term, storedTerm: Term, storedIndex: Index): void {
  // Entries written in an earlier term may have been replaced and replaced back since, with another write of them still under
  // way: they count when that one is done.
  if (term === raft.term) raft.log.stableTo(storedIndex, storedTerm);
  else sayStoredTooLate(raft, term);
}

function sayStoredTooLate(raft: Raft, term: Term): void {
  raft.say(
    "info",
    () =>
      `${hexId(raft.id)} [term: ${raft.term}] ignored entry appends from a MsgStorageAppendResp message with lower term [term: ${term}]`,
  );
}

/** The snapshot up to `index` is durable, whatever the term: it is committed state, which no later term replaces. */
export function snapshotStored(raft: Raft, index: Index): void {
  raft.log.stableSnapshotTo(index);
  appliedTo(raft, index, 0);
}

// — candidates —

function stepCandidate(raft: Raft, message: Message): Refusal | undefined {
  switch (message.type) {
    case "MsgProp":
      return dropProposal(raft);
    case "MsgReadIndex":
    case "MsgTransferLeader":
      return "noLeader";
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      // Somebody else has won our term.
      becomeFollower(raft, message.term, message.from);
      return hearLeader(raft, message);
    case "MsgVoteResp":
      if (raft.role === "candidate") handleVoteResponse(raft, message);
      return undefined;
    case "MsgPreVoteResp":
      if (raft.role === "preCandidate") handleVoteResponse(raft, message);
      return undefined;
    case "MsgTimeoutNow":
      raft.say(
        "debug",
        () =>
          `${hexId(raft.id)} [term ${raft.term} state ${describeRole(raft.role)}] ignored MsgTimeoutNow from ${hexId(message.from)}`,
      );
      return undefined;
    default:
      return undefined;
  }
}

// — time —

/** One tick: a follower comes nearer to an election, a leader to its next heartbeat and check of its quorum. */
export function tick(raft: Raft): void {
  raft.now++;
  if (raft.voteBlackout > 0) raft.voteBlackout--;
  raft.electionElapsed++;
  if (raft.now >= raft.requestedSnapshotUntil) raft.requestedSnapshot = 0;
  if (raft.forwardedReads.length > 0) giveUpOverdueReads(raft);
  if (raft.role === "leader") tickLeader(raft);
  else if (raft.promotable && raft.electionElapsed >= raft.electionTimeout) {
    raft.electionElapsed = 0;
    campaign(raft);
  }
}

/**
 * In how many ticks one does more than count: sends heartbeats, asks for a quorum, begins an election. At least 1; Infinity for who may
 * not campaign. A message may move it.
 */
export function ticksUntilDue(raft: Raft): number {
  const { config, electionElapsed, heartbeatElapsed } = raft;
  if (raft.stopped !== undefined) return Number.POSITIVE_INFINITY;
  if (raft.role === "leader") {
    const quorum = config.electionTicks - electionElapsed;
    return Math.max(1, Math.min(quorum, config.heartbeatTicks - heartbeatElapsed));
  }
  if (!raft.promotable) return Number.POSITIVE_INFINITY;
  return Math.max(1, raft.electionTimeout - electionElapsed);
}

/** By the owner's wish. A voter whose leader answers reads by lease must not call an election while the lease may last. */
export function campaignNow(raft: Raft): Refusal | undefined {
  if (raft.config.reads === "lease" && raft.role === "follower" && inLease(raft)) {
    return "leaseReads";
  }
  return campaign(raft);
}

function campaign(raft: Raft): Refusal | undefined {
  return startElection(raft, raft.config.preVote ? "preElection" : "election");
}

function tickLeader(raft: Raft): void {
  raft.heartbeatElapsed++;
  if (raft.electionElapsed >= raft.config.electionTicks) {
    raft.electionElapsed = 0;
    if (raft.checkQuorum) checkQuorum(raft);
    if (raft.role !== "leader") return;
    // It had its time; proposals may go on here.
    raft.leadTransferee = noNode;
  }
  if (raft.heartbeatElapsed >= raft.config.heartbeatTicks) {
    raft.heartbeatElapsed = 0;
    beat(raft);
  }
}
