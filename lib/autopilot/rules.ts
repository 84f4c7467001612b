/**
 * Rules: membership without an administrator, as a pure function of what the leader sees.
 *
 * One action at a time; the shell (`autopilot.ts`) carries it out by one joint change and asks again. The number of voters is
 * odd, at most `votersMax`, and as large as the healthy peers allow. Newcomers are learners first. A voter that left is
 * replaced, or, when nobody can replace it, the voters shrink to the next lower odd number while the old majority still
 * answers. Profiles count before tabs: a wipe of a browser profile takes all its peers together.
 *
 * Invariant: a change is only asked for when the old voters have a live majority and every new voter is healthy.
 * Dissertation §4.2.2 (catching up), §4.4 (replacing); DESIGN §8.
 */
import type { NodeId } from "../core/types.js";

export interface PeerView {
  readonly id: NodeId;
  /** Whose profile: peers of one are one failure domain. */
  readonly author: string;
  readonly role: "voter" | "learner" | "none";
  /** Milliseconds since it was last heard; 0 for the leader itself. */
  readonly silentMs: number;
  /** It said goodbye this long ago and has not been heard since; undefined: it did not. */
  readonly goodbyeMs: number | undefined;
  /** The tab is gone and another one runs the peer until it is retired. */
  readonly adopted: boolean;
  /** Its log has everything the leader has committed, but for the last few entries. */
  readonly caughtUp: boolean;
  /** Milliseconds for which it has been linked without a break. */
  readonly steadyMs: number;
}

export interface ClusterView {
  readonly self: NodeId;
  readonly peers: readonly PeerView[];
  /** A change is under way, or the leader has not yet committed in its term. */
  readonly busy: boolean;
}

export interface RuleLimits {
  /** Silence after which a peer counts as dead. */
  readonly deadAfterMs: number;
  /** A goodbye is a hint: a reload comes back within this time. */
  readonly goodbyeGraceMs: number;
  /** A newcomer's link must have held this long before it may vote. */
  readonly steadyAfterMs: number;
  /** A learner that is silent for so long is forgotten. */
  readonly forgetLearnerMs: number;
  readonly votersMax: number;
  readonly peersMax: number;
}

export const browserLimits: RuleLimits = {
  deadAfterMs: 30_000,
  goodbyeGraceMs: 4_000,
  steadyAfterMs: 500,
  forgetLearnerMs: 600_000,
  votersMax: 7,
  peersMax: 64,
};

/** What to do next. Lists name ids that change; all others keep their role. */
export type Action =
  | {
      readonly type: "change";
      readonly promote: readonly NodeId[];
      readonly demote: readonly NodeId[];
      readonly remove: readonly NodeId[];
      readonly addLearners: readonly NodeId[];
      readonly why: string;
    }
  | { readonly type: "transfer"; readonly to: NodeId; readonly why: string };

export function rules(view: ClusterView, limits: RuleLimits): Action | undefined {
  if (view.busy) return undefined;
  return (
    admit(view, limits) ??
    handOver(view, limits) ??
    settleVoters(view, limits) ??
    forget(view, limits)
  );
}

/** Whoever is linked and not a member becomes a learner. */
function admit(view: ClusterView, limits: RuleLimits): Action | undefined {
  const members = view.peers.filter((peer) => peer.role !== "none").length;
  const newcomers = view.peers
    .filter((peer) => peer.role === "none" && isPresent(peer, limits))
    .slice(0, Math.max(0, limits.peersMax - members));
  if (newcomers.length === 0) return undefined;
  return change("newcomers", { addLearners: newcomers.map((peer) => peer.id) });
}

/** A leader whose tab is gone hands over to a peer that stays, making it a voter first if need be. */
function handOver(view: ClusterView, limits: RuleLimits): Action | undefined {
  const leader = view.peers.find((peer) => peer.id === view.self);
  if (leader === undefined || !isLeaving(leader, limits)) return undefined;
  const heirs = view.peers.filter((peer) => peer.id !== view.self && isHealthy(peer, limits));
  const voter = heirs.find((peer) => peer.role === "voter");
  if (voter !== undefined)
    return { type: "transfer", to: voter.id, why: "the leader's tab is gone" };
  const learner = heirs.find((peer) => peer.role === "learner");
  if (learner === undefined) return undefined;
  return change("an heir for the leader", { promote: [learner.id] });
}

/** The best odd set of voters for who is here. */
function settleVoters(view: ClusterView, limits: RuleLimits): Action | undefined {
  const voters = view.peers.filter((peer) => peer.role === "voter");
  // Neither healthy nor lost, say silent for some seconds: not a reason to change anything, nor a candidate.
  const undecided = voters.filter((peer) => !isHealthy(peer, limits) && !isLost(peer, limits));
  const healthy = view.peers.filter((peer) => peer.role !== "none" && isHealthy(peer, limits));
  const target = oddAtMost(Math.min(undecided.length + healthy.length, limits.votersMax));
  const chosen = choose(view.self, healthy, target - undecided.length);
  const wanted = new Set([...undecided, ...chosen].map((peer) => peer.id));
  if (chosen.length === 0) return undefined;
  const promote = chosen.filter((peer) => peer.role === "learner").map((peer) => peer.id);
  const surplus = voters.filter((peer) => !wanted.has(peer.id));
  const remove = surplus.filter((peer) => isLost(peer, limits)).map((peer) => peer.id);
  const demote = surplus.filter((peer) => !isLost(peer, limits)).map((peer) => peer.id);
  if (promote.length + remove.length + demote.length === 0) return undefined;
  const present = voters.filter((peer) => isPresent(peer, limits)).length;
  if (present * 2 <= voters.length) return undefined;
  return change(remove.length > 0 ? "a voter is gone" : "a better set of voters", {
    promote,
    demote,
    remove,
  });
}

/** Learners that left for good, and those run by another tab, are struck off. */
function forget(view: ClusterView, limits: RuleLimits): Action | undefined {
  const gone = view.peers.filter(
    (peer) =>
      peer.role === "learner" &&
      peer.id !== view.self &&
      (peer.adopted || peer.silentMs > limits.forgetLearnerMs),
  );
  if (gone.length === 0) return undefined;
  return change("learners that are gone", { remove: gone.map((peer) => peer.id) });
}

/**
 * `count` of `healthy`, spread over the profiles: each profile's first comes before anybody's second. Within that the
 * leader, then who votes already (so that nothing changes without a reason), then the one linked longest.
 */
function choose(self: NodeId, healthy: readonly PeerView[], count: number): PeerView[] {
  const ranked = [...healthy].sort(
    (a, b) =>
      Number(b.id === self) - Number(a.id === self) ||
      Number(b.role === "voter") - Number(a.role === "voter") ||
      b.steadyMs - a.steadyMs ||
      a.id - b.id,
  );
  const seen = new Map<string, number>();
  const withTurn = ranked.map((peer) => {
    const turn = seen.get(peer.author) ?? 0;
    seen.set(peer.author, turn + 1);
    return { peer, turn };
  });
  // Array.sort is stable, so the ranking holds within a turn.
  return withTurn
    .sort((a, b) => a.turn - b.turn)
    .slice(0, Math.max(0, count))
    .map(({ peer }) => peer);
}

function isPresent(peer: PeerView, limits: RuleLimits): boolean {
  return peer.goodbyeMs === undefined && peer.silentMs < Math.min(5_000, limits.deadAfterMs);
}

function isLeaving(peer: PeerView, limits: RuleLimits): boolean {
  return peer.adopted || (peer.goodbyeMs ?? 0) > limits.goodbyeGraceMs;
}

function isLost(peer: PeerView, limits: RuleLimits): boolean {
  return isLeaving(peer, limits) || peer.silentMs > limits.deadAfterMs;
}

function isHealthy(peer: PeerView, limits: RuleLimits): boolean {
  return (
    isPresent(peer, limits) &&
    !isLeaving(peer, limits) &&
    peer.caughtUp &&
    (peer.role === "voter" || peer.steadyMs >= limits.steadyAfterMs)
  );
}

/** 1, 3, 5, 7 …: the largest odd number up to `count`; 0 for 0. */
export function oddAtMost(count: number): number {
  return count <= 0 ? 0 : count - ((count + 1) % 2);
}

function change(
  why: string,
  lists: Partial<Record<"promote" | "demote" | "remove" | "addLearners", readonly NodeId[]>>,
): Action {
  return {
    type: "change",
    why,
    promote: lists.promote ?? [],
    demote: lists.demote ?? [],
    remove: lists.remove ?? [],
    addLearners: lists.addLearners ?? [],
  };
}
