/** The demo's machine in small, for these tests. */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { defineMachine } from "../../lib/machines/machine.js";

export interface Card {
  id: string;
  title: string;
  owner?: string;
  at: number;
  by: string;
}

export interface Board {
  cards: Record<string, Card>;
}

/** A schema in the fewest words: trims the title, refuses an empty one. */
const cardInput: StandardSchemaV1<{ title: string }, { title: string }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate(value) {
      const title = (value as { title?: unknown } | undefined)?.title;
      if (typeof title !== "string" || title.trim() === "") {
        return { issues: [{ message: "must not be empty", path: ["title"] }] };
      }
      return { value: { title: title.trim() } };
    },
  },
};

export const board = defineMachine({
  name: "board",
  version: 1,
  rejects: ["no-such-card", "taken"],
  initial: (): Board => ({ cards: {} }),
  commands: {
    addCard: {
      input: cardInput,
      run(state, card, ctx) {
        const id = ctx.id();
        state.cards[id] = { ...card, id, at: ctx.now, by: ctx.author };
        return id;
      },
    },
    claimCard(state, { id }: { id: string }, ctx) {
      const card = state.cards[id] ?? ctx.reject("no-such-card");
      if (card.owner !== undefined) return ctx.reject("taken", { by: card.owner });
      card.owner = ctx.author;
    },
    removeCard(state, { id }: { id: string }, ctx) {
      if (state.cards[id] === undefined) return ctx.reject("no-such-card");
      delete state.cards[id];
    },
    clear(state) {
      state.cards = {};
    },
    fail(state, { how }: { how: string }) {
      state.cards["half"] = { id: "half", title: "", at: 0, by: "" };
      if (how === "throw") throw new TypeError("an engine's own words");
      if (how === "date") return Date.now();
      if (how === "random") return Math.random();
      return undefined;
    },
  },
});
