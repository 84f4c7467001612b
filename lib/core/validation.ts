/**
 * Validation: what a message from outside must be before the rules of consensus see it.
 *
 * Peers are authenticated and voters are trusted (DESIGN §7), but a bug in one of them, or bytes of another cluster, must not bring a
 * node down: whatever would break an assertion further in is refused here. Answers the reason, or undefined.
 */
import { isNodeId } from "./config.js";
import type { Raft } from "./raft.js";
import { decodePosition } from "./reads.js";
import type { StepRefusal } from "./results.js";
import type { ConfState, Entry, Index, Message, NodeId, Term } from "./types.js";

/** Terms from here on are refused: they cannot be reached by elections, and leave no room to go on from. */
export const termMax: Term = 2 ** 52;
/** How far a term may lie beyond ours: more elections than have ever been held anywhere. A stray number must not use the terms up. */
export const termLeapMax: Term = 2 ** 32;

/**
 * Why `message` is not to be taken in. One function, because it runs for every message and calls would cost more than the comparisons.
 *
 * Answers are refused from strangers. A forwarded request keeps its author's name, which may be ours; nothing else may come in our name.
 * What is not listed never travels.
 */
export function refuseMessage(raft: Raft, m: Message): StepRefusal | undefined {
  let fromMember = false;
  let forwarded = false;
  switch (m.type) {
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
    case "MsgVote":
    case "MsgPreVote":
    case "MsgTimeoutNow":
      break;
    case "MsgAppResp":
    case "MsgHeartbeatResp":
    case "MsgVoteResp":
    case "MsgPreVoteResp":
    case "MsgReadIndexResp":
      fromMember = true;
      break;
    case "MsgProp":
    case "MsgReadIndex":
    case "MsgTransferLeader":
      forwarded = true;
      break;
    default:
      return "localType";
  }
  if (m.to !== raft.id) return "notForUs";
  const inRange =
    isNodeId(m.from) &&
    isNumber(m.term) &&
    m.term < termMax &&
    m.term - raft.term <= termLeapMax &&
    isNumber(m.logTerm) &&
    isNumber(m.index) &&
    isNumber(m.commit) &&
    isNumber(m.commitTerm) &&
    isNumber(m.rejectHint) &&
    isNumber(m.requestSnapshot) &&
    Number.isSafeInteger(m.priority);
  if (!inRange) return "malformed";
  if (m.from === raft.id && !forwarded) return "ownName";
  if (fromMember && raft.tracker.find(m.from) === undefined) return "unknownPeer";
  return contentInOrder(raft, m) ? undefined : "malformed";
}

function isNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function contentInOrder(raft: Raft, m: Message): boolean {
  switch (m.type) {
    case "MsgApp":
      return m.term > 0 && entriesInOrder(m.entries, m.index, m.logTerm, m.term);
    case "MsgAppResp":
      return m.term > 0 && (m.reject || !isFromOurTerm(raft, m) || m.index <= raft.log.lastIndex);
    case "MsgHeartbeatResp":
      return m.term > 0 && (!isFromOurTerm(raft, m) || positionInOrder(raft, m.context));
    case "MsgSnap":
      return m.term > 0 && snapshotInOrder(m);
    case "MsgProp":
      return m.term === 0 && m.entries.length > 0;
    case "MsgReadIndex":
      return m.term === 0 && m.entries.length === 1;
    default:
      return m.term > 0;
  }
}

/** An answer that we, as leader, would act on. */
function isFromOurTerm(raft: Raft, m: Message): boolean {
  return raft.role === "leader" && m.term === raft.term;
}

/** Echoed byte for byte: nothing, or the position of a read we have. */
function positionInOrder(raft: Raft, context: Uint8Array): boolean {
  if (context.length === 0) return true;
  const position = decodePosition(context);
  return position !== undefined && position <= raft.reads.lastPosition;
}

/** Contiguous after `index`, with terms that never fall and never exceed the sender's. */
function entriesInOrder(
  entries: readonly Entry[],
  index: Index,
  logTerm: Term,
  termLimit: Term,
): boolean {
  let expected = index;
  let term = logTerm;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry;
    expected++;
    if (entry.index !== expected || !isNumber(entry.term)) return false;
    if (entry.term < term || entry.term > termLimit) return false;
    term = entry.term;
  }
  return logTerm <= termLimit && isNumber(expected);
}

function snapshotInOrder({ snapshot, term }: Message): boolean {
  if (snapshot === undefined) return false;
  const { metadata } = snapshot;
  if (!isNumber(metadata.index) || !isNumber(metadata.term) || metadata.term > term) return false;
  return metadata.index === 0 || (metadata.term > 0 && confStateInOrder(metadata.confState));
}

/** Such as a configuration change can lead to. */
export function confStateInOrder(state: ConfState): boolean {
  const { voters, learners, votersOutgoing, learnersNext, autoLeave } = state;
  const joint = votersOutgoing.length > 0;
  return (
    voters.length > 0 &&
    [voters, learners, votersOutgoing, learnersNext].every(distinctIds) &&
    disjoint(learners, voters) &&
    disjoint(learners, votersOutgoing) &&
    disjoint(learnersNext, voters) &&
    disjoint(learnersNext, learners) &&
    learnersNext.every((id) => votersOutgoing.includes(id)) &&
    (joint || !autoLeave)
  );
}

function distinctIds(ids: readonly NodeId[]): boolean {
  return ids.every(isNodeId) && new Set(ids).size === ids.length;
}

function disjoint(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return !a.some((id) => b.includes(id));
}
