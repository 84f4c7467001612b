/**
 * The arena: a hundred times all tabs claim the same card at the same moment, and one of them keeps score.
 *
 * Every tab fights (fighter.ts) and says on a channel beside the room what it was told. The tab in which the button was pressed
 * is the referee: for each round it adds a card to a column that the page does not draw, waits until every tab of this browser
 * that it knows has answered, and compares the answers with the card's owner (verdict.ts). Tabs of other browsers fight as well;
 * of them the referee knows the card's owner alone.
 */
import { openArenaChannel } from "./arena-channel.js";
import { arena } from "./board.js";
import { fightForEveryCard } from "./fighter.js";
import type { BoardRoom } from "./opening.js";
import { addRound, noRounds, type Tally, type Told } from "./verdict.js";

export const roundsPerFight = 100;
/** A tab that was there and gives no answer for this long is taken to be gone. */
const answerTimeoutMs = 5000;
/** A fight that somebody else keeps score of, and that is silent for this long, is over. */
const silenceTimeoutMs = 15_000;
/** Cards of fights whose referee was closed are cleared away by the next one, once they are this old. */
const leftoverAgeMs = 60_000;

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
  const self = room.me.id;
  const others = new Set<number>();
  const answers = new Map<string, Map<number, Told>>();
  let view: ArenaView = { state: "idle", tally: noRounds, fighters: 1, problem: undefined };
  let refereeing = false;
  let stopped = false;
  let heard = (): void => {};
  let silence: ReturnType<typeof setTimeout> | undefined;

  function show(change: Partial<ArenaView>): void {
    view = { ...view, ...change, fighters: others.size + 1 };
    changed();
  }

  function note(peer: number, card: string, told: Told): void {
    const known = answers.get(card) ?? new Map<number, Told>();
    answers.set(card, known.set(peer, told));
    // A tab that never referees hears every answer, and needs none of them for long.
    const oldest = answers.keys().next().value;
    if (answers.size > 2 * roundsPerFight && oldest !== undefined) answers.delete(oldest);
    heard();
  }

  function follow(tally: Tally, over: boolean): void {
    clearTimeout(silence);
    if (!over) silence = setTimeout(() => show({ state: "over" }), silenceTimeoutMs);
    show({ state: over ? "over" : "running", tally, problem: undefined });
  }

  const channel = openArenaChannel(room.id, (message) => {
    switch (message.type) {
      case "here":
        others.add(message.peer);
        if (message.whoElse) channel.post({ type: "here", peer: self, whoElse: false });
        return show({});
      case "gone":
        others.delete(message.peer);
        heard();
        return show({});
      case "told":
        return note(message.peer, message.card, message.told);
      case "tally":
        return refereeing ? undefined : follow(message.tally, message.over);
      case "stop":
        stopped = true;
        return heard();
    }
  });
  channel.post({ type: "here", peer: self, whoElse: true });
  addEventListener("pagehide", () => channel.post({ type: "gone", peer: self }));
  addEventListener("pageshow", (event) => {
    if (event.persisted) channel.post({ type: "here", peer: self, whoElse: true });
  });

  fightForEveryCard(room, (card, told) => {
    note(self, card, told);
    channel.post({ type: "told", peer: self, card, told });
  });

  /** Resolves when every known tab has answered for `card`; the silent ones are then no longer waited for. */
  function answered(card: string): Promise<ReadonlyMap<number, Told>> {
    return new Promise((resolve) => {
      const missing = (): number[] =>
        [self, ...others].filter((peer) => !answers.get(card)?.has(peer));
      const settle = (): void => {
        clearTimeout(timeout);
        heard = (): void => {};
        resolve(answers.get(card) ?? new Map());
        answers.delete(card);
      };
      const timeout = setTimeout(() => {
        for (const peer of missing()) others.delete(peer);
        settle();
      }, answerTimeoutMs);
      heard = (): void => {
        if (missing().length === 0) settle();
      };
      heard();
    });
  }

  async function playRound(number: number): Promise<void> {
    const card = await room.do.addCard({ title: `fight ${number}`, column: arena });
    const told = await answered(card);
    const owner = room.committed.cards[card]?.owner ?? null;
    show({ tally: addRound(view.tally, { owner, ownAuthor: room.me.author, told }) });
    await room.do.removeCard({ id: card });
  }

  async function referee(): Promise<void> {
    refereeing = true;
    stopped = false;
    show({ state: "running", tally: noRounds, problem: undefined });
    try {
      await clearLeftovers(room);
      for (let number = 1; number <= roundsPerFight && !stopped; number++) {
        await playRound(number);
        channel.post({ type: "tally", peer: self, tally: view.tally, over: false });
      }
    } catch (error) {
      show({ problem: error instanceof Error ? error.message : String(error) });
    } finally {
      refereeing = false;
      show({ state: "over" });
      channel.post({ type: "tally", peer: self, tally: view.tally, over: true });
    }
  }

  return {
    get view() {
      return view;
    },
    press() {
      if (refereeing) stopped = true;
      else if (view.state === "running") channel.post({ type: "stop", peer: self });
      else void referee();
    },
  };
}

async function clearLeftovers(room: BoardRoom): Promise<void> {
  const now = performance.timeOrigin + performance.now();
  const old = Object.values(room.committed.cards).filter(
    ({ column, at }) => column === arena && now - at > leftoverAgeMs,
  );
  // Another browser may be clearing them away at this moment; that they are gone is all that counts.
  await Promise.allSettled(old.map(({ id }) => room.do.removeCard({ id })));
}
