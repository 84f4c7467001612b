/** 200 seeds, the corpus before them, and the simulator itself: it must repeat itself, and it must find what is planted. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emptyBatch, neverHappened, runSeed } from "../../lib/testing/batch.js";
import type { CorpusCase } from "../../lib/testing/shrink.js";
import { simulate } from "../../lib/testing/simulator.js";

const before = process.env["NODE_ENV"];
beforeAll(() => {
  // In production a command may look at clocks and dice unhindered: here replicas that differ must show it.
  process.env["NODE_ENV"] = "production";
});
afterAll(() => {
  process.env["NODE_ENV"] = before;
});

const corpus = join(import.meta.dirname, "corpus");

describe("corpus", () => {
  it("what once failed holds", () => {
    for (const file of readdirSync(corpus).filter((name) => name.endsWith(".json"))) {
      const { seed, script } = JSON.parse(readFileSync(join(corpus, file), "utf8")) as CorpusCase;
      expect(simulate({ seed, script }).violation, file).toBeUndefined();
    }
  });
});

describe("seeds", () => {
  const batch = emptyBatch();
  const perTest = 20;

  it.each(Array.from({ length: 200 / perTest }, (_, i) => 1 + i * perTest))(
    "hold from %i on",
    { timeout: 120_000 },
    (from) => {
      for (let seed = from; seed < from + perTest; seed++) {
        const { violation, log } = runSeed(batch, { seed });
        expect(violation, `npm run sim -- --seeds 1 --seed ${seed}\n${violation && log()}`).toBe(
          undefined,
        );
      }
    },
  );

  it("together meet every fault", () => {
    expect(neverHappened(batch)).toEqual([]);
  });
});

describe("a seed", () => {
  it("is one history", () => {
    const [a, b, other] = [simulate({ seed: 7 }), simulate({ seed: 7 }), simulate({ seed: 8 })];
    expect(a.hash).toBe(b.hash);
    expect(a.events).toBe(b.events);
    expect(a.log()).toBe(b.log());
    expect(a.hash).not.toBe(other.hash);
  });

  it("is described by a line for each of its last events", () => {
    const lines = simulate({ seed: 7 }).log().split("\n");
    expect(lines[0]).toMatch(/ms +node +role +term +commit\/applied +log +what/);
    expect(lines).toHaveLength(301);
  });
});
