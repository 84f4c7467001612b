/**
 * The board: the state that all tabs share, and the four commands that may change it.
 *
 * Schemas run before a command is proposed, so a replica never sees input that they refuse. What only the replicated state can
 * tell (is there such a card, was somebody faster) is decided in `run`, on every peer alike.
 */
import { defineMachine } from "logboom";
import * as v from "valibot";

/** The columns that the page shows. */
export const columns = ["todo", "doing", "done"] as const;
export type Column = (typeof columns)[number];

/** Where tabs fight for cards (arena.ts): a column of the same board that the page does not draw. */
export const arena = "arena";

export const titleCharsMax = 200;
const idCharsMax = 100;

export interface Card {
  readonly id: string;
  readonly title: string;
  column: Column | typeof arena;
  /** When it was added: the leader's clock, in milliseconds since 1970. */
  readonly at: number;
  /** The author that added it: one per browser profile. */
  readonly by: string;
  /** The author whose claim came first; null while the card is free. */
  owner: string | null;
}

export interface Board {
  cards: Record<string, Card>;
}

const Title = v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(titleCharsMax));
const Id = v.pipe(v.string(), v.maxLength(idCharsMax));

export const board = defineMachine({
  name: "board",
  version: 1,
  rejects: ["no-such-card", "taken"],
  initial: (): Board => ({ cards: {} }),
  commands: {
    addCard: {
      input: v.object({ title: Title, column: v.picklist([...columns, arena]) }),
      run(state, { title, column }, ctx) {
        const id = ctx.id();
        state.cards[id] = { id, title, column, at: ctx.now, by: ctx.author, owner: null };
        return id;
      },
    },
    moveCard: {
      input: v.object({ id: Id, column: v.picklist(columns) }),
      run(state, { id, column }, ctx) {
        const card = state.cards[id] ?? ctx.reject("no-such-card");
        card.column = column;
      },
    },
    claimCard: {
      input: v.object({ id: Id }),
      run(state, { id }, ctx) {
        const card = state.cards[id] ?? ctx.reject("no-such-card");
        // Also for the same author: tabs of one browser share it, and only one of them may win.
        if (card.owner !== null) return ctx.reject("taken");
        card.owner = ctx.author;
      },
    },
    removeCard: {
      input: v.object({ id: Id }),
      run(state, { id }, ctx) {
        if (state.cards[id] === undefined) return ctx.reject("no-such-card");
        delete state.cards[id];
      },
    },
  },
});
