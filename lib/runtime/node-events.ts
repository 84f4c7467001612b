/** What may be observed of a running node. Listeners are called after the fact and never hold the node up. */
import type { LogboomError } from "../base/errors.js";
import type { Index, NodeId, Role, SnapshotMetadata, Term } from "../core/types.js";
import type { Configuration } from "./members.js";
import type { NodeStatus } from "./node-status.js";
import type { StateVerdict } from "./state-check.js";

/** A node that stopped for good: why, and what it was doing. */
export interface Halt {
  readonly error: LogboomError;
  readonly status: NodeStatus;
  /** The core's last lines before the end, oldest first. */
  readonly log: readonly string[];
}

export type NodeEvent =
  | { readonly type: "role"; readonly role: Role; readonly term: Term }
  | {
      readonly type: "leader";
      /** 0: none is known. */
      readonly leader: NodeId;
      readonly term: Term;
      readonly address: string | undefined;
    }
  | { readonly type: "configuration"; readonly configuration: Configuration }
  | { readonly type: "member"; readonly id: NodeId; readonly change: "added" | "removed" }
  | { readonly type: "removed" }
  | {
      readonly type: "link";
      readonly peer: NodeId;
      readonly up: boolean;
      readonly reason: string | undefined;
    }
  | {
      readonly type: "heartbeat";
      readonly peer: NodeId;
      readonly state: "failed" | "resumed";
      readonly lastContactMs: number;
    }
  | {
      readonly type: "vote";
      readonly candidate: NodeId;
      readonly term: Term;
      readonly preVote: boolean;
    }
  | {
      readonly type: "snapshot";
      readonly action: "taken" | "installed" | "sent" | "failed";
      readonly metadata: SnapshotMetadata;
      readonly peer: NodeId | undefined;
    }
  /** From the entry at `index` on commands are run as of machine version `version`. */
  | { readonly type: "activated"; readonly version: number; readonly index: Index }
  /** Replicas differ: at the leader that found it, and at each that restores because of it. */
  | { readonly type: "diverged"; readonly verdict: StateVerdict }
  | { readonly type: "halted"; readonly halt: Halt }
  /** The last one: `close` was called. */
  | { readonly type: "closed" };

export type NodeEventType = NodeEvent["type"];

/** What a change of members from `before` to `after` is to who watches node `self`. */
export function memberEvents(
  before: ReadonlySet<NodeId>,
  after: ReadonlySet<NodeId>,
  self: NodeId,
): readonly NodeEvent[] {
  const events: NodeEvent[] = [];
  for (const id of after) if (!before.has(id)) events.push({ type: "member", id, change: "added" });
  for (const id of before)
    if (!after.has(id)) events.push({ type: "member", id, change: "removed" });
  if (before.has(self) && !after.has(self)) events.push({ type: "removed" });
  return events;
}
