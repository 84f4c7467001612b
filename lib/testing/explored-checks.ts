/** What holds of any two nodes of an explored cluster, and which messages can be forgotten. */
import type { Message } from "../core/types.js";
import { quorumsIntersect } from "./conf-model.js";
import type { NodeState } from "./explored-nodes.js";
import { Violation } from "./violation.js";

/**
 * The core does nothing with it in this state and in all that come of it: terms do not fall, and who has lost or won an election, or
 * led, in a term does not stand for it again.
 */
export function isIgnored({ type, term }: Message, node: NodeState): boolean {
  if (term === 0) return false;
  if (term < node.term) return true;
  if (term > node.term) return false;
  if (type === "MsgVoteResp") return node.role !== "candidate";
  return (type === "MsgAppResp" || type === "MsgHeartbeatResp") && node.role !== "leader";
}

/** I8: logs that have an entry of one term at one index are equal up to it. I18: one committed sequence. I12: a leader holds what was committed before its term. */
export function disagreement(a: NodeState, b: NodeState): Violation | undefined {
  const shorter = Math.min(a.entries.length, b.entries.length);
  const same = (index: number): boolean => {
    const [mine, theirs] = [a.entries[index - 1], b.entries[index - 1]];
    return (
      mine?.term === theirs?.term &&
      mine?.type === theirs?.type &&
      String(mine?.data) === String(theirs?.data)
    );
  };
  for (let index = 1; index <= Math.min(a.committed, b.committed); index++) {
    if (!same(index))
      return new Violation(
        "I18",
        `nodes ${a.id} and ${b.id} have committed different entries ${index}`,
      );
  }
  let last = shorter;
  while (last > 0 && a.entries[last - 1]?.term !== b.entries[last - 1]?.term) last--;
  for (let index = 1; index <= last; index++) {
    if (!same(index))
      return new Violation(
        "I8",
        `nodes ${a.id} and ${b.id} have the same entry ${last} and different entries ${index}`,
      );
  }
  if (a.role !== "leader" || b.term >= a.term) return undefined;
  for (let index = 1; index <= b.committed; index++) {
    if (!same(index))
      return new Violation(
        "I12",
        `leader ${a.id} of term ${a.term} lacks entry ${index}, which ${b.id} has committed`,
      );
  }
  return undefined;
}

/**
 * I27: who comes to lead works by a configuration whose quorums meet those of any newer one from before its term. (Who is elected late, in a
 * term that is over, may work by one that is over too: it gets nothing committed.)
 */
export function quorumsMeet(leader: NodeState, other: NodeState): void {
  if (other.committed <= leader.committed || other.term >= leader.term) return;
  if (quorumsIntersect(leader.confState, other.confState)) return;
  throw new Violation(
    "I27",
    `leader ${leader.id} works by ${leader.confState.voters}, node ${other.id} by ${other.confState.voters}: a quorum of each, and nobody in both`,
  );
}
