import { afterEach, expect, test, vi } from "vitest";
import { printReport, resultOf } from "./report.mjs";

afterEach(() => {
  vi.restoreAllMocks();
});

function printed(...figures: Parameters<typeof printReport>[2][number][]): string[] {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  printReport("core", "theirs 1.0", figures);
  return log.mock.calls.map(([line]) => String(line));
}

test("a ratio says how many times better ours is, whichever way the unit points", () => {
  expect(resultOf({ name: "a", unit: "entries/s", ours: 30, reference: 10 }).ratio).toBe(3);
  expect(resultOf({ name: "a", unit: "ms", ours: 10, reference: 30 }).ratio).toBe(3);
  expect(resultOf({ name: "a", unit: "ms", ours: 10 })).toMatchObject({
    reference: null,
    ratio: null,
  });
});

test("the last line is one JSON object, and goals are for people alone", () => {
  const lines = printed({ name: "a", unit: "ms", ours: 2, reference: 4, goal: { ratio: 1 } });
  expect(JSON.parse(lines.at(-1) ?? "")).toEqual({
    bench: "core",
    results: [{ name: "a", unit: "ms", ours: 2, reference: 4, ratio: 2 }],
  });
});

test("a table shows ours beside the reference, and whether the goal was reached", () => {
  const lines = printed(
    { name: "rate", unit: "entries/s", ours: 790, reference: 1000, goal: { ratio: 0.8 } },
    { name: "loading", unit: "entries/s", ours: 1_300_000, goal: { least: 500_000 } },
    { name: "idle", unit: "% of one CPU", ours: 1.25, goal: { most: 1 } },
  );
  expect(lines.slice(0, -1).map((line) => line.split(/ {2,}/).map((cell) => cell.trim()))).toEqual([
    ["", "ours", "theirs 1.0", "ratio", "goal"],
    ["rate", "790 entries/s", "1,000 entries/s", "0.79×", "0.8× MISSED"],
    ["loading", "1,300,000 entries/s", "≥ 500,000 reached"],
    ["idle", "1.25 % of one CPU", "≤ 1 MISSED"],
  ]);
});
