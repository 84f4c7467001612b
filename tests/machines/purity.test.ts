/** The globals that a command must not use: refused while it runs, as they were before and after. */
import { describe, expect, test } from "vitest";
import { runPurely } from "../../lib/machines/purity.js";

describe("within a command these throw a sentence that names ctx", () => {
  test.each<[string, () => unknown, string]>([
    ["Date.now()", () => Date.now(), "ctx.now"],
    ["new Date()", () => new Date(), "ctx.now"],
    ["new Date(0)", () => new Date(0), "ctx.now"],
    ["Date()", () => Date(), "ctx.now"],
    ["Date.parse()", () => Date.parse("2020"), "ctx.now"],
    ["performance.now()", () => performance.now(), "ctx.now"],
    ["Math.random()", () => Math.random(), "ctx.random()"],
    ["crypto.randomUUID()", () => crypto.randomUUID(), "ctx.id()"],
    ["crypto.getRandomValues()", () => crypto.getRandomValues(new Uint8Array(1)), "ctx.id()"],
    ["fetch()", () => fetch("https://example.org"), "ctx"],
    ["setTimeout()", () => setTimeout(() => {}, 0), "ctx"],
    ["setInterval()", () => setInterval(() => {}, 1), "ctx"],
    ["setImmediate()", () => setImmediate(() => {}), "ctx"],
    ["queueMicrotask()", () => queueMicrotask(() => {}), "ctx"],
    ["Intl", () => new Intl.NumberFormat(), "ctx"],
  ])("%s", (_name, use, advice) => {
    expect(() => runPurely(use, true)).toThrow("must not be used in a command");
    expect(() => runPurely(use, true)).toThrow(advice);
  });
});

describe("within a command these work", () => {
  const date = new Date(0);
  test.each<[string, () => unknown, unknown]>([
    ["Date.UTC, which is arithmetic", () => Date.UTC(1970, 0, 2), 86_400_000],
    ["instanceof Date", () => date instanceof Date, true],
    ["the rest of Math", () => Math.max(1, 2), 2],
  ])("%s", (_name, use, expected) => {
    expect(runPurely(use, true)).toBe(expected);
  });
});

describe("around a command", () => {
  const names = [
    "Date",
    "crypto",
    "performance",
    "fetch",
    "setTimeout",
    "setImmediate",
    "queueMicrotask",
    "Intl",
  ];
  const globals = (): unknown[] => [
    ...names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name)),
    Object.getOwnPropertyDescriptor(Math, "random"),
  ];
  test("every global is as it was, property by property, after a return", () => {
    const before = globals();
    expect(runPurely(() => 5, true)).toBe(5);
    expect(globals()).toEqual(before);
  });
  test("… after a throw", () => {
    const before = globals();
    expect(() => runPurely(() => Date.now(), true)).toThrow();
    expect(globals()).toEqual(before);
  });
  test("… after runs within runs, and not before the outermost ends", () => {
    const before = globals();
    runPurely(() => {
      runPurely(() => {}, true);
      expect(() =>
        runPurely(() => {
          throw new Error("inner");
        }, true),
      ).toThrow("inner");
      expect(() => Date.now()).toThrow("ctx.now");
    }, true);
    expect(globals()).toEqual(before);
  });
  test("a global that is absent is not made", () => {
    expect("requestAnimationFrame" in globalThis).toBe(false);
    runPurely(() => expect("requestAnimationFrame" in globalThis).toBe(false), true);
    expect("requestAnimationFrame" in globalThis).toBe(false);
  });
  test("in production nothing is replaced", () => {
    expect(runPurely(() => typeof Date.now(), false)).toBe("number");
  });
  test("by default the guards are on, as this is no production", () => {
    expect(() => runPurely(() => Date.now())).toThrow("ctx.now");
  });
});
