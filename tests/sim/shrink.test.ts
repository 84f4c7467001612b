/** Shrinking keeps what breaks the invariant, and little else. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { defineMachine } from "../../lib/machines/machine.js";
import { shrink } from "../../lib/testing/shrink.js";
import { simulateAll } from "../../lib/testing/simulator.js";

const before = process.env["NODE_ENV"];
beforeAll(() => {
  process.env["NODE_ENV"] = "production";
});
afterAll(() => {
  process.env["NODE_ENV"] = before;
});

const environments = ["direct", "files", "indexedDb"] as const;

it.each(environments)(
  "a machine that counts for itself needs one call: %s",
  {
    timeout: 60_000,
  },
  async (environment) => {
    let runs = 0;
    const machine = defineMachine({
      name: "counter",
      version: 1,
      initial: () => ({ runs: 0 }),
      commands: {
        harmless(state) {
          state.runs = 0;
        },
        count(state) {
          state.runs = ++runs;
          return state.runs;
        },
      },
    });
    const call = (_random: unknown, number: number) => ({
      name: number % 5 === 1 ? "count" : "harmless",
    });
    const input = {
      seed: 7,
      options: { voters: 3, environment },
      workload: { machine, call },
    };
    const failing = await simulateAll(input);
    expect(failing.violation?.invariant).toBe("I20");
    const script = await shrink(failing, input);
    expect(script).toMatchObject([{ kind: "call", name: "count" }]);
    expect((await simulateAll({ ...input, script })).violation?.invariant).toBe("I20");
  },
);
