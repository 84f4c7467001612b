/** Settle: what a durable write entitles a node to: its own votes and acknowledgements count, and others are owed theirs. §10.2.1. */
import type { Outstanding } from "./handover.js";
import type { Raft } from "./raft.js";
import { entriesStored, snapshotStored, step } from "./step.js";
import type { Message } from "./types.js";

/** Counts what waited for a write and is our own; answers `owed` and what is owed to peers since. */
export function settle(
  raft: Raft,
  durable: Outstanding,
  owed: readonly Message[],
): readonly Message[] {
  const { held, term, storedTerm, storedIndex } = durable;
  const { snapshot } = durable.write;
  let own = 0;
  for (let i = 0; i < held.length; i++) {
    const message = held[i] as Message;
    if (message.to !== raft.id) continue;
    own++;
    step(raft, message);
  }
  if (storedIndex !== 0) entriesStored(raft, term, storedTerm, storedIndex);
  if (snapshot !== undefined) snapshotStored(raft, snapshot.metadata.index);
  if (own === 0) return joined(owed, held);
  return own === held.length
    ? owed
    : joined(
        owed,
        held.filter(({ to }) => to !== raft.id),
      );
}

function joined(first: readonly Message[], second: readonly Message[]): readonly Message[] {
  if (first.length === 0) return second;
  return second.length === 0 ? first : [...first, ...second];
}
