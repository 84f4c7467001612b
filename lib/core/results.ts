/** What became of a request or a message: accepted, or refused and why. */
import type { Index, NodeId, Term } from "./types.js";

/** Why a request of ours was refused, or a message had no effect worth an answer. */
export type Refusal =
  /** No leader is known: retry once one is. */
  | "noLeader"
  /** We do not lead and forwarding is off: ask the leader. */
  | "notForwarding"
  /** We do not lead, and only a leader can. */
  | "notLeader"
  /** We lead, but are no member any more. */
  | "notMember"
  /** Leadership is being handed over. */
  | "transferring"
  /** `uncommittedBytesMax` would be exceeded. */
  | "tooMuchUncommitted"
  /** `logBytesMax` would be exceeded: the log waits for a snapshot and compaction. */
  | "tooMuchLog"
  /** `readsMax` reads are waiting. */
  | "tooManyReads"
  /** Another configuration change is not applied yet. */
  | "pendingConfChange"
  /** The configuration is joint and must be left first. */
  | "mustLeaveJoint"
  /** A change that only leaves a joint configuration, in one that is not joint. */
  | "notJoint"
  /** The change cannot be carried out on the configuration. */
  | "invalidConfChange"
  /** Nothing to propose, or a read without a context. */
  | "empty"
  /** We are not a voter, were removed, or are installing a snapshot. */
  | "notPromotable"
  /** A committed configuration change is not applied yet. */
  | "unappliedConfChange"
  /** Started again a moment ago, while leases of the former life may last. */
  | "recentlyStarted"
  /** Already leader. */
  | "alreadyLeader"
  /** The target is a learner or unknown. */
  | "badTarget"
  /** It is under way already. */
  | "inProgress"
  /** Our log does not reach into the leader's term yet. */
  | "staleLog"
  /** Leases forbid it. */
  | "leaseReads"
  /** The node has stopped (see `stopped`). */
  | "stopped";

/** Why a message from outside was not taken in. */
export type StepRefusal =
  | Refusal
  /** A type that never travels. */
  | "localType"
  /** For another node. */
  | "notForUs"
  /** An answer from somebody who is no member. */
  | "unknownPeer"
  /** In our own name. */
  | "ownName"
  /** A field out of range, or fields that contradict each other. */
  | "malformed";

export type Result =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly reason: Refusal };

export type StepResult =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly reason: StepRefusal };

/** Where a proposal went. Its fate is `proposalFate(index, term)`. */
export type ProposeResult =
  | {
      readonly accepted: true;
      /** Of the (first) entry; both 0 if the proposal was forwarded, and then nobody can tell its fate. */
      readonly index: Index;
      readonly term: Term;
      readonly forwardedTo: NodeId;
    }
  | { readonly accepted: false; readonly reason: Refusal };

/** "overwritten": another entry took its place, it will never be committed. "unknown": its index was compacted. */
export type ProposalFate = "pending" | "committed" | "overwritten" | "unknown";

export const accepted: { readonly accepted: true } = { accepted: true };

export function refused<R extends StepRefusal>(
  reason: R,
): { readonly accepted: false; readonly reason: R } {
  return { accepted: false, reason };
}

export function result(refusal: Refusal | undefined): Result {
  return refusal === undefined ? accepted : refused(refusal);
}
