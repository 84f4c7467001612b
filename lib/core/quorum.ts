/**
 * Quorum arithmetic: what a majority, or two of them, agree on.
 *
 * Pure functions over sorted lists of voters. An empty majority agrees to everything, so that the outgoing half of a
 * configuration that is not joint never holds back the incoming one. Dissertation §3.6.2 (commitment), §4.3 (joint
 * consensus); compare etcd/raft quorum/majority.go, joint.go and raft-rs' group commit.
 *
 * Not here: who the voters are (tracker.ts), and that a leader commits only its own term by counting (replication.ts).
 */
import type { Index, NodeId } from "./types.js";

export type VoteResult = "won" | "pending" | "lost";

/** The highest index (or read position) a voter has acknowledged; 0 if it has said nothing. */
export type Acknowledged = (id: NodeId) => number;

export function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

// Reused, because a leader asks on every acknowledgement and nothing here calls back into itself. Not a Float64Array: what is read
// from one is a boxed number, and so would be the commit index, in every message, from then on.
const scratch: number[] = [];

/** Highest index a majority of `voters` holds; Infinity for no voters. Does not allocate for up to 8 voters. */
export function committedIndex(voters: readonly NodeId[], acknowledged: Acknowledged): Index {
  const size = voters.length;
  if (size === 0) return Number.POSITIVE_INFINITY;
  for (let i = 0; i < size; i++) {
    const value = acknowledged(voters[i] as NodeId);
    let at = i;
    for (; at > 0 && (scratch[at - 1] as number) > value; at--) {
      scratch[at] = scratch[at - 1] as number;
    }
    scratch[at] = value;
  }
  return scratch[size - majorityOf(size)] as number;
}

/** Both halves must hold it (§4.3). */
export function jointCommittedIndex(
  incoming: readonly NodeId[],
  outgoing: readonly NodeId[],
  acknowledged: Acknowledged,
): Index {
  const first = committedIndex(incoming, acknowledged);
  if (outgoing.length === 0) return first;
  return Math.min(first, committedIndex(outgoing, acknowledged));
}

/** "pending" while the missing votes could still turn it. */
export function voteResult(
  voters: readonly NodeId[],
  votes: ReadonlyMap<NodeId, boolean>,
): VoteResult {
  if (voters.length === 0) return "won";
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = votes.get(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const needed = majorityOf(voters.length);
  if (granted >= needed) return "won";
  return granted + missing >= needed ? "pending" : "lost";
}

/** Won only in both halves; lost as soon as it is lost in one. */
export function jointVoteResult(
  incoming: readonly NodeId[],
  outgoing: readonly NodeId[],
  votes: ReadonlyMap<NodeId, boolean>,
): VoteResult {
  const first = voteResult(incoming, votes);
  const second = voteResult(outgoing, votes);
  if (first === second) return first;
  return first === "lost" || second === "lost" ? "lost" : "pending";
}

/** What a majority holds if it must also be spread over two commit groups, and whether it is. */
export interface GroupCommit {
  readonly index: Index;
  readonly spread: boolean;
}

/**
 * Highest index that a majority holds and that members of two different commit groups hold (raft-rs' group commit).
 * Group 0 means "not assigned": while somebody is unassigned and no second group is seen, only what everybody holds commits.
 */
export function groupCommittedIndex(
  voters: readonly NodeId[],
  acknowledged: Acknowledged,
  groupOf: (id: NodeId) => number,
): GroupCommit {
  if (voters.length === 0) return { index: Number.POSITIVE_INFINITY, spread: true };
  const members = voters.map((id) => ({ index: acknowledged(id), group: groupOf(id) }));
  members.sort((a, b) => b.index - a.index);
  const atQuorum = members[majorityOf(voters.length) - 1] as { index: Index; group: number };
  let group = atQuorum.group;
  let allAssigned = true;
  for (const member of members) {
    if (member.group === 0) allAssigned = false;
    else if (group === 0) group = member.group;
    else if (group !== member.group) {
      return { index: Math.min(member.index, atQuorum.index), spread: true };
    }
  }
  if (allAssigned) return { index: atQuorum.index, spread: false };
  return { index: (members[members.length - 1] as { index: Index }).index, spread: false };
}

export function jointGroupCommittedIndex(
  incoming: readonly NodeId[],
  outgoing: readonly NodeId[],
  acknowledged: Acknowledged,
  groupOf: (id: NodeId) => number,
): GroupCommit {
  const first = groupCommittedIndex(incoming, acknowledged, groupOf);
  const second = groupCommittedIndex(outgoing, acknowledged, groupOf);
  return { index: Math.min(first.index, second.index), spread: first.spread && second.spread };
}
