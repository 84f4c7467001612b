/** What a value may be, the sentence that refuses it, and its one form in a state. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isLogboomError } from "../../lib/base/errors.js";
import { checkValue, tame, type Value, weigh } from "../../lib/machines/values.js";
import { anyValue, spell } from "./arbitrary-value.js";

function codeAndMessage(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isLogboomError(error)) return `${error.code} ${error.message}`;
    throw error;
  }
  return "accepted";
}

class Point {
  x = 1;
}
function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { in: value };
  return value;
}
const cyclic: Record<string, unknown> = {};
cyclic["self"] = { again: cyclic };
const shared = { n: 1 };

describe("checkValue accepts", () => {
  test.each([
    ["a literal", { a: [1, "x", true, null, 1n] }],
    ["an object without prototype", Object.assign(Object.create(null), { a: 1 })],
    ["numbers that JSON loses", [-0, Number.NaN, Number.POSITIVE_INFINITY]],
    ["a lone surrogate", "\ud83d"],
    ["bytes, also of Node's Buffer", [new Uint8Array([1]), Buffer.from([1])]],
    ["an undefined property, as absent", { a: undefined }],
    ["keys that name members of Object.prototype", { constructor: 1, toString: 2 }],
    ["the same object twice", [shared, shared]],
    ["64 levels", nested(64)],
    ["an empty array and an empty object", [[], {}]],
    ["a bigint of 1024 bytes", 2n ** 8192n - 1n],
  ])("%s", (_name, value) => {
    expect(codeAndMessage(() => checkValue(value, "input"))).toBe("accepted");
  });
});

describe("checkValue refuses, naming the path", () => {
  test.each([
    ["undefined", undefined, "input is undefined"],
    ["a date", { due: [new Date(0)] }, "input.due[0] is an instance of Date"],
    ["a map", { a: new Map() }, "input.a is an instance of Map"],
    ["a class instance", new Point(), "input is an instance of Point"],
    ["an object that inherits", Object.create({ a: 1 }), "input is an instance of Object"],
    ["a function", { f: () => 1 }, "input.f is a function"],
    ["a symbol", [Symbol("s")], "input[0] is a symbol"],
    ["a symbol as key", { [Symbol("s")]: 1 }, "input is an object with a symbol as key"],
    ["undefined in an array", [undefined], "input[0] is undefined"],
    ["a hole", Array(2), "input is an array with holes"],
    [
      "a property of an array",
      Object.assign([1], { x: 1 }),
      "input is an array with further properties",
    ],
    ["a subclass of Array", new (class Row extends Array {})(), "input is an instance of Row"],
    [
      "an accessor",
      {
        get now() {
          return 1;
        },
      },
      "input.now is an accessor",
    ],
    [
      "a hidden property",
      Object.defineProperty({}, "h", { value: 1 }),
      "input.h is a property that is not enumerable",
    ],
    [
      "__proto__ as an own key",
      JSON.parse('{"a":{"__proto__":{}}}'),
      'input.a.__proto__ is a property named "__proto__"',
    ],
    ["a cycle", cyclic, "input.self.again is a cycle"],
    ["65 levels", nested(65), "is nested deeper than 64"],
    ["other typed arrays", new Float64Array(1), "input is an instance of Float64Array"],
    ["a bigint of 1025 bytes", 2n ** 8192n, "input is a bigint of more than 1024 bytes"],
    ["a key that is no identifier", { "a b": () => 1 }, 'input["a b"] is a function'],
  ])("%s", (_name, value, message) => {
    expect(codeAndMessage(() => checkValue(value, "input"))).toContain(message);
    expect(codeAndMessage(() => checkValue(value, "input"))).toContain("BAD_INPUT");
  });
});

describe("size is bounded", () => {
  const doubling = (levels: number): unknown => {
    let value: unknown = ["0123456789"];
    for (let i = 0; i < levels; i++) value = [value, value];
    return value;
  };
  test.each([
    ["a long string", "x".repeat(2000)],
    ["many items", Array.from({ length: 2000 }, () => 1)],
    ["a length without items", Object.assign([], { length: 2 ** 32 - 1 })],
    ["few objects, shared until they are many", doubling(40)],
  ])("%s", (_name, value) => {
    const refused = codeAndMessage(() => checkValue(value, "input", { bytesMax: 1000 }));
    expect(refused).toBe("TOO_LARGE input is larger than 1000 bytes");
  });
  test("shared tame parts count each time", () => {
    let value: Value = tame(["0123456789"], "value");
    const grow = (): void => {
      for (let i = 0; i < 40; i++) value = tame([value, value], "value");
    };
    expect(codeAndMessage(grow)).toContain("TOO_LARGE");
  });
  test("shared tame parts keep their depth", () => {
    const deep = tame(nested(40), "value");
    expect(codeAndMessage(() => tame({ deep: { deep } }, "value"))).toBe("accepted");
    let value: unknown = deep;
    for (let i = 0; i < 24; i++) value = [value];
    expect(codeAndMessage(() => tame(value, "value"))).toBe("accepted");
    expect(codeAndMessage(() => tame([value], "value"))).toContain("nested deeper than 64");
  });
});

describe("tame", () => {
  test("gives equal values, keys in their order, deeply frozen and without prototypes", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const tamed = tame(value, "value");
        expect(spell(tamed)).toBe(spell(value));
        expectTame(tamed);
      }),
    );
  });
  test("leaves what it is given alone", () => {
    const value = { list: [{ a: 1 }], bytes: new Uint8Array([1]) };
    const tamed = tame(value, "value") as typeof value;
    value.list.push({ a: 2 });
    value.bytes[0] = 9;
    expect(spell(tamed)).toBe(spell({ list: [{ a: 1 }], bytes: new Uint8Array([1]) }));
  });
  test("takes over by identity what is tame", () => {
    const tamed = tame({ a: { b: [1] } }, "value") as { a: unknown };
    expect(tame(tamed, "value")).toBe(tamed);
    expect((tame({ x: tamed.a }, "value") as { x: unknown }).x).toBe(tamed.a);
  });
  test("drops properties that are undefined", () => {
    expect(Object.keys(tame({ a: undefined, b: 1 }, "value") as object)).toEqual(["b"]);
  });
  test("orders integer-like keys first and ascending, as every object does", () => {
    expect(Object.keys(tame({ b: 1, 10: 1, 9: 1, a: 1 }, "value") as object)).toEqual([
      "9",
      "10",
      "b",
      "a",
    ]);
  });
  test("weighs the same whether it was made at once or in parts", () => {
    fc.assert(
      fc.property(anyValue, anyValue, (a, b) => {
        const parts = tame({ a: tame(a, "a"), b: tame(b, "b") }, "value");
        expect(weigh(parts)).toBe(weigh(tame({ a, b }, "value")));
      }),
    );
  });
});

function expectTame(value: unknown): void {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  expect(Object.isFrozen(value)).toBe(true);
  expect(Object.getPrototypeOf(value)).toBe(Array.isArray(value) ? Array.prototype : null);
  for (const item of Object.values(value)) expectTame(item);
}
