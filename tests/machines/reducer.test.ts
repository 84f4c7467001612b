/** One command on one state: results, rejections, and what leaves no trace. */
import { describe, expect, test } from "vitest";
import { defineMachine } from "../../lib/machines/machine.js";
import {
  type CommandCall,
  initialState,
  type Ran,
  runCommand,
} from "../../lib/machines/reducer.js";
import { clientId } from "../../lib/machines/seed.js";
import { tame, type Value } from "../../lib/machines/values.js";
import { spell } from "./arbitrary-value.js";
import { board } from "./board.js";

const client = clientId(new Uint8Array(16).fill(3));

function call(command: string, input?: unknown, over: Partial<CommandCall> = {}): CommandCall {
  const value = input === undefined ? undefined : tame(input, "input");
  return { command, input: value, client, sequence: 1, author: "ann", now: 1000, ...over };
}

function done(ran: Ran): { state: Value; result: Value | undefined } {
  if (ran.kind !== "done") throw new Error(`rejected: ${ran.reason} ${String(ran.cause)}`);
  return ran;
}

describe("a command", () => {
  test("gives the next state and its result", () => {
    const { state, result } = done(
      runCommand(board, initialState(board), call("addCard", { title: "A" })),
    );
    const id = String(result);
    expect(spell(state)).toBe(spell({ cards: { [id]: { title: "A", id, at: 1000, by: "ann" } } }));
  });
  test("draws the same ids whenever it is run", () => {
    const one = runCommand(board, initialState(board), call("addCard", { title: "A" }));
    const two = runCommand(board, initialState(board), call("addCard", { title: "A" }, { now: 5 }));
    const three = runCommand(
      board,
      initialState(board),
      call("addCard", { title: "A" }, { sequence: 2 }),
    );
    expect(done(two).result).toBe(done(one).result);
    expect(done(three).result).not.toBe(done(one).result);
  });
  test("that changes nothing keeps the state's identity", () => {
    const state = initialState(board);
    expect(done(runCommand(board, state, call("fail", { how: "not" }))).state).not.toBe(state);
    expect(done(runCommand(reading, state, call("read"))).state).toBe(state);
  });
});

const reading = defineMachine({
  name: "reading",
  version: 1,
  rejects: ["no"],
  initial: () => ({}),
  commands: {
    read: (state) => Object.keys(state).length,
    methods(_state, _input: undefined, { id, random, reject }) {
      if (id().length !== 20 || random() >= 1) reject("no");
    },
    swallow(state: { n?: number }, _input: undefined, ctx) {
      state.n = 1;
      try {
        ctx.reject("no", { why: "caught" });
      } catch {}
      return "as if nothing had happened";
    },
    wrongCode(_state, _input: undefined, ctx) {
      ctx.reject("other" as "no");
    },
    badDetail(_state, _input: undefined, ctx) {
      ctx.reject("no", new Map());
    },
    promise: () => Promise.reject(new Error("nobody waits")) as unknown as undefined,
    date: () => ({ due: new Map() }) as object,
    long: () => "x".repeat(64 * 1024),
    mutateInput(_state, input: { n: number }) {
      input.n = 2;
    },
    keep(_state, _input: undefined, ctx) {
      kept = ctx;
    },
    big(state: { list?: string[] }) {
      state.list = Array.from({ length: 70 }, () => "x".repeat(1024 * 1024));
    },
    detailOfDraft(state: { n?: object }, _input: undefined, ctx) {
      state.n = { deep: [1] };
      ctx.reject("no", state.n);
    },
  },
});
let kept: { id(): string } | undefined;

describe("a rejection keeps the state's identity and says", () => {
  const state = initialState(reading);
  test.each<[string, string, unknown, string, string]>([
    ["the code, also when the command caught it", "swallow", undefined, "no", ""],
    ["unknown-command", "lost", undefined, "unknown-command", ""],
    ["unknown-command for names of Object.prototype", "toString", undefined, "unknown-command", ""],
    ["unknown-command for __proto__", "__proto__", undefined, "unknown-command", ""],
    [
      "threw, for a code that was not declared",
      "wrongCode",
      undefined,
      "threw",
      "not in the machine's rejects",
    ],
    [
      "threw, for a detail that is no value",
      "badDetail",
      undefined,
      "threw",
      'detail of "no" is an instance of Map',
    ],
    ["threw, for a promise", "promise", undefined, "threw", "cannot wait"],
    [
      "threw, for a result that is no value",
      "date",
      undefined,
      "threw",
      "the result of date.due is an instance of Map",
    ],
    ["threw, for a result above 64 KiB", "long", undefined, "threw", "larger than 65536 bytes"],
    ["threw, for a change of the input", "mutateInput", { n: 1 }, "threw", "read only"],
    ["threw, for a state above 64 MiB", "big", undefined, "threw", "the state after big is larger"],
  ])("%s", (_name, command, input, reason, cause) => {
    const ran = runCommand(reading, state, call(command, input));
    expect(ran).toMatchObject({ kind: "rejected", reason });
    expect(ran.kind === "rejected" && String(ran.cause)).toContain(cause);
    expect(spell(state)).toBe("{}");
  });
  test("the detail, also of a draft", () => {
    expect(runCommand(reading, state, call("detailOfDraft"))).toMatchObject({
      reason: "no",
      detail: { deep: [1] },
    });
    expect(runCommand(reading, state, call("swallow"))).toMatchObject({
      detail: { why: "caught" },
    });
  });
  test("nothing of a throwing command's changes", () => {
    const before = done(
      runCommand(board, initialState(board), call("addCard", { title: "A" })),
    ).state;
    const shown = spell(before);
    const ran = runCommand(board, before, call("fail", { how: "throw" }));
    expect(ran).toMatchObject({ kind: "rejected", reason: "threw", detail: undefined });
    expect(spell(before)).toBe(shown);
  });
});

describe("ctx", () => {
  test("has methods that may be taken out of it", () => {
    expect(runCommand(reading, initialState(reading), call("methods"))).toMatchObject({
      kind: "done",
    });
  });
  test("refuses after its command", () => {
    runCommand(reading, initialState(reading), call("keep"));
    expect(() => kept?.id()).toThrow("ctx.id() of keep was used after the command ended");
  });
});

describe("names of Object.prototype as ids are answered like any unknown id", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "nobody"];
  test.each(names)("%s", (id) => {
    const before = [Object.prototype, Object, Object.prototype.toString].map(
      (o) => Reflect.ownKeys(o).length,
    );
    for (const command of ["claimCard", "removeCard"]) {
      expect(runCommand(board, initialState(board), call(command, { id }))).toMatchObject({
        reason: "no-such-card",
      });
    }
    const cleared = done(runCommand(board, initialState(board), call("clear"))).state;
    expect(runCommand(board, cleared, call("claimCard", { id }))).toMatchObject({
      reason: "no-such-card",
    });
    const after = [Object.prototype, Object, Object.prototype.toString].map(
      (o) => Reflect.ownKeys(o).length,
    );
    expect(after).toEqual(before);
  });
});
