/** Inputs: what schemas make of them, and how a refusal reads. With zod and valibot themselves. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { LogboomError } from "../../lib/base/errors.js";
import { validateInput } from "../../lib/machines/input.js";
import { defineMachine } from "../../lib/machines/machine.js";
import { spell } from "./arbitrary-value.js";

const throwing: StandardSchemaV1 = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: () => {
      throw new Error("defect");
    },
  },
};
const machine = defineMachine({
  name: "inputs",
  version: 1,
  initial: () => ({}),
  commands: {
    zod: {
      input: z.object({ title: z.string().trim().min(1), n: z.number().default(1) }),
      run() {},
    },
    valibot: { input: v.object({ id: v.pipe(v.string(), v.minLength(2)) }), run() {} },
    slow: { input: z.string().refine(async (text) => text !== "no", "not no"), run() {} },
    date: { input: z.object({ due: z.coerce.date() }), run() {} },
    throwing: { input: throwing, run() {} },
    short(_state, _input: unknown) {},
  },
});

describe("an accepted input is what the schema made of it", () => {
  test.each<[string, string, unknown, unknown]>([
    ["trimmed and with defaults", "zod", { title: " A " }, { title: "A", n: 1 }],
    ["valibot", "valibot", { id: "ab", more: 1 }, { id: "ab" }],
    ["without a schema, as it is", "short", { any: [1n] }, { any: [1n] }],
    ["none", "short", undefined, undefined],
    ["null", "short", null, null],
  ])("%s", (_name, command, input, expected) => {
    expect(spell(validateInput(machine, command, input))).toBe(spell(expected));
  });
  test("at once when the schema is synchronous, else as a promise", async () => {
    expect(validateInput(machine, "short", 1)).toBe(1);
    const slow = validateInput(machine, "slow", "yes");
    expect(slow).toBeInstanceOf(Promise);
    expect(await slow).toBe("yes");
  });
});

describe("a refused input names command, path and rule", () => {
  test.each<[string, string, unknown, string]>([
    ["a wrong type", "zod", { title: 1 }, "zod: input.title: "],
    ["several at once", "zod", { title: "", n: "1" }, "; input.n: "],
    ["valibot", "valibot", { id: "a" }, "valibot: input.id: Invalid length"],
    ["no object", "zod", undefined, "zod: Invalid input"],
    ["an output that is no value", "date", { due: 0 }, "date: input.due is an instance of Date"],
    ["no value, without a schema", "short", { f: () => 1 }, "short: input.f is a function"],
    ["__proto__", "short", JSON.parse('{"__proto__":1}'), 'a property named "__proto__"'],
    ["a schema that throws", "throwing", 1, "throwing: the schema failed: defect"],
    ["an unknown command", "lost", 1, "inputs has no command lost; it has zod, valibot"],
    ["a name of Object.prototype", "toString", 1, "inputs has no command toString"],
  ])("%s", (_name, command, input, message) => {
    expect(() => validateInput(machine, command, input)).toThrow(message);
    expect(() => validateInput(machine, command, input)).toThrow(LogboomError);
  });
  test("above 512 KiB it is TOO_LARGE", () => {
    expect(() => validateInput(machine, "short", "x".repeat(512 * 1024))).toThrow(
      "short: input is larger than 524288 bytes",
    );
  });
  test("asynchronously too", async () => {
    await expect(validateInput(machine, "slow", "no")).rejects.toThrow("slow: not no");
  });
});
