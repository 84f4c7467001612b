/**
 * Configuration changes as functions of a configuration: one voter at a time, or into and out of a joint one.
 *
 * Each takes a membership (configuration and the progress of its members) and answers a new one, or says why not; the old one
 * stays untouched. Dissertation §4.1 (one at a time), §4.3 (joint consensus); compare etcd/raft confchange/confchange.go, restore.go.
 *
 * Invariants, checked on the way in and out: every member has a progress; a learner is no voter, except that a voter of the
 * outgoing half may be a learner to be (`learnersNext`); without an outgoing half there is neither `learnersNext` nor `autoLeave`.
 */
import { assert } from "../base/assert.js";
import type { Inflights } from "./inflights.js";
import { Progress } from "./progress.js";
import type {
  ConfChange,
  ConfChangeSingle,
  ConfChangeV2,
  ConfState,
  Index,
  NodeId,
} from "./types.js";

/** Who votes and who only listens; every list ascending. Joint while `outgoing` is not empty. */
export interface Configuration {
  readonly incoming: readonly NodeId[];
  readonly outgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Voters of the outgoing half that become learners when it is left. */
  readonly learnersNext: readonly NodeId[];
  /** The leader leaves the joint configuration by itself. */
  readonly autoLeave: boolean;
}

export interface Membership {
  readonly configuration: Configuration;
  readonly progress: ReadonlyMap<NodeId, Progress>;
}

/** What new members start with. */
export interface Newcomers {
  readonly lastIndex: Index;
  makeInflights(): Inflights;
}

export type Changed =
  | { readonly ok: true; readonly membership: Membership }
  | { readonly ok: false; readonly reason: string };

export const emptyConfiguration: Configuration = {
  incoming: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

/** A V1 change is a V2 change with one step. */
export function asV2(change: ConfChange): ConfChangeV2 {
  return {
    transition: "auto",
    changes: [{ type: change.type, nodeId: change.nodeId }],
    context: change.context,
    unknown: undefined,
  };
}

export function leavesJoint(change: ConfChangeV2): boolean {
  return change.transition === "auto" && change.changes.length === 0;
}

/** Simple, enter or leave, whichever `change` asks for. */
export function applyChange(
  membership: Membership,
  change: ConfChangeV2,
  newcomers: Newcomers,
): Changed {
  if (leavesJoint(change)) return leaveJoint(membership);
  if (change.transition !== "auto" || change.changes.length > 1) {
    const autoLeave = change.transition !== "jointExplicit";
    return enterJoint(membership, autoLeave, change.changes, newcomers);
  }
  return simpleChange(membership, change.changes, newcomers);
}

/** At most one voter comes or goes, so that the old and the new majorities overlap (§4.1). */
export function simpleChange(
  membership: Membership,
  changes: readonly ConfChangeSingle[],
  newcomers: Newcomers,
): Changed {
  if (isJoint(membership.configuration)) {
    return refused("can't apply simple config change in joint config");
  }
  const draft = new Draft(membership);
  const reason = draft.apply(changes, newcomers);
  if (reason !== undefined) return refused(reason);
  if (symmetricDifference(membership.configuration.incoming, draft.incoming) > 1) {
    return refused("more than one voter changed without entering joint config");
  }
  return draft.finish();
}

/** From C_old to C_old,new (§4.3): any number of changes, agreed on by both majorities until the joint one is left. */
export function enterJoint(
  membership: Membership,
  autoLeave: boolean,
  changes: readonly ConfChangeSingle[],
  newcomers: Newcomers,
): Changed {
  if (isJoint(membership.configuration)) return refused("config is already joint");
  if (membership.configuration.incoming.length === 0) {
    return refused("can't make a zero-voter config joint");
  }
  const draft = new Draft(membership);
  draft.outgoing = new Set(draft.incoming);
  const reason = draft.apply(changes, newcomers);
  if (reason !== undefined) return refused(reason);
  draft.autoLeave = autoLeave;
  return draft.finish();
}

/** From C_old,new to C_new. */
export function leaveJoint(membership: Membership): Changed {
  if (!isJoint(membership.configuration)) return refused("can't leave a non-joint config");
  const draft = new Draft(membership);
  for (const id of draft.learnersNext) {
    draft.learners.add(id);
    draft.progressOf(id).isLearner = true;
  }
  draft.learnersNext.clear();
  for (const id of draft.outgoing) {
    if (!draft.incoming.has(id) && !draft.learners.has(id)) draft.progress.delete(id);
  }
  draft.outgoing.clear();
  draft.autoLeave = false;
  return draft.finish();
}

/** A configuration that can be written to. */
class Draft {
  readonly incoming: Set<NodeId>;
  outgoing: Set<NodeId>;
  readonly learners: Set<NodeId>;
  readonly learnersNext: Set<NodeId>;
  autoLeave: boolean;
  readonly progress: Map<NodeId, Progress>;

  constructor({ configuration, progress }: Membership) {
    this.incoming = new Set(configuration.incoming);
    this.outgoing = new Set(configuration.outgoing);
    this.learners = new Set(configuration.learners);
    this.learnersNext = new Set(configuration.learnersNext);
    this.autoLeave = configuration.autoLeave;
    this.progress = new Map();
    for (const [id, peer] of progress) this.progress.set(id, peer.copy());
    this.#check();
  }

  progressOf(id: NodeId): Progress {
    const progress = this.progress.get(id);
    assert(progress !== undefined, "a member without progress", { id });
    return progress;
  }

  /** Carries out `changes` on the incoming half; answers why not, if so. */
  apply(changes: readonly ConfChangeSingle[], newcomers: Newcomers): string | undefined {
    for (const { type, nodeId } of changes) {
      // An application refuses a change by setting its node to none.
      if (nodeId === 0) continue;
      if (type === "ConfChangeAddNode") this.#addVoter(nodeId, newcomers);
      else if (type === "ConfChangeAddLearnerNode") this.#addLearner(nodeId, newcomers);
      else if (type === "ConfChangeRemoveNode") this.#remove(nodeId);
    }
    return this.incoming.size === 0 ? "removed all voters" : undefined;
  }

  #addVoter(id: NodeId, newcomers: Newcomers): void {
    const progress = this.progress.get(id);
    if (progress === undefined) this.#addProgress(id, false, newcomers);
    else progress.isLearner = false;
    this.learners.delete(id);
    this.learnersNext.delete(id);
    this.incoming.add(id);
  }

  #addLearner(id: NodeId, newcomers: Newcomers): void {
    const progress = this.progress.get(id);
    if (progress === undefined) {
      this.#addProgress(id, true, newcomers);
      this.learners.add(id);
      return;
    }
    if (progress.isLearner) return;
    this.#remove(id);
    this.progress.set(id, progress);
    // It votes in the outgoing half until that is left, and a voter cannot be a learner.
    if (this.outgoing.has(id)) {
      this.learnersNext.add(id);
    } else {
      progress.isLearner = true;
      this.learners.add(id);
    }
  }

  #remove(id: NodeId): void {
    if (!this.progress.has(id)) return;
    this.incoming.delete(id);
    this.learners.delete(id);
    this.learnersNext.delete(id);
    if (!this.outgoing.has(id)) this.progress.delete(id);
  }

  #addProgress(id: NodeId, isLearner: boolean, newcomers: Newcomers): void {
    // The first probe is at our last index: a newcomer usually has nothing, and says so in its refusal.
    const next = Math.max(newcomers.lastIndex, 1);
    const progress = new Progress(next, newcomers.makeInflights(), isLearner);
    // Else it would count as dead until it has had the time to answer.
    progress.recentActive = true;
    this.progress.set(id, progress);
  }

  finish(): Changed {
    this.#check();
    return {
      ok: true,
      membership: {
        configuration: {
          incoming: ascending(this.incoming),
          outgoing: ascending(this.outgoing),
          learners: ascending(this.learners),
          learnersNext: ascending(this.learnersNext),
          autoLeave: this.autoLeave,
        },
        progress: this.progress,
      },
    };
  }

  #check(): void {
    for (const id of this.incoming) this.progressOf(id);
    for (const id of this.outgoing) this.progressOf(id);
    for (const id of this.learnersNext) {
      assert(this.outgoing.has(id), "learnersNext outside of the outgoing half", { id });
      assert(!this.progressOf(id).isLearner, "already a learner", { id });
    }
    for (const id of this.learners) {
      assert(!this.incoming.has(id) && !this.outgoing.has(id), "both voter and learner", { id });
      assert(this.progressOf(id).isLearner, "a learner not marked as one", { id });
    }
    if (this.outgoing.size === 0) {
      assert(this.learnersNext.size === 0 && !this.autoLeave, "leftovers of a joint configuration");
    }
  }
}

/** The membership that `state` describes, reached by the changes that lead to it. */
export function restoreMembership(state: ConfState, newcomers: Newcomers): Changed {
  let changed: Changed = {
    ok: true,
    membership: { configuration: emptyConfiguration, progress: new Map() },
  };
  const add = (id: NodeId, type: ConfChangeSingle["type"]): ConfChangeSingle => ({
    type,
    nodeId: id,
  });
  const one = (change: ConfChangeSingle): void => {
    if (changed.ok) changed = simpleChange(changed.membership, [change], newcomers);
  };
  if (state.votersOutgoing.length === 0) {
    for (const id of state.voters) one(add(id, "ConfChangeAddNode"));
    for (const id of state.learners) one(add(id, "ConfChangeAddLearnerNode"));
    return changed;
  }
  for (const id of state.votersOutgoing) one(add(id, "ConfChangeAddNode"));
  if (!changed.ok) return changed;
  const changes = [
    ...state.votersOutgoing.map((id) => add(id, "ConfChangeRemoveNode")),
    ...state.voters.map((id) => add(id, "ConfChangeAddNode")),
    ...state.learners.map((id) => add(id, "ConfChangeAddLearnerNode")),
    ...state.learnersNext.map((id) => add(id, "ConfChangeAddLearnerNode")),
  ];
  return enterJoint(changed.membership, state.autoLeave, changes, newcomers);
}

export function confStateOf(configuration: Configuration): ConfState {
  return {
    voters: configuration.incoming,
    learners: configuration.learners,
    votersOutgoing: configuration.outgoing,
    learnersNext: configuration.learnersNext,
    autoLeave: configuration.autoLeave,
  };
}

function refused(reason: string): Changed {
  return { ok: false, reason };
}

export function ascending(ids: Iterable<NodeId>): NodeId[] {
  return [...ids].sort((a, b) => a - b);
}

function symmetricDifference(before: readonly NodeId[], after: ReadonlySet<NodeId>): number {
  let common = 0;
  for (const id of before) if (after.has(id)) common++;
  return before.length + after.size - 2 * common;
}
