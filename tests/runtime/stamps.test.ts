/** Stamps and clocks: what a leader puts on a command, and which time that is. */
import { describe, expect, it, test } from "vitest";
import { agreedTime, Clocks } from "../../lib/runtime/clocks.js";
import { Stamped, stampAll, stampBytes, timesOf } from "../../lib/runtime/stamps.js";
import { createVirtualClock } from "../../lib/testing/virtual-clock.js";
import { bytes } from "./cluster.js";

const times = { now: 1_700_000_000_123, logTime: 2 ** 40 + 5 };

function opened(index: number, seed: number, data = "x"): Stamped {
  const [entry] = stampAll([bytes(data)], times, seed) as [Uint8Array];
  return new Stamped({ index, term: 1, data: entry }, timesOf(entry), 3);
}

describe("a stamp", () => {
  it("is read as it was written, before the command as it was", () => {
    const entry = opened(7, 9, "a command");
    expect(entry).toMatchObject({ index: 7, term: 1, version: 3, ...times });
    expect(new TextDecoder().decode(entry.data)).toBe("a command");
  });

  it.each([
    ["the first moment", { now: 0, logTime: 0 }],
    ["the last", { now: 2 ** 48 - 1, logTime: 2 ** 48 - 1 }],
    ["beyond 32 bits", { now: 2 ** 32, logTime: 2 ** 32 - 1 }],
  ])("holds %s", (_, at) => {
    const [entry] = stampAll([bytes("x")], at, 0) as [Uint8Array];
    expect(timesOf(entry)).toEqual(at);
  });

  it("leaves barriers empty", () => {
    expect(stampAll([new Uint8Array(0)], times, 1)[0]).toHaveLength(0);
  });

  it.each([
    ["a fraction", { now: 1.5, logTime: 0 }],
    ["before the beginning", { now: 0, logTime: -1 }],
    ["beyond the field", { now: 2 ** 48, logTime: 0 }],
    ["no number", { now: Number.NaN, logTime: 0 }],
  ])("of %s is never made", (_, at) => {
    expect(() => stampAll([bytes("x")], at, 0)).toThrow(/whole milliseconds/);
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["too little", new Uint8Array(stampBytes - 1).fill(1)],
    ["another kind", new Uint8Array(stampBytes + 1).fill(2)],
  ])("is not seen in %s", (_, data) => {
    expect(() => timesOf(data)).toThrow(expect.objectContaining({ code: "DECODE" }));
  });
});

describe("an entry's random numbers", () => {
  it("follow from seed and index alone, and each call gives the next", () => {
    const [one, same] = [opened(5, 77), opened(5, 77)];
    const series = [one.random(), one.random(), one.random()];
    expect([same.random(), same.random(), same.random()]).toEqual(series);
    expect(new Set(series).size).toBe(3);
    for (const number of series) expect(number >= 0 && number < 1).toBe(true);
  });

  it("differ between entries of one seed, and between seeds at one entry", () => {
    const firsts = new Set<number>();
    for (let index = 1; index <= 2000; index++) firsts.add(opened(index, 77).random());
    for (let seed = 1000; seed < 3000; seed++) firsts.add(opened(5, seed).random());
    expect(firsts.size).toBe(4000);
  });

  it("differ between commands that were appended together", () => {
    const entries = stampAll([bytes("a"), bytes("b")], times, 2 ** 32 - 1);
    const [a, b] = entries.map((data, at) =>
      new Stamped({ index: 9 + at, term: 1, data }, timesOf(data), 1).random(),
    );
    expect(a).not.toBe(b);
  });

  it("are spread evenly", () => {
    const tenths = new Array(10).fill(0);
    for (let index = 1; index <= 5000; index++)
      tenths[Math.floor(opened(index, 3).random() * 10)]++;
    for (const count of tenths) expect(Math.abs(count - 500)).toBeLessThan(120);
  });
});

const year = 365 * 24 * 3600_000;

test.each([
  ["alone", 5000, [5000], 1, 5000],
  ["all alike", 5000, [5000, 5010, 4990], 3, 5000],
  ["ours within the tolerance", 60_000, [60_000, 0, 0], 3, 60_000],
  ["ours beyond it", 60_001, [60_001, 0, 0], 3, 0],
  ["ours a year behind", 0, [0, year, year + 4], 3, year],
  ["another a year ahead", 0, [0, 3, year], 3, 0],
  ["another unknown, and a year between the two known", year, [year, 0], 3, year],
  ["the others of five unknown", year, [year, 0], 5, year],
  ["two of four each way: ours is a median", year, [0, 0, year, year], 4, year],
  ["a learner leads no one: ours is not among them", year, [0, 5, 9], 3, 5],
])("which time: %s", (_, own, walls, voters, time) => {
  expect(agreedTime(own, walls, voters)).toBe(time);
});

describe("clocks", () => {
  function make() {
    const base = createVirtualClock();
    let jump = 0;
    const clock = { ...base, wall: () => base.wall() + jump };
    const clocks = new Clocks(1, clock);
    const jumpBy = (ms: number): void => {
      jump += ms;
    };
    return { base, clocks, jumpBy };
  }

  it("notice at once that our own wall clock jumped", () => {
    const { base, clocks, jumpBy } = make();
    for (const id of [2, 3]) clocks.heard(id, base.wall());
    base.advance(500);
    jumpBy(year);
    expect(clocks.now([1, 2, 3])).toBe(base.wall());
  });

  it("that were heard too long ago, or of who is gone, say nothing", () => {
    const { base, clocks, jumpBy } = make();
    for (const id of [2, 3]) clocks.heard(id, base.wall());
    jumpBy(year);
    clocks.keep(new Set([1, 2]));
    expect(clocks.now([1, 2])).toBe(base.wall() + year);
    clocks.heard(3, base.wall());
    expect(clocks.now([1, 2, 3])).toBe(base.wall());
    base.advance(60_001);
    expect(clocks.now([1, 2, 3])).toBe(base.wall() + year);
  });
});
