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
import type { ConfState, Entry, Index, Message, MessageType, NodeId, Term } from "./types.js";

/** Terms from here on are refused: they cannot be reached by elections, and leave no room to go on from. */
export const termMax: Term = 2 ** 52;
/** How far a term may lie beyond ours: more elections than have ever been held anywhere. A stray number must not use the terms up. */
export const termLeapMax: Term = 2 ** 32;

/**
 * Whom a type may come from; one that is not listed never travels. Answers ("member") are refused from strangers. A forwarded request
 * ("anyone") keeps its author's name, which may be ours.
 */
type Door = "peer" | "member" | "anyone";

const doors: ReadonlyMap<MessageType, Door> = new Map<MessageType, Door>([
  ["MsgProp", "anyone"],
  ["MsgReadIndex", "anyone"],
  ["MsgTransferLeader", "anyone"],
  ["MsgApp", "peer"],
  ["MsgSnap", "peer"],
  ["MsgHeartbeat", "peer"],
  ["MsgTimeoutNow", "peer"],
  ["MsgVote", "peer"],
  ["MsgPreVote", "peer"],
  ["MsgAppResp", "member"],
  ["MsgHeartbeatResp", "member"],
  ["MsgVoteResp", "member"],
  ["MsgPreVoteResp", "member"],
  ["MsgReadIndexResp", "member"],
]);

export function refuseMessage(raft: Raft, message: Message): StepRefusal | undefined {
  const door = doors.get(message.type);
  if (door === undefined) return "localType";
  if (message.to !== raft.id) return "notForUs";
  if (!isNodeId(message.from) || !numbersInRange(message)) return "malformed";
  if (message.term > raft.term + termLeapMax) return "malformed";
  if (message.from === raft.id && door !== "anyone") return "ownName";
  if (door === "member" && raft.tracker.find(message.from) === undefined) return "unknownPeer";
  return contentInOrder(raft, message) ? undefined : "malformed";
}

function numbersInRange(m: Message): boolean {
  return (
    isNumber(m.term) &&
    m.term < termMax &&
    isNumber(m.logTerm) &&
    isNumber(m.index) &&
    isNumber(m.commit) &&
    isNumber(m.commitTerm) &&
    isNumber(m.rejectHint) &&
    isNumber(m.requestSnapshot) &&
    Number.isSafeInteger(m.priority)
  );
}

function isNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function contentInOrder(raft: Raft, m: Message): boolean {
  switch (m.type) {
    case "MsgProp":
      return m.term === 0 && m.entries.length > 0;
    case "MsgReadIndex":
      return m.term === 0 && m.entries.length === 1;
    case "MsgApp":
      return m.term > 0 && entriesInOrder(m.entries, m.index, m.logTerm, m.term);
    case "MsgSnap":
      return m.term > 0 && snapshotInOrder(m);
    case "MsgAppResp":
      return m.term > 0 && (m.reject || !isFromOurTerm(raft, m) || m.index <= raft.log.lastIndex);
    case "MsgHeartbeatResp":
      return m.term > 0 && (!isFromOurTerm(raft, m) || positionInOrder(raft, m.context));
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
  for (const entry of entries) {
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
