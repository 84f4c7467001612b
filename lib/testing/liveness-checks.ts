/**
 * What a healed quorum must come to, each a named function of what can be seen of it.
 *
 * L1–L5 are asked for until all hold; L3's second half and L6–L8 are looked at once nothing may move any more. Not here: choosing and healing
 * the quorum, and how long it is given (liveness.ts).
 */
import type { ProgressState } from "../core/progress.js";
import type { Index, NodeId, Term } from "../core/types.js";
import { demand } from "./violation.js";

/** One node of the core that was healed. */
export interface MemberView {
  readonly id: NodeId;
  readonly running: boolean;
  /** Whom it believes to lead; 0: nobody. */
  readonly follows: NodeId;
  readonly term: Term;
  readonly applied: Index;
  stateHash(): number;
}

/** Who leads the latest term. */
export interface LeaderView {
  readonly id: NodeId;
  readonly term: Term;
  readonly committed: Index;
  readonly lastIndex: Index;
  readonly joint: boolean;
  isVoter(id: NodeId): boolean;
  /** How it replicates to `id`; undefined for a stranger. */
  progressOf(id: NodeId): ProgressState | undefined;
}

export interface CoreView {
  readonly leader: LeaderView | undefined;
  readonly members: readonly MemberView[];
  /** Calls and reads whose end nobody knows. */
  readonly waiting: number;
}

/** L1: there is a leader, and everybody who votes follows it. (That it stays is asked for afterwards.) */
export function isLed({ leader, members }: CoreView): boolean {
  if (leader === undefined) return false;
  return members.every(
    ({ id, running, follows }) => running && (!leader.isVoter(id) || follows === leader.id),
  );
}

/** L2: what clients wait for ends. */
export function callsHaveEnded({ waiting }: CoreView): boolean {
  return waiting === 0;
}

/** L4: no joint configuration remains. */
export function jointIsLeft({ leader }: CoreView): boolean {
  return leader?.joint !== true;
}

/** L3: everything is committed, and applied by every member. */
export function allIsApplied({ leader, members }: CoreView): boolean {
  if (leader === undefined) return false;
  const { committed, lastIndex } = leader;
  if (committed < lastIndex) return false;
  return members.every(
    ({ id, applied }) => leader.progressOf(id) === undefined || applied >= committed,
  );
}

/** L5: who lagged is replicated to, and neither probed nor sent snapshots for ever. */
export function allReplicate({ leader, members }: CoreView): boolean {
  return members.every(({ id }) => {
    const progress = leader?.progressOf(id);
    return id === leader?.id || progress === undefined || progress === "replicate";
  });
}

/** In the order in which they come about. */
const promises: readonly (readonly [name: string, holds: (core: CoreView) => boolean])[] = [
  ["L1", isLed],
  ["L2", callsHaveEnded],
  ["L4", jointIsLeft],
  ["L3", allIsApplied],
  ["L5", allReplicate],
];

/** The first promise of recovery that does not hold yet. */
export function firstUnmet(core: CoreView): string | undefined {
  return promises.find(([, holds]) => !holds(core))?.[0];
}

// — once it has recovered —

/** L1: who led when everything was well leads on. */
export function leaderStays(leader: NodeId, term: Term, leads: boolean, termNow: Term): void {
  demand(
    leads && termNow === term,
    "L1",
    () =>
      `leader ${leader} of term ${term} did not stay: now ${leads ? "leads" : "follows in"} term ${termNow}`,
  );
}

/** L3: who has applied as much has the same state. */
export function statesAgree({ members }: CoreView): void {
  const first = new Map<Index, { readonly id: NodeId; readonly hash: number }>();
  for (const { id, running, applied, stateHash } of members) {
    if (!running) continue;
    const hash = stateHash();
    const known = first.get(applied);
    if (known === undefined) first.set(applied, { id, hash });
    else
      demand(
        known.hash === hash,
        "L3",
        () => `nodes ${known.id} and ${id} have applied ${applied}, and their states differ`,
      );
  }
}

/** L6: who does not belong to the configuration, or is outside of the core, raises no term within it. */
export function outsidersRaiseNoTerm(term: Term, { members, leader }: CoreView): void {
  for (const { id, term: now } of members) {
    if (leader?.progressOf(id) === undefined) continue;
    demand(
      now <= term,
      "L6",
      () =>
        `node ${id} was brought to term ${now}, although leader ${leader?.id} of term ${term} stands`,
    );
  }
}

/**
 * Terms from healing to rest: mostly one, three in one seed of a hundred, six at most in 2,000 seeds, where votes are split again and again
 * and a change that was under way takes the leader out of the configuration. Where a flush takes longer than an election timeout a
 * candidate's own vote may come too late every time: then no more than one for each timeout of the time it is given.
 */
export function termsMax(flushMs: number, timeoutMs: number, timeouts: number): number {
  return flushMs < timeoutMs ? 10 : timeouts;
}

/** L7: terms do not go on growing once everything is healed. */
export function termsSettle(atHealing: Term, inTheEnd: Term, most: number): void {
  demand(
    inTheEnd <= atHealing + most,
    "L7",
    () => `terms went from ${atHealing} to ${inTheEnd} after healing, at most ${most} more`,
  );
}

/** Messages that `nodes` may send in `ticks` of rest: a heartbeat and an answer to and from everybody, and as much again for whoever is outside. */
export function messagesMax(nodes: number, ticks: number): number {
  return 4 * (nodes - 1) * ticks + 200;
}

/** L8: no storm of messages while nothing is asked for. */
export function noStorm(messages: number, nodes: number, ticks: number): void {
  const most = messagesMax(nodes, ticks);
  demand(
    messages <= most,
    "L8",
    () => `${nodes} nodes sent ${messages} messages in ${ticks} ticks of rest, at most ${most}`,
  );
}
