/**
 * What `defineMachine` infers, and what it refuses. Compiled, never run: types.test.ts does so with four versions of TypeScript.
 * No case annotates a parameter of the long form.
 */
import * as v from "valibot";
import { z } from "zod";
import {
  type Ctx,
  type Do,
  defineMachine,
  type Immutable,
  isRejected,
  type Machine,
  type Rejected,
} from "../../lib/machines/machine.js";
import { type Eq, yes } from "./eq.js";

interface Card {
  id: string;
  title: string;
  column: "todo" | "done";
  owner?: string;
  at: number;
}
interface Board {
  cards: Record<string, Card>;
  log: string[];
}

const cardInput = z.object({ title: z.string(), column: z.enum(["todo", "done"]).default("todo") });
const moveInput = v.object({ id: v.string(), column: v.picklist(["todo", "done"]) });

// --- Long and short forms mixed, named and inline schemas, zod and valibot, methods and arrows.
const board = defineMachine({
  name: "board",
  version: 1,
  rejects: ["no-such-card", "taken"],
  initial: (): Board => ({ cards: {}, log: [] }),
  commands: {
    addCard: {
      input: cardInput,
      run(state, card, ctx) {
        yes<Eq<typeof state, Board>>();
        yes<Eq<typeof card, { title: string; column: "todo" | "done" }>>();
        yes<Eq<typeof ctx, Ctx<"no-such-card" | "taken">>>();
        const id = ctx.id();
        state.cards[id] = { ...card, id, at: ctx.now };
        return id;
      },
    },
    moveCard: {
      input: moveInput,
      run: (state, { id, column }, ctx) => {
        const card = state.cards[id] ?? ctx.reject("no-such-card");
        yes<Eq<typeof card, Card>>();
        card.column = column;
      },
    },
    rename: {
      input: z.object({ id: z.string(), title: z.string().transform((title) => title.length) }),
      run(_state, input) {
        yes<Eq<typeof input, { id: string; title: number }>>();
        return input.title > 3;
      },
    },
    tag: {
      input: v.pipe(v.string(), v.trim()),
      run(state, tag) {
        yes<Eq<typeof tag, string>>();
        return { tag, count: state.log.length };
      },
    },
    claimCard(state, { id }: { id: string }, ctx) {
      const card = state.cards[id] ?? ctx.reject("no-such-card");
      if (card.owner !== undefined) return ctx.reject("taken", { by: card.owner });
      card.owner = ctx.author;
    },
    removeCard: (state, id: string, ctx) => {
      yes<Eq<typeof ctx, Ctx<"no-such-card" | "taken">>>();
      delete state.cards[id];
    },
    clear(state) {
      yes<Eq<typeof state, Board>>();
      state.cards = {};
    },
    size: (state) => Object.keys(state.cards).length,
    ping() {
      return null;
    },
  },
});

// --- What a caller sees: the schema's input type, the command's result.
type BoardDo =
  typeof board extends Machine<Board, infer C, "no-such-card" | "taken"> ? Do<C> : never;
declare const act: BoardDo;

yes<Eq<ReturnType<typeof act.addCard>, Promise<string>>>();
yes<
  Eq<Parameters<typeof act.addCard>[0], { title: string; column?: "todo" | "done" | undefined }>
>();
yes<Eq<ReturnType<typeof act.moveCard>, Promise<void>>>();
yes<Eq<Parameters<typeof act.moveCard>[0], { id: string; column: "todo" | "done" }>>();
yes<Eq<Parameters<typeof act.rename>[0], { id: string; title: string }>>();
yes<Eq<ReturnType<typeof act.rename>, Promise<boolean>>>();
yes<Eq<ReturnType<typeof act.tag>, Promise<{ tag: string; count: number }>>>();
yes<Eq<Parameters<typeof act.claimCard>[0], { id: string }>>();
yes<Eq<ReturnType<typeof act.claimCard>, Promise<void>>>();
yes<Eq<ReturnType<typeof act.clear>, Promise<void>>>();
yes<Eq<Parameters<typeof act.removeCard>[0], string>>();
yes<Eq<ReturnType<typeof act.size>, Promise<number>>>();
yes<Eq<ReturnType<typeof act.ping>, Promise<null>>>();
yes<
  Eq<
    keyof BoardDo,
    | "addCard"
    | "moveCard"
    | "rename"
    | "tag"
    | "claimCard"
    | "removeCard"
    | "clear"
    | "size"
    | "ping"
  >
>();

const signal = new AbortController().signal;
void act.addCard({ title: "x" });
void act.addCard({ title: "x", column: "done" }, { signal });
void act.clear();
void act.clear(undefined, { signal });
void act.size().then((n) => n.toFixed());

// @ts-expect-error a wrong input
void act.addCard({ title: 1 });
// @ts-expect-error a missing input
void act.addCard();
// @ts-expect-error a further property
void act.addCard({ title: "x", colour: "red" });
// @ts-expect-error a value outside the picklist
void act.moveCard({ id: "1", column: "doing" });
// @ts-expect-error the schema's output is not its input
void act.rename({ id: "1", title: 3 });
// @ts-expect-error an input where there is none
void act.clear({ all: true });
// @ts-expect-error a wrong name
void act.addCards({ title: "x" });
// @ts-expect-error a wrong option
void act.addCard({ title: "x" }, { timeoutMs: 1 });
// @ts-expect-error the result is a string
void act.addCard({ title: "x" }).then((id) => id.toFixed());
// @ts-expect-error `room.do` is read only
act.clear = act.ping;

// --- Rejections are typed by the machine's own codes.
try {
  await act.clear();
} catch (error) {
  if (isRejected(error, board)) {
    yes<Eq<typeof error, Rejected<"no-such-card" | "taken">>>();
    yes<Eq<typeof error.reason, "no-such-card" | "taken">>();
    // @ts-expect-error no such code
    error.reason === "lost";
  }
  if (isRejected(error)) yes<Eq<typeof error.reason, string>>();
}

// --- Immutable: what a room shows.
type Shown = Immutable<Board>;
declare const shown: Shown;
yes<Eq<Shown["log"], readonly string[]>>();
yes<Eq<Immutable<Uint8Array>, Uint8Array>>();
yes<Eq<Immutable<bigint | null | "a">, bigint | null | "a">>();
yes<
  Eq<
    Immutable<{ a: [number, { b: string[] }] }>,
    { readonly a: readonly [number, { readonly b: readonly string[] }] }
  >
>();
const title: string | undefined = shown.cards["x"]?.title;
void title;
// @ts-expect-error frozen
shown.log.push("x");
// @ts-expect-error frozen
shown.cards = {};
// @ts-expect-error frozen, deeply
if (shown.cards["x"]) shown.cards["x"].title = "y";

// --- A machine without reject codes, with an array as its state.
const list = defineMachine({
  name: "list",
  version: 2,
  initial: () => [] as number[],
  commands: {
    push(state, n: number) {
      return state.push(n);
    },
    sum: {
      input: z.object({ from: z.number() }),
      run(state, { from }) {
        return state.slice(from).reduce((a, b) => a + b, 0);
      },
    },
  },
});
yes<Eq<typeof list extends Machine<infer S, infer _C, infer J> ? [S, J] : 0, [number[], never]>>();

defineMachine({
  name: "without-codes",
  version: 1,
  initial: () => ({ n: 0 }),
  commands: {
    one(_state, _input: string, ctx) {
      // @ts-expect-error no codes were declared
      ctx.reject("taken");
    },
    two: {
      input: v.number(),
      run(_state, _n, ctx) {
        // @ts-expect-error no codes were declared
        return ctx.reject("taken");
      },
    },
  },
});

defineMachine({
  name: "wrong",
  version: 1,
  rejects: ["taken"],
  initial: () => ({ n: 0 }),
  commands: {
    unknownCode(_state, _input: string, ctx) {
      // @ts-expect-error not among the declared codes
      return ctx.reject("takn");
    },
    unknownCodeLong: {
      input: z.string(),
      run(_state, _input, ctx) {
        // @ts-expect-error not among the declared codes
        return ctx.reject("takn");
      },
    },
    wrongState(state) {
      // @ts-expect-error no such property
      state.m = 1;
    },
    wrongStateLong: {
      input: z.string(),
      run(state) {
        // @ts-expect-error a number
        state.n = "1";
      },
    },
    wrongInputLong: {
      input: z.object({ id: z.string() }),
      run(_state, input) {
        // @ts-expect-error no such property
        return input.name;
      },
    },
    wrongCtx(_state, _input: string, ctx) {
      // @ts-expect-error read only
      ctx.now = 1;
    },
  },
});

defineMachine({
  name: "async",
  version: 1,
  initial: () => ({ n: 0 }),
  commands: {
    // @ts-expect-error an async command
    async short(state) {
      state.n++;
    },
    // @ts-expect-error an async command, as an arrow
    arrow: async (_state, _n: number) => 1,
    // @ts-expect-error an async command, in the long form
    long: {
      input: z.string(),
      async run(state, text) {
        state.n += text.length;
      },
    },
    // @ts-expect-error a promise as the result
    promise: {
      input: z.string(),
      run: (_state, text) => Promise.resolve(text),
    },
  },
});

// @ts-expect-error no version
defineMachine({ name: "x", initial: () => ({}), commands: {} });
// @ts-expect-error no initial state
defineMachine({ name: "x", version: 1, commands: {} });
// @ts-expect-error the version is a number
defineMachine({ name: "x", version: "1", initial: () => ({}), commands: {} });

defineMachine({
  name: "apply",
  version: 1,
  initial: () => ({ n: 0 }),
  // @ts-expect-error the method is called run
  commands: { long: { input: z.string(), apply() {} } },
});
