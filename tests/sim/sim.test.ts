/** 200 seeds, and the simulator itself: it must repeat itself, and it must find what is planted. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emptyBatch, neverHappened, runSeedAll } from "../../lib/testing/batch.js";
import { simulate, simulateAll } from "../../lib/testing/simulator.js";

const before = process.env["NODE_ENV"];
beforeAll(() => {
  // In production a command may look at clocks and dice unhindered: here replicas that differ must show it.
  process.env["NODE_ENV"] = "production";
});
afterAll(() => {
  process.env["NODE_ENV"] = before;
});

describe("seeds", () => {
  const batch = emptyBatch();
  const perTest = 20;

  it.each(Array.from({ length: 200 / perTest }, (_, i) => 1 + i * perTest))(
    "hold from %i on",
    { timeout: 120_000 },
    async (from) => {
      for (let seed = from; seed < from + perTest; seed++) {
        const { violation, log } = await runSeedAll(batch, { seed });
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

  it.each(["direct", "files", "indexedDb"] as const)(
    "is one history of %s",
    async (environment) => {
      const options = { environment };
      for (const seed of [3, 8, 14]) {
        const a = await simulateAll({ seed, options });
        const b = await simulateAll({ seed, options });
        expect([a.hash, a.events, a.log()]).toEqual([b.hash, b.events, b.log()]);
        expect(a.sometimes).toEqual(b.sometimes);
      }
    },
  );

  it("is described by a line for each of its last events", () => {
    const lines = simulate({ seed: 7 }).log().split("\n");
    expect(lines[0]).toMatch(/ms +node +role +term +commit\/applied +log +what/);
    expect(lines).toHaveLength(301);
  });
});
