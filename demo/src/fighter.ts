/**
 * The fighting half of the arena: claims every arena card as soon as it is seen in the committed state, in every tab of every
 * browser, and hands on what it was told.
 *
 * It claims even a card that already has an owner: it is the machine that must say "taken", not a glance at the state.
 */
import { arena } from "./board.js";
import { failure } from "./commands.js";
import type { BoardRoom } from "./opening.js";
import type { Told } from "./verdict.js";

export function fightForEveryCard(
  room: BoardRoom,
  tell: (card: string, told: Told) => void,
): () => void {
  const met = new Set<string>();

  async function claim(id: string): Promise<void> {
    tell(id, await outcomeOf(room.do.claimCard({ id })));
  }

  function look(): void {
    const { cards } = room.committed;
    for (const id of met) if (!Object.hasOwn(cards, id)) met.delete(id);
    for (const { id, column } of Object.values(cards)) {
      if (column !== arena || met.has(id)) continue;
      met.add(id);
      void claim(id);
    }
  }

  look();
  return room.subscribe(look);
}

async function outcomeOf(claim: Promise<unknown>): Promise<Told> {
  try {
    await claim;
    return "won";
  } catch (error) {
    const outcome = failure(error);
    if (outcome.kind !== "refused") return "failed";
    return outcome.reason === "taken" ? "taken" : "gone";
  }
}
