/**
 * Autopilot: asks the rules while its node leads, and carries out one action at a time.
 *
 * It holds no state of its own: what it did is in the log, and what it sees is asked for anew each time. A new leader simply goes on.
 */
import type { Clock } from "../base/clock.js";
import type { ConfChangeSingle, ConfChangeV2, NodeId } from "../core/types.js";
import { type Action, type ClusterView, type RuleLimits, rules } from "./rules.js";

/** Milliseconds between two looks at the cluster. */
export const lookEveryMs = 250;

export interface AutopilotOptions {
  readonly clock: Clock;
  readonly limits: RuleLimits;
  /** What the leader sees; undefined while this node does not lead. */
  view(): ClusterView | undefined;
  /** Proposes a change, `newcomers` being the ids it adds. */
  propose(change: Omit<ConfChangeV2, "context" | "unknown">, newcomers: readonly NodeId[]): void;
  transfer(to: NodeId): void;
}

/** Starts looking; the returned function stops it. */
export function startAutopilot(options: AutopilotOptions): () => void {
  return options.clock.every(lookEveryMs, () => {
    const view = options.view();
    if (view === undefined) return;
    const action = rules(view, options.limits);
    if (action?.type === "transfer") options.transfer(action.to);
    else if (action !== undefined) options.propose(toConfChange(action), action.addLearners);
  });
}

/** One joint change for all of it, left automatically (dissertation §4.3). */
export function toConfChange(
  action: Extract<Action, { type: "change" }>,
): Omit<ConfChangeV2, "context" | "unknown"> {
  const each = (type: ConfChangeSingle["type"], ids: readonly NodeId[]): ConfChangeSingle[] =>
    ids.map((nodeId) => ({ type, nodeId }));
  return {
    transition: "auto",
    changes: [
      ...each("ConfChangeAddNode", action.promote),
      ...each("ConfChangeAddLearnerNode", [...action.demote, ...action.addLearners]),
      ...each("ConfChangeRemoveNode", action.remove),
    ],
  };
}
