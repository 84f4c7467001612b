/** Every order of a few events on three real cores. */
import { describe, expect, it } from "vitest";
import { noBytes } from "../../lib/core/types.js";
import { explore, type Scope } from "../../lib/testing/explorer.js";

const small: Scope = {
  voters: [1, 2, 3],
  others: [],
  depthMax: 40,
  statesMax: 1_000_000,
  timeouts: 0,
  crashes: 0,
  proposals: 0,
  duplicates: 0,
  changes: [],
};

describe("three nodes", () => {
  it("one election, completely", { timeout: 120_000 }, () => {
    const { states, complete } = explore({ ...small, timeouts: 1, depthMax: 30, voters: [1, 2] });
    expect(complete).toBe(true);
    expect(states).toBeGreaterThan(10);
  });

  it("two elections, a crash and a command, to a depth of eight", { timeout: 120_000 }, () => {
    const { states } = explore({
      ...small,
      timeouts: 2,
      crashes: 1,
      proposals: 1,
      depthMax: 8,
      statesMax: 15_000,
    });
    expect(states).toBeGreaterThan(2_000);
  });

  it("a change of one voter, from a cluster of one to two, completely", {
    timeout: 120_000,
  }, () => {
    const { states, complete } = explore({
      ...small,
      voters: [1],
      others: [2],
      timeouts: 2,
      crashes: 1,
      changes: [
        {
          transition: "auto",
          changes: [{ type: "ConfChangeAddNode", nodeId: 2 }],
          context: noBytes,
          unknown: undefined,
        },
      ],
      statesMax: 30_000,
    });
    expect(states).toBeGreaterThan(50);
    expect(typeof complete).toBe("boolean");
  });
});
