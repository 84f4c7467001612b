/**
 * Followers: taking over what the leader sends, and passing on what is meant for it.
 *
 * Dissertation §3.5 (the consistency check), §5 (installing a snapshot); compare etcd/raft raft.go (stepFollower,
 * handleAppendEntries, handleHeartbeat, handleSnapshot, restore).
 */
import { hexId } from "./describe.js";
import { handleTimeoutNow } from "./election.js";
import {
  appendRejected,
  heartbeatResponse,
  proposalMessage,
  transferLeaderMessage,
} from "./messages.js";
import {
  acknowledge,
  installConfState,
  type Raft,
  reportedCommit,
  send,
  stopForLostLog,
} from "./raft.js";
import { forwardRead, handleReadIndexResponse } from "./reading.js";
import type { Refusal } from "./results.js";
import { becomeFollower } from "./roles.js";
import { type Message, type NodeId, noNode, type Snapshot } from "./types.js";

export function stepFollower(raft: Raft, message: Message): Refusal | undefined {
  switch (message.type) {
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      return hearLeader(raft, message);
    case "MsgProp":
      return forwardProposal(raft, message);
    case "MsgReadIndex":
      return forwardRead(raft, message);
    case "MsgReadIndexResp":
      handleReadIndexResponse(raft, message);
      return undefined;
    case "MsgTransferLeader":
      return forwardTransfer(raft, message.from);
    case "MsgTimeoutNow":
      handleTimeoutNow(raft, message.from);
      return undefined;
    default:
      return undefined;
  }
}

/** Word from the leader of our term: it leads, and our election timer starts again. */
export function hearLeader(raft: Raft, message: Message): Refusal | undefined {
  raft.electionElapsed = 0;
  raft.leader = message.from;
  if (message.type === "MsgApp") handleAppend(raft, message);
  else if (message.type === "MsgHeartbeat") return handleHeartbeat(raft, message);
  else handleSnapshot(raft, message);
  return undefined;
}

function handleAppend(raft: Raft, message: Message): void {
  const { log } = raft;
  if (raft.requestedSnapshot > 0) {
    askForSnapshot(raft, message.from);
    return;
  }
  if (message.index < log.committed) {
    // What is committed need not be compared: it is the same everywhere.
    acknowledge(raft, message.from, log.committed);
    return;
  }
  const last = log.maybeAppend(message.index, message.logTerm, message.entries, message.commit);
  if (last === undefined) rejectAppend(raft, message);
  else acknowledge(raft, message.from, last);
}

/** Says where the logs may meet: at the last of our entries, at or before the leader's, whose term is no later than its. */
function rejectAppend(raft: Raft, { from, index, logTerm }: Message): void {
  const { log } = raft;
  raft.say(
    "debug",
    () =>
      `${hexId(raft.id)} [logterm: ${log.term(index) ?? 0}, index: ${index}] rejected MsgApp ` +
      `[logterm: ${logTerm}, index: ${index}] from ${hexId(from)}`,
  );
  const hint = log.findConflictByTerm(Math.min(index, log.lastIndex), logTerm);
  send(
    raft,
    appendRejected({
      from: raft.id,
      to: from,
      term: raft.term,
      rejected: index,
      hintIndex: hint.index,
      hintTerm: hint.term,
      commit: reportedCommit(raft),
      requestSnapshot: 0,
    }),
  );
}

/** Wants a snapshot at least as new as our log, whatever it holds. Only where our log reaches into the leader's term is that a log to name. */
export function requestSnapshot(raft: Raft): Refusal | undefined {
  if (raft.role === "leader") return "alreadyLeader";
  if (raft.leader === noNode) return "noLeader";
  if (raft.log.snapshot !== undefined || raft.requestedSnapshot > 0) return "inProgress";
  if (raft.log.lastTerm !== raft.term) return "staleLog";
  raft.requestedSnapshot = raft.log.lastIndex;
  raft.requestedSnapshotUntil = raft.now + raft.config.electionTicks;
  askForSnapshot(raft, raft.leader);
  return undefined;
}

/**
 * Answers the leader with our wish for a snapshot, until it is fulfilled or given up (raft-rs' request_snapshot). It ends with the term
 * and after an election timeout: the leader may need our acknowledgement to commit, and so to have a snapshot of, what we ask for, and
 * who asks gives none. raft-rs waits for ever. (Found by the simulator, seed 567.)
 */
function askForSnapshot(raft: Raft, leader: NodeId): void {
  const { log } = raft;
  send(
    raft,
    appendRejected({
      from: raft.id,
      to: leader,
      term: raft.term,
      rejected: log.committed,
      hintIndex: log.lastIndex,
      hintTerm: log.lastTerm,
      commit: reportedCommit(raft),
      requestSnapshot: raft.requestedSnapshot,
    }),
  );
}

function handleHeartbeat(raft: Raft, message: Message): Refusal | undefined {
  const { log } = raft;
  // The leader tells us only of entries we acknowledged to it. If they are not here, we lost them.
  if (message.commit > log.lastIndex) {
    stopForLostLog(raft, message.from, message.commit);
    return "stopped";
  }
  log.commitTo(message.commit);
  if (raft.requestedSnapshot > 0) {
    askForSnapshot(raft, message.from);
    return undefined;
  }
  const { from: to, context } = message;
  send(
    raft,
    heartbeatResponse({
      from: raft.id,
      to,
      term: raft.term,
      context,
      commit: reportedCommit(raft),
    }),
  );
  return undefined;
}

function handleSnapshot(raft: Raft, message: Message): void {
  const snapshot = message.snapshot;
  if (snapshot === undefined) return;
  const { index, term } = snapshot.metadata;
  const restored = restore(raft, snapshot);
  const verb = restored ? "restored" : "ignored";
  raft.say(
    "info",
    () =>
      `${hexId(raft.id)} [commit: ${raft.log.committed}] ${verb} snapshot [index: ${index}, term: ${term}]`,
  );
  acknowledge(raft, message.from, restored ? raft.log.lastIndex : raft.log.committed);
}

/** Replaces log and configuration by the snapshot's, if it is news and for us; false otherwise. */
function restore(raft: Raft, snapshot: Snapshot): boolean {
  const { log } = raft;
  const { index, term, confState } = snapshot.metadata;
  // One that we asked for may stand where we are: what it holds is what we want. One that answers an earlier wish of ours may lack what
  // we acknowledged since that was given up, and takes nothing's place. (Found by the simulator.)
  const wanted = raft.requestedSnapshot > 0 && index >= raft.requestedSnapshot;
  if (index < log.committed || (index === log.committed && !wanted)) return false;
  if (raft.role !== "follower") {
    raft.say(
      "warn",
      () => `${hexId(raft.id)} attempted to restore snapshot as leader; should never happen`,
    );
    becomeFollower(raft, raft.term + 1, noNode);
    return false;
  }
  const members = [confState.voters, confState.learners, confState.votersOutgoing];
  if (!members.some((ids) => ids.includes(raft.id))) {
    raft.say(
      "warn",
      () =>
        `${hexId(raft.id)} attempted to restore snapshot but it is not in the ConfState ${JSON.stringify(confState)}; should never happen`,
    );
    return false;
  }
  if (!wanted && log.matches(index, term)) {
    raft.say(
      "info",
      () =>
        `${hexId(raft.id)} [commit: ${log.committed}, lastindex: ${log.lastIndex}, lastterm: ${log.lastTerm}] ` +
        `fast-forwarded commit to snapshot [index: ${index}, term: ${term}]`,
    );
    log.commitTo(index);
    return false;
  }
  raft.requestedSnapshot = 0;
  log.restore(snapshot);
  raft.confIndex = index;
  installConfState(raft, confState);
  raft.say(
    "info",
    () =>
      `${hexId(raft.id)} [commit: ${log.committed}, lastindex: ${log.lastIndex}, lastterm: ${log.lastTerm}] ` +
      `restored snapshot [index: ${index}, term: ${term}]`,
  );
  return true;
}

// — passing on —

function forwardProposal(raft: Raft, proposal: Message): Refusal | undefined {
  if (raft.leader === noNode) return dropProposal(raft);
  if (!raft.config.forwardProposals) {
    raft.say(
      "info",
      () =>
        `${hexId(raft.id)} not forwarding to leader ${hexId(raft.leader)} at term ${raft.term}; dropping proposal`,
    );
    return "notForwarding";
  }
  const { from, entries } = proposal;
  send(raft, proposalMessage({ from, to: raft.leader, entries }));
  return undefined;
}

export function dropProposal(raft: Raft): Refusal {
  raft.say("info", () => `${hexId(raft.id)} no leader at term ${raft.term}; dropping proposal`);
  return "noLeader";
}

function forwardTransfer(raft: Raft, target: NodeId): Refusal | undefined {
  if (raft.leader === noNode) {
    raft.say(
      "info",
      () => `${hexId(raft.id)} no leader at term ${raft.term}; dropping leader transfer msg`,
    );
    return "noLeader";
  }
  send(raft, transferLeaderMessage({ target, to: raft.leader, term: raft.term }));
  return undefined;
}

/** Stops believing in the leader, so that another may be elected at once; the election timer runs on. */
export function forgetLeader(raft: Raft): Refusal | undefined {
  if (raft.role !== "follower") return raft.role === "leader" ? "alreadyLeader" : "noLeader";
  if (raft.config.reads === "lease") {
    raft.say("error", () => "ignoring MsgForgetLeader due to ReadOnlyLeaseBased");
    return "leaseReads";
  }
  if (raft.leader === noNode) return "noLeader";
  raft.say(
    "info",
    () => `${hexId(raft.id)} forgetting leader ${hexId(raft.leader)} at term ${raft.term}`,
  );
  raft.leader = noNode;
  return undefined;
}
