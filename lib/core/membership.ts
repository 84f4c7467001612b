/**
 * Membership: proposing entries and configuration changes, applying the latter, and leaving joint configurations.
 *
 * A change takes effect when it is applied, and at most one may be in the log and not applied. Dissertation §4.1–4.3; compare
 * etcd/raft raft.go (stepLeader MsgProp, applyConfChange, switchToConfig, appliedTo).
 */
import { isLogboomError } from "../base/errors.js";
import { applyChange, isJoint, type Membership } from "./confchange.js";
import { decodeConfChange } from "./confchange-codec.js";
import { describeConfChange, describeConfiguration, hexId } from "./describe.js";
import {
  emptyEntry,
  isConfChange,
  memoryBytesOf,
  payloadBytesOf,
  proposedEntry,
} from "./entries.js";
import { install, type Raft, trace } from "./raft.js";
import { answerConfirmedReads, releasePostponedReads } from "./reading.js";
import { broadcastAppend, maybeCommit, maybeSendAppend } from "./replication.js";
import type { ProposalFate, Refusal } from "./results.js";
import { appendEntries, becomeFollower } from "./roles.js";
import { traceProposedChange } from "./trace.js";
import {
  type ConfChangeV2,
  type Entry,
  type Index,
  type NodeId,
  noBytes,
  noNode,
  type Term,
} from "./types.js";

/** Appends `entries` as leader and sends them on, or says why not. */
export function proposeAsLeader(raft: Raft, entries: readonly Entry[]): Refusal | undefined {
  if (raft.ownProgress === undefined) return "notMember";
  if (raft.leadTransferee !== noNode) {
    raft.say(
      "debug",
      () =>
        `${hexId(raft.id)} [term ${raft.term}] transfer leadership to ${hexId(raft.leadTransferee)} is in progress; dropping proposal`,
    );
    return "transferring";
  }
  // Empty entries always fit: a read or a transfer may wait for one.
  if (payloadBytesOf(entries) > 0 && raft.log.memory + memoryBytesOf(entries) > raft.logBytesMax) {
    return "tooMuchLog";
  }
  const refusal = appendEntries(raft, withoutRefusedChanges(raft, entries));
  if (refusal === undefined) broadcastAppend(raft);
  return refusal;
}

/**
 * What became of the entry proposed at (`index`, `term`). Until something is committed at its index nothing is certain: an entry that was
 * replaced here may stand in another log, and its owner be the next leader.
 */
export function proposalFate({ log }: Raft, index: Index, term: Term): ProposalFate {
  if (index > log.committed) return "pending";
  const found = log.term(index);
  if (found === undefined) return "unknown";
  return found === term ? "committed" : "overwritten";
}

/** A change that may not be proposed becomes an empty entry, so that the entries around it keep their places. */
function withoutRefusedChanges(raft: Raft, entries: readonly Entry[]): readonly Entry[] {
  return entries.some(isConfChange) ? refusedEmptied(raft, entries) : entries;
}

function refusedEmptied(raft: Raft, entries: readonly Entry[]): readonly Entry[] {
  const last = raft.log.lastIndex;
  return entries.map((entry, position) => {
    if (!isConfChange(entry)) return entry;
    if (refuseConfChange(raft, entry) !== undefined) return emptyEntry;
    raft.pendingConfIndex = last + position + 1;
    if (raft.config.trace !== undefined) traceProposal(raft, entry);
    return entry;
  });
}

function traceProposal(raft: Raft, entry: Entry): void {
  const change = tryDecode(entry);
  const prop = change === undefined ? undefined : traceProposedChange(change);
  if (prop !== undefined) trace(raft, "ChangeConf", undefined, prop);
}

/**
 * Why a change may not be proposed now. Judged by the applied configuration, which is right because no other change is under way
 * when the first rule holds.
 */
export function refuseConfChange(raft: Raft, entry: Entry): Refusal | undefined {
  const change = tryDecode(entry);
  const found = change === undefined ? malformed : findObjection(raft, change);
  if (found === undefined) return undefined;
  if (!raft.config.validateConfChanges && change !== undefined) return undefined;
  raft.say("info", () => {
    const text = change === undefined ? "?" : describeConfChange(change);
    const configuration = describeConfiguration(raft.tracker.configuration);
    return `${hexId(raft.id)} ignoring conf change ${text} at config ${configuration}: ${found.text}`;
  });
  return found.refusal;
}

interface Objection {
  readonly refusal: Refusal;
  readonly text: string;
}

const malformed: Objection = { refusal: "invalidConfChange", text: "malformed" };

function tryDecode(entry: Entry): ConfChangeV2 | undefined {
  try {
    return decodeConfChange(entry);
  } catch (error) {
    if (isLogboomError(error)) return undefined;
    throw error;
  }
}

function findObjection(raft: Raft, change: ConfChangeV2): Objection | undefined {
  const { applied } = raft.log;
  if (raft.pendingConfIndex > applied) {
    return {
      refusal: "pendingConfChange",
      text: `possible unapplied conf change at index ${raft.pendingConfIndex} (applied to ${applied})`,
    };
  }
  const joint = isJoint(raft.tracker.configuration);
  if (joint && change.changes.length > 0) {
    return { refusal: "mustLeaveJoint", text: "must transition out of joint config first" };
  }
  if (!joint && change.changes.length === 0) {
    return { refusal: "notJoint", text: "not in joint state; refusing empty conf change" };
  }
  const tried = applyChange(raft.tracker, change, raft.newcomers);
  return tried.ok ? undefined : { refusal: "invalidConfChange", text: tried.reason };
}

/**
 * Carries out the committed change in `entry`. One that cannot be (which leaders refuse to propose) changes nothing, on every
 * replica alike.
 */
export function applyConfChange(raft: Raft, entry: Entry): void {
  raft.confIndex = entry.index;
  const change = tryDecode(entry);
  if (change === undefined) {
    raft.say("error", () => `${hexId(raft.id)} malformed conf change at index ${entry.index}`);
    return;
  }
  const changed = applyChange(raft.tracker, change, raft.newcomers);
  if (changed.ok) {
    switchTo(raft, changed.membership);
    return;
  }
  raft.say(
    "error",
    () =>
      `${hexId(raft.id)} cannot apply conf change ${describeConfChange(change)} at index ${entry.index}: ${changed.reason}`,
  );
}

function switchTo(raft: Raft, membership: Membership): void {
  install(raft, membership);
  const own = raft.ownProgress;
  if (raft.role === "leader" && (own === undefined || own.isLearner)) {
    // Who is no voter must not lead: it would count on others' disks alone, and drop every proposal.
    if (raft.config.stepDownOnRemoval) becomeFollower(raft, raft.term, noNode);
    return;
  }
  if (raft.role !== "leader" || raft.tracker.voters.length === 0) return;
  // A smaller quorum may hold, or have confirmed, what the larger one did not.
  if (maybeCommit(raft)) {
    releasePostponedReads(raft);
    broadcastAppend(raft);
  } else {
    for (const { id, progress } of raft.tracker.peers) {
      if (id !== raft.id) maybeSendAppend(raft, id, progress, false);
    }
  }
  answerConfirmedReads(raft);
  if (raft.leadTransferee !== noNode && !raft.tracker.isVoter(raft.leadTransferee)) {
    raft.leadTransferee = noNode;
  }
}

const leaveJointEntry: Entry = proposedEntry(noBytes, "EntryConfChangeV2");

/** The state machine has everything up to `index`; `bytes` of what was handed out to it are done with (see RaftLog.appliedTo). */
export function appliedTo(raft: Raft, index: Index, bytes: number | undefined): void {
  const applied = Math.max(index, raft.log.applied);
  raft.log.appliedTo(applied, bytes);
  const { configuration } = raft.tracker;
  if (!configuration.autoLeave || raft.role !== "leader" || applied < raft.pendingConfIndex) return;
  // Tried again whenever something is applied, also by a leader elected since (§4.3).
  const refusal = proposeAsLeader(raft, [leaveJointEntry]);
  const text = describeConfiguration(configuration);
  if (refusal === undefined) {
    raft.say("info", () => `initiating automatic transition out of joint configuration ${text}`);
  } else {
    raft.say(
      "debug",
      () =>
        `not initiating automatic transition out of joint configuration ${text}: raft proposal dropped`,
    );
  }
}

/** The quorum's arithmetic has changed: what it now calls committed is committed. */
function recount(raft: Raft): void {
  if (raft.role === "leader" && maybeCommit(raft)) {
    releasePostponedReads(raft);
    broadcastAppend(raft);
  }
}

/** Turns raft-rs' group commit on or off. */
export function setGroupCommit(raft: Raft, on: boolean): void {
  raft.tracker.groupCommit = on;
  recount(raft);
}

/** Puts members into commit groups; strangers are ignored. */
export function assignCommitGroups(raft: Raft, groups: Iterable<readonly [NodeId, number]>): void {
  for (const [id, group] of groups) {
    const progress = raft.tracker.progress.get(id);
    if (progress !== undefined) progress.commitGroup = group;
  }
  recount(raft);
}

export function clearCommitGroups(raft: Raft): void {
  assignCommitGroups(
    raft,
    raft.tracker.peers.map(({ id }) => [id, 0] as const),
  );
}
