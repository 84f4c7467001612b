/** What `defineMachine` refuses, what it gives, and how rejections are recognised. (Types: types.test.ts.) */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describe, expect, test } from "vitest";
import { isLogboomError, LogboomError } from "../../lib/base/errors.js";
import { defineMachine, isRejected, Rejected } from "../../lib/machines/machine.js";
import { board } from "./board.js";

const good = { name: "m", version: 1, initial: () => ({ n: 0 }), commands: { add() {} } };
const schema: StandardSchemaV1 = {
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) },
};
let flips = 0;
const thenable: string = "then";

describe("defineMachine refuses, naming the part", () => {
  test.each<[string, object, string]>([
    ["no name", { name: undefined }, "name must be 1 to 64 letters"],
    ["an empty name", { name: "" }, 'got ""'],
    ["a name with a slash", { name: "a/b" }, 'got "a/b"'],
    ["a name without prototype", { name: Object.create(null) }, "got an object"],
    ["version 0", { version: 0 }, "version must be 1, 2, 3 …, got 0"],
    ["a version as text", { version: "1" }, 'got "1"'],
    ["rejects as text", { rejects: "taken" }, "rejects must be an array"],
    ["an empty code", { rejects: [""] }, "rejects[0] must be a string"],
    ["a code twice", { rejects: ["a", "a"] }, 'rejects[1]: "a" is there twice'],
    ["the library's code", { rejects: ["threw"] }, 'rejects[0]: "threw" is the library\'s own'],
    ["no commands", { commands: undefined }, "commands must be an object"],
    ["commands in an array", { commands: [] }, "commands must be an object"],
    [
      "a command named then",
      { commands: { [thenable]: () => {} } },
      '"then" cannot name a command',
    ],
    [
      "a command named toString",
      { commands: { toString() {} } },
      '"toString" cannot name a command',
    ],
    [
      "a command that is no identifier",
      { commands: { "a b"() {} } },
      '"a b" cannot name a command',
    ],
    [
      "a command that is a number",
      { commands: { add: 1 } },
      "commands.add must be a function or { input, run }",
    ],
    [
      "apply in place of run",
      { commands: { add: { input: schema, apply() {} } } },
      "with a function run",
    ],
    [
      "run without a schema",
      { commands: { add: { run() {} } } },
      "commands.add.input must be a Standard Schema",
    ],
    ["an async command", { commands: { async add() {} } }, "commands.add is an AsyncFunction"],
    [
      "a generator in the long form",
      { commands: { add: { input: schema, *run() {} } } },
      "commands.add is an GeneratorFunction",
    ],
    ["no initial state", { initial: undefined }, "initial must be a function"],
    [
      "a number as the state",
      { initial: () => 1 },
      "initial() must give a plain object or an array, got 1",
    ],
    [
      "a map in the state",
      { initial: () => ({ m: new Map() }) },
      "initial() failed: initial().m is an instance of Map",
    ],
    [
      "an initial that throws",
      {
        initial: () => {
          throw new Error("no");
        },
      },
      "initial() failed: no",
    ],
    ["the time in the state", { initial: () => ({ at: Date.now() }) }, "use ctx.now"],
    [
      "a state that differs",
      { initial: () => ({ n: flips++ }) },
      "initial() gave two different states",
    ],
  ])("%s", (_name, part, message) => {
    const define = (): unknown => defineMachine({ ...good, ...part } as typeof good);
    expect(define).toThrow(message);
    expect(define).toThrow(LogboomError);
  });
  test("what is no object", () => {
    expect(() => defineMachine(undefined as unknown as typeof good)).toThrow(
      "defineMachine takes an object",
    );
  });
});

describe("a machine", () => {
  test("is frozen, and later changes of the definition do not reach it", () => {
    const commands: Record<string, () => void> = { add() {} };
    const rejects = ["no"];
    const machine = defineMachine({ ...good, rejects, commands });
    commands["late"] = () => {};
    rejects.push("late");
    expect(Object.keys(machine.commands)).toEqual(["add"]);
    expect(machine.rejects).toEqual(["no"]);
    expect(Object.isFrozen(machine) && Object.isFrozen(machine.commands)).toBe(true);
  });
});

describe("isRejected", () => {
  const other = defineMachine({ ...good, rejects: ["elsewhere"] });
  /** As another copy of the library in the same page would throw it. */
  const foreign = Object.assign(new Error("x"), {
    logboom: "logboom/error/v1",
    code: "REJECTED",
    reason: "taken",
  });
  test.each<[string, unknown, boolean, boolean]>([
    ["a code of the machine", new Rejected("taken"), true, true],
    ["from another copy of the library", foreign, true, true],
    ["a code of another machine", new Rejected("elsewhere"), true, false],
    ["a reason of the library", new Rejected("threw"), true, false],
    ["another error of ours", new LogboomError("CLOSED", "x"), false, false],
    ["an error", new Error("taken"), false, false],
    ["no error", { code: "REJECTED", reason: "taken" }, false, false],
    ["undefined", undefined, false, false],
  ])("%s", (_name, error, ofAny, ofBoard) => {
    expect(isRejected(error)).toBe(ofAny);
    expect(isRejected(error, board)).toBe(ofBoard);
  });
  test("types the reason by the machine", () => {
    expect(isRejected(new Rejected("elsewhere"), other)).toBe(true);
  });
  test("a rejection says what happened, and that nothing did", () => {
    const error = new Rejected("threw", {
      command: "addCard",
      detail: 1,
      cause: new TypeError("x is null"),
    });
    expect(error.message).toBe("addCard was rejected: threw (TypeError: x is null)");
    expect([error.code, error.outcome, error.detail]).toEqual(["REJECTED", "none", 1]);
    expect(isLogboomError(error)).toBe(true);
  });
});
