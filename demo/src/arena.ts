/**
 * The arena: a hundred times all tabs claim the same card at the same moment, and one of them keeps score.
 *
 * Every tab fights (fighter.ts) and says on a channel beside the room what it was told. The tab in which the button was pressed
 * is the referee (referee.ts): it waits in each round until every tab of this browser that it knows has answered, and compares
 * the answers with the card's owner (verdict.ts). Tabs of other browsers fight as well; of them it knows the card's owner alone.
 */
import { collectAnswers } from "./answers.js";
import { type ArenaMessage, openArenaChannel } from "./arena-channel.js";
import { fightForEveryCard } from "./fighter.js";
import type { BoardRoom } from "./opening.js";
import { referee } from "./referee.js";
import { noRounds, type Tally } from "./verdict.js";

/** A fight that another tab keeps score of, and that is silent for this long, is over. */
const silenceTimeoutMs = 15_000;

export interface ArenaView {
  readonly state: "idle" | "running" | "over";
  readonly tally: Tally;
  /** Tabs of this browser that fight, this one included. */
  readonly fighters: number;
  /** Set when the fight could not go on. */
  readonly problem: string | undefined;
}

export interface Arena {
  readonly view: ArenaView;
  /** Starts a fight, or stops the one that runs, whichever tab runs it. */
  press(): void;
}

export function enterArena(room: BoardRoom, changed: () => void): Arena {
  const peer = room.me.id;
  const others = new Set<number>();
  const answers = collectAnswers();
  let view: ArenaView = { state: "idle", tally: noRounds, fighters: 1, problem: undefined };
  let refereeing = false;
  let stopped = false;
  let silence: ReturnType<typeof setTimeout> | undefined;

  function show(change: Partial<ArenaView>): void {
    view = { ...view, ...change, fighters: others.size + 1 };
    changed();
  }

  function followFight(tally: Tally, over: boolean): void {
    clearTimeout(silence);
    if (!over) silence = setTimeout(() => show({ state: "over" }), silenceTimeoutMs);
    show({ state: over ? "over" : "running", tally, problem: undefined });
  }

  function receive(message: ArenaMessage): void {
    switch (message.type) {
      case "here":
        others.add(message.peer);
        if (message.whoElse) channel.post({ type: "here", peer, whoElse: false });
        show({});
        break;
      case "gone":
        others.delete(message.peer);
        answers.recheck();
        show({});
        break;
      case "told":
        answers.note(message.card, message.peer, message.told);
        break;
      case "tally":
        if (!refereeing) followFight(message.tally, message.over);
        break;
      case "stop":
        stopped = true;
    }
  }

  async function fight(): Promise<void> {
    refereeing = true;
    stopped = false;
    clearTimeout(silence);
    show({ state: "running", tally: noRounds, problem: undefined });
    const scored = (tally: Tally, over = false): void => {
      show({ tally });
      channel.post({ type: "tally", peer, tally, over });
    };
    const ask = async (card: string) => {
      const told = await answers.about(card, () => [peer, ...others]);
      // Whoever was silent for too long (crashed, frozen) does not hold up the next round.
      for (const other of others) if (!told.has(other)) others.delete(other);
      return told;
    };
    try {
      await referee(room, { answers: ask, stopped: () => stopped, scored });
    } catch (error) {
      show({ problem: error instanceof Error ? error.message : String(error) });
    } finally {
      refereeing = false;
      show({ state: "over" });
      scored(view.tally, true);
    }
  }

  const channel = openArenaChannel(room.id, receive);
  const sayHere = (): void => channel.post({ type: "here", peer, whoElse: true });
  sayHere();
  addEventListener("pagehide", () => channel.post({ type: "gone", peer }));
  addEventListener("pageshow", (event) => event.persisted && sayHere());
  fightForEveryCard(room, (card, told) => {
    answers.note(card, peer, told);
    channel.post({ type: "told", peer, card, told });
  });

  return {
    get view() {
      return view;
    },
    press() {
      if (refereeing) stopped = true;
      else if (view.state === "running") channel.post({ type: "stop", peer });
      else void fight();
    },
  };
}
