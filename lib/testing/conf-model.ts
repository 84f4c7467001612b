/**
 * What a configuration entry does, said once more and differently from core/confchange.ts: sets of ids, no progress, no drafts.
 *
 * The simulator computes the configuration at every committed index from this and compares it with what each node works by
 * (I29, I30, I31, and I27 on neighbours). Dissertation §4.3.
 */
import type { ConfChangeV2, ConfState, NodeId } from "../core/types.js";

export function afterChange(before: ConfState, change: ConfChangeV2): ConfState {
  const joint = before.votersOutgoing.length > 0;
  if (change.changes.length === 0 && change.transition === "auto") {
    return joint ? left(before) : before;
  }
  if (joint) return before;
  const entering = change.transition !== "auto" || change.changes.length > 1;
  const voters = new Set(before.voters);
  const learners = new Set(before.learners);
  const next = new Set<NodeId>();
  for (const { type, nodeId } of change.changes) {
    if (nodeId === 0 || type === "ConfChangeUpdateNode") continue;
    const votes = voters.has(nodeId);
    const votedBefore = entering && before.voters.includes(nodeId);
    const known = votes || learners.has(nodeId) || next.has(nodeId) || votedBefore;
    if (type === "ConfChangeAddNode") {
      learners.delete(nodeId);
      next.delete(nodeId);
      voters.add(nodeId);
    } else if (type === "ConfChangeRemoveNode") {
      voters.delete(nodeId);
      learners.delete(nodeId);
      next.delete(nodeId);
    } else if (!learners.has(nodeId)) {
      voters.delete(nodeId);
      if (known && votedBefore) next.add(nodeId);
      else learners.add(nodeId);
    }
  }
  if (voters.size === 0) return before;
  if (!entering) {
    const moved = [...before.voters].filter((id) => !voters.has(id)).length;
    const came = [...voters].filter((id) => !before.voters.includes(id)).length;
    if (moved + came > 1) return before;
  }
  return {
    voters: sorted(voters),
    learners: sorted(learners),
    votersOutgoing: entering ? before.voters : [],
    learnersNext: sorted(next),
    autoLeave: entering && change.transition !== "jointExplicit",
  };
}

function left(joint: ConfState): ConfState {
  return {
    voters: joint.voters,
    learners: sorted(new Set([...joint.learners, ...joint.learnersNext])),
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
}

function sorted(ids: Iterable<NodeId>): NodeId[] {
  return [...ids].sort((a, b) => a - b);
}

export function sameConfState(a: ConfState, b: ConfState): boolean {
  return (
    a.autoLeave === b.autoLeave &&
    sameIds(a.voters, b.voters) &&
    sameIds(a.learners, b.learners) &&
    sameIds(a.votersOutgoing, b.votersOutgoing) &&
    sameIds(a.learnersNext, b.learnersNext)
  );
}

function sameIds(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id, i) => b[i] === id);
}

/** Majorities of both halves are within `ids`. */
export function isQuorum(conf: ConfState, has: (id: NodeId) => boolean): boolean {
  return (
    half(conf.voters, has) && (conf.votersOutgoing.length === 0 || half(conf.votersOutgoing, has))
  );
}

function half(voters: readonly NodeId[], has: (id: NodeId) => boolean): boolean {
  let count = 0;
  for (const id of voters) if (has(id)) count++;
  return 2 * count > voters.length;
}

/** No quorum of one is disjoint from a quorum of the other: tried out for every set of the ids in either (at most 2^14). */
export function quorumsIntersect(a: ConfState, b: ConfState): boolean {
  const ids = sorted(new Set([...a.voters, ...a.votersOutgoing, ...b.voters, ...b.votersOutgoing]));
  for (let set = 0; set < 1 << ids.length; set++) {
    const within = (id: NodeId): boolean => ((set >> ids.indexOf(id)) & 1) === 1;
    if (isQuorum(a, within) && isQuorum(b, (id) => !within(id))) return false;
  }
  return true;
}

export function describeConf({
  voters,
  learners,
  votersOutgoing,
  learnersNext,
}: ConfState): string {
  const joint = votersOutgoing.length === 0 ? "" : `&${votersOutgoing.join()}`;
  const rest = [...learners, ...learnersNext];
  return `${voters.join()}${joint}${rest.length === 0 ? "" : `+${rest.join()}`}`;
}
