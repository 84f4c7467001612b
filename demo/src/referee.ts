/**
 * The referee of a fight: adds a card for every round, waits for the answers, compares them with the card's owner.
 */
import { arena } from "./board.js";
import type { BoardRoom } from "./opening.js";
import { addRound, noRounds, type Tally, type Told } from "./verdict.js";

export const roundsPerFight = 100;
/** Cards of fights whose referee was closed are cleared away by the next one, once they are this old. */
const leftoverAgeMs = 60_000;

export interface Ring {
  /** What every tab of this browser was told about the card. */
  answers(card: string): Promise<ReadonlyMap<number, Told>>;
  stopped(): boolean;
  scored(tally: Tally): void;
}

/** Runs rounds until there were enough, or `ring` says stop. @throws what a command throws */
export async function referee(room: BoardRoom, ring: Ring): Promise<void> {
  await clearLeftovers(room);
  let tally = noRounds;
  for (let number = 1; number <= roundsPerFight && !ring.stopped(); number++) {
    const card = await room.do.addCard({ title: `fight ${number}`, column: arena });
    const told = await ring.answers(card);
    const owner = room.committed.cards[card]?.owner ?? null;
    tally = addRound(tally, { owner, ownAuthor: room.me.author, told });
    ring.scored(tally);
    await room.do.removeCard({ id: card });
  }
}

async function clearLeftovers(room: BoardRoom): Promise<void> {
  const now = performance.timeOrigin + performance.now();
  const old = Object.values(room.committed.cards).filter(
    ({ column, at }) => column === arena && now - at > leftoverAgeMs,
  );
  // Another browser may be clearing them away at this moment; that they are gone is all that counts.
  await Promise.allSettled(old.map(({ id }) => room.do.removeCard({ id })));
}
