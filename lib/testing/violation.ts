/** What breaks an invariant, and a node as those who check it see it. */
import type { Raft } from "../core/raft.js";
import type { Index, NodeId, Term } from "../core/types.js";
import type { Image } from "./record-disk.js";

/** An invariant does not hold. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.name = "Violation";
    this.invariant = invariant;
  }
}

/** @throws Violation */
export function demand(holds: boolean, invariant: string, text: () => string): void {
  if (!holds) throw new Violation(invariant, text());
}

/** A node as the observer sees it. */
export interface Watched {
  readonly id: NodeId;
  readonly raft: Raft;
  /** What its disk would give back now. */
  readonly flushed: Image;
  /** Index of the last entry handed to the disk. */
  handed: Index;
  /** As of the last look, in this life. */
  seen: { role: string; term: Term; commit: Index; last: Index };
}
