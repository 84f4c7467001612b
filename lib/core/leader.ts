/**
 * Leaders: what they do with proposals, answers, reads, failed sends and requests to hand over.
 *
 * Dissertation §3.5 (acknowledgements and refusals), §3.6.2 (commit), §3.10 (transfer), §6.2 (CheckQuorum); compare
 * etcd/raft raft.go (stepLeader).
 */
import { describeProgress, hexId } from "./describe.js";
import { proposeAsLeader } from "./membership.js";
import { timeoutNowMessage } from "./messages.js";
import type { Progress } from "./progress.js";
import { type Raft, send } from "./raft.js";
import { answerConfirmedReads, beat, leaderRead, releasePostponedReads } from "./reading.js";
import { decodePosition } from "./reads.js";
import { announceCommit, maybeCommit, maybeSendAppend } from "./replication.js";
import type { Refusal } from "./results.js";
import { becomeFollower } from "./roles.js";
import { type Index, type Message, type NodeId, noNode } from "./types.js";

export function stepLeader(raft: Raft, message: Message): Refusal | undefined {
  switch (message.type) {
    case "MsgAppResp":
    case "MsgHeartbeatResp":
    case "MsgTransferLeader": {
      const progress = progressOf(raft, message.from);
      return progress === undefined ? "badTarget" : stepPeer(raft, message, progress);
    }
    case "MsgProp":
      return proposeAsLeader(raft, message.entries);
    case "MsgReadIndex":
      return leaderRead(raft, message);
    default:
      return undefined;
  }
}

function stepPeer(raft: Raft, message: Message, progress: Progress): Refusal | undefined {
  if (message.type === "MsgTransferLeader") return startTransfer(raft, message.from, progress);
  if (message.type === "MsgAppResp") handleAppendResponse(raft, message, progress);
  else handleHeartbeatResponse(raft, message, progress);
  return undefined;
}

function progressOf(raft: Raft, id: NodeId): Progress | undefined {
  const progress = raft.tracker.find(id);
  if (progress === undefined) sayNoProgress(raft, id);
  return progress;
}

function sayNoProgress(raft: Raft, id: NodeId): void {
  raft.say("debug", () => `${hexId(raft.id)} no progress available for ${hexId(id)}`);
}

// — acknowledgements —

function handleAppendResponse(raft: Raft, response: Message, progress: Progress): void {
  progress.recentActive = true;
  progress.commit = Math.max(progress.commit, response.commit);
  if (response.reject) handleRejection(raft, response, progress);
  else handleAcknowledgement(raft, response, progress);
}

/**
 * The logs do not meet at `rejected`. The follower's hint is its last entry whose term is no later than that of our entry there; we
 * look in turn for our last entry whose term is no later than the hint's. So each round rules out a whole term of one of the logs:
 * ```
 *   leader    1 1 1 3 3 3 5 5      probe at 8: refused, hint (index 6, term 2)
 *   follower  1 1 1 2 2 2          our last entry of term <= 2 at or before 6 is 3: next probe at 3, and it matches
 * ```
 */
function handleRejection(raft: Raft, response: Message, progress: Progress): void {
  const { from, index: rejected, rejectHint, logTerm: hintTerm } = response;
  raft.say(
    "debug",
    () =>
      `${hexId(raft.id)} received MsgAppResp(rejected, hint: (index ${rejectHint}, term ${hintTerm})) ` +
      `from ${hexId(from)} for index ${rejected}`,
  );
  if (response.requestSnapshot > 0) {
    grantSnapshotRequest(raft, response, progress);
    return;
  }
  const meet = hintTerm > 0 ? raft.log.findConflictByTerm(rejectHint, hintTerm).index : rejectHint;
  if (!progress.maybeDecrease(rejected, meet)) return;
  raft.say(
    "debug",
    () =>
      `${hexId(raft.id)} decreased progress of ${hexId(from)} to [${describeProgress(progress)}]`,
  );
  if (progress.state === "replicate") progress.becomeProbe();
  maybeSendAppend(raft, from, progress, true);
}

/** The follower wants a snapshot, whatever its log (raft-rs' request_snapshot). One already under way will do. */
function grantSnapshotRequest(raft: Raft, response: Message, progress: Progress): void {
  if (progress.state === "snapshot") return;
  // It has acknowledged more since: that wish was given up.
  if (response.requestSnapshot < progress.match) return;
  if (progress.state === "replicate") progress.becomeProbe();
  // Asked for again: there may have been none to give the first time.
  if (progress.requestedSnapshot === 0) progress.requestedSnapshot = response.requestSnapshot;
  progress.paused = false;
  maybeSendAppend(raft, response.from, progress, true);
}

function handleAcknowledgement(raft: Raft, response: Message, progress: Progress): void {
  const { from, index } = response;
  const news = progress.maybeUpdate(index);
  // Who wants a snapshot acknowledges nothing.
  if (news) progress.requestedSnapshot = 0;
  if (!news && !endsWaiting(progress, index)) return;
  advanceState(raft, from, index, progress);
  if (maybeCommit(raft, index)) {
    releasePostponedReads(raft);
    announceCommit(raft);
  } else if (from !== raft.id && progress.canBumpCommit(raft.log.committed)) {
    maybeSendAppend(raft, from, progress, true);
  }
  // The acknowledgement may have made room for several appends.
  if (from !== raft.id) while (maybeSendAppend(raft, from, progress, false)) {}
  if (from === raft.leadTransferee) continueTransfer(raft, from, progress);
}

/** An answer without news still ends a probe, or the wait for a snapshot that was asked for by who needed none. */
function endsWaiting({ state, match, pendingSnapshot }: Progress, index: Index): boolean {
  if (state === "probe") return match === index;
  // A snapshot that was not taken in, because the follower had no need of it, is answered with what is committed there.
  return state === "snapshot" && match >= pendingSnapshot && index >= pendingSnapshot;
}

/** The one who is to lead has caught up: now it may. */
function continueTransfer(raft: Raft, target: NodeId, progress: Progress): void {
  if (progress.match !== raft.log.lastIndex) return;
  raft.say(
    "info",
    () => `${hexId(raft.id)} sent MsgTimeoutNow to ${hexId(target)} after received MsgAppResp`,
  );
  sendTimeoutNow(raft, target);
}

function advanceState(raft: Raft, from: NodeId, index: number, progress: Progress): void {
  if (progress.state === "probe") {
    progress.becomeReplicate();
  } else if (progress.state === "replicate") {
    progress.inflights.freeTo(index);
  } else if (progress.match + 1 >= raft.log.firstIndex) {
    leaveSnapshot(raft, from, progress);
  }
}

/** Whatever snapshot brought the peer to our log, the log takes it from there. */
function leaveSnapshot(raft: Raft, from: NodeId, progress: Progress): void {
  raft.say(
    "debug",
    () =>
      `${hexId(raft.id)} recovered from needing snapshot, resumed sending replication messages to ${hexId(from)} [${describeProgress(progress)}]`,
  );
  progress.becomeProbe();
  progress.becomeReplicate();
}

function handleHeartbeatResponse(raft: Raft, response: Message, progress: Progress): void {
  progress.recentActive = true;
  progress.paused = false;
  progress.commit = Math.max(progress.commit, response.commit);
  if (progress.match < raft.log.lastIndex || progress.state === "probe") {
    maybeSendAppend(raft, response.from, progress, true);
  }
  const position = decodePosition(response.context);
  if (position === undefined) return;
  raft.reads.echo(response.from, position);
  answerConfirmedReads(raft);
}

/** Heartbeats, now. */
export function ping(raft: Raft): Refusal | undefined {
  if (raft.role !== "leader") return "notLeader";
  beat(raft);
  return undefined;
}

// — reports of the transport —

/** A send to `id` failed: what is in flight may be lost, so stop guessing. */
export function reportUnreachable(raft: Raft, id: NodeId): void {
  if (raft.role !== "leader") return;
  const progress = progressOf(raft, id);
  if (progress === undefined) return;
  if (progress.state === "replicate") progress.becomeProbe();
  raft.say(
    "debug",
    () =>
      `${hexId(raft.id)} failed to send message to ${hexId(id)} because it is unreachable [${describeProgress(progress)}]`,
  );
}

/** The snapshot sent to `id` has arrived, or has not. */
export function reportSnapshot(raft: Raft, id: NodeId, arrived: boolean): void {
  if (raft.role !== "leader") return;
  const progress = progressOf(raft, id);
  if (progress === undefined || progress.state !== "snapshot") return;
  if (!arrived) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  progress.requestedSnapshot = 0;
  raft.say(
    "debug",
    () =>
      `${hexId(raft.id)} snapshot ${arrived ? "succeeded" : "failed"}, resumed sending replication messages to ${hexId(id)} [${describeProgress(progress)}]`,
  );
  // Arrived: wait for its acknowledgement. Failed: wait a heartbeat before the next attempt.
  progress.paused = true;
}

// — quorum and hand-over —

/** A leader that has not heard from a quorum for an election timeout may have been replaced: it stops acting as one (§6.2). */
export function checkQuorum(raft: Raft): void {
  if (!raft.tracker.quorumActive(raft.id)) {
    raft.say("warn", () => `${hexId(raft.id)} stepped down to follower since quorum is not active`);
    becomeFollower(raft, raft.term, noNode);
  }
  for (const { id, progress } of raft.tracker.peers) {
    if (id !== raft.id) progress.recentActive = false;
  }
}

function startTransfer(raft: Raft, target: NodeId, progress: Progress): Refusal | undefined {
  if (progress.isLearner) {
    raft.say("debug", () => `${hexId(raft.id)} is learner. Ignored transferring leadership`);
    return "badTarget";
  }
  if (raft.leadTransferee === target) {
    raft.say(
      "info",
      () =>
        `${hexId(raft.id)} [term ${raft.term}] transfer leadership to ${hexId(target)} is in progress, ignores request to same node ${hexId(target)}`,
    );
    return "inProgress";
  }
  if (raft.leadTransferee !== noNode) {
    const previous = raft.leadTransferee;
    raft.leadTransferee = noNode;
    raft.say(
      "info",
      () =>
        `${hexId(raft.id)} [term ${raft.term}] abort previous transferring leadership to ${hexId(previous)}`,
    );
  }
  if (target === raft.id) {
    raft.say(
      "debug",
      () => `${hexId(raft.id)} is already leader. Ignored transferring leadership to self`,
    );
    return "alreadyLeader";
  }
  raft.say(
    "info",
    () => `${hexId(raft.id)} [term ${raft.term}] starts to transfer leadership to ${hexId(target)}`,
  );
  // It has one election timeout from now.
  raft.electionElapsed = 0;
  raft.leadTransferee = target;
  if (progress.match === raft.log.lastIndex) {
    sendTimeoutNow(raft, target);
    raft.say(
      "info",
      () =>
        `${hexId(raft.id)} sends MsgTimeoutNow to ${hexId(target)} immediately as ${hexId(target)} already has up-to-date log`,
    );
  } else {
    maybeSendAppend(raft, target, progress, true);
  }
  return undefined;
}

function sendTimeoutNow(raft: Raft, to: NodeId): void {
  raft.leaseForfeited = true;
  send(raft, timeoutNowMessage({ from: raft.id, to, term: raft.term }));
}
