import { describe, expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { type Config, completeConfig } from "../../lib/core/config.js";
import { RawNode } from "../../lib/core/raw-node.js";

const least: Config = { id: 1, random: seededRandom(1), snapshot: () => undefined };

describe("a config", () => {
  it("needs a name, randomness and snapshots; the rest has defaults", () => {
    expect(completeConfig(least)).toMatchObject({
      electionTicks: 10,
      heartbeatTicks: 1,
      minElectionTicks: 10,
      maxElectionTicks: 20,
      preVote: true,
      checkQuorum: true,
      reads: "safe",
      stepDownOnRemoval: true,
      voteRequests: "afterPersist",
      applyUnpersisted: { entries: 0, roles: "all" },
      logBytesMax: 64 * 1024 * 1024,
    });
    expect(completeConfig({ ...least, appendBytesMax: 0 })).toMatchObject({
      appendBytesMax: 0,
      applyBytesMax: 1,
    });
  });

  it.each<{ field: string; given: Partial<Config>; rule: string }>([
    { field: "id", given: { id: 0 }, rule: "id must be an integer in [1, 2^53-1], got 0" },
    { field: "id", given: { id: -1 }, rule: "id must be an integer in [1, 2^53-1], got -1" },
    {
      field: "id",
      given: { id: 2 ** 53 },
      rule: "id must be an integer in [1, 2^53-1], got 9007199254740992",
    },
    {
      field: "heartbeatTicks",
      given: { heartbeatTicks: 0 },
      rule: "heartbeatTicks must be a whole number above 0, got 0",
    },
    {
      field: "heartbeatTicks",
      given: { heartbeatTicks: 12 },
      rule: "heartbeatTicks must be below electionTicks (10), got 12",
    },
    {
      field: "electionTicks",
      given: { electionTicks: 1.5 },
      rule: "electionTicks must be a whole number above 0, got 1.5",
    },
    {
      field: "minElectionTicks",
      given: { minElectionTicks: 9 },
      rule: "minElectionTicks must be at least electionTicks (10), got 9",
    },
    {
      field: "maxElectionTicks",
      given: { maxElectionTicks: 10 },
      rule: "maxElectionTicks must be above minElectionTicks (10), got 10",
    },
    {
      field: "reads",
      given: { reads: "lease", checkQuorum: false },
      rule: 'reads must be "safe" unless checkQuorum is on, got lease',
    },
    {
      field: "reads",
      given: { reads: "fast" as "safe" },
      rule: 'reads must be "safe" or "lease", got fast',
    },
    {
      field: "readsMax",
      given: { readsMax: 0 },
      rule: "readsMax must be a whole number above 0, got 0",
    },
    {
      field: "priority",
      given: { priority: Number.NaN },
      rule: "priority must be a safe integer, got NaN",
    },
    {
      field: "appendBytesMax",
      given: { appendBytesMax: -1 },
      rule: "appendBytesMax must be a whole number of at least 0, or Infinity, got -1",
    },
    {
      field: "inflightAppendsMax",
      given: { inflightAppendsMax: 0 },
      rule: "inflightAppendsMax must be a whole number of at least 1, or Infinity, got 0",
    },
    {
      field: "inflightBytesMax",
      given: { inflightBytesMax: 0, appendBytesMax: 0 },
      rule: "inflightBytesMax must be a whole number of at least 1, or Infinity, got 0",
    },
    {
      field: "inflightBytesMax",
      given: { inflightBytesMax: 5, appendBytesMax: 9 },
      rule: "inflightBytesMax must be at least appendBytesMax (9), got 5",
    },
    {
      field: "applyBytesMax",
      given: { applyBytesMax: -5 },
      rule: "applyBytesMax must be a whole number of at least 1, or Infinity, got -5",
    },
    {
      field: "uncommittedBytesMax",
      given: { uncommittedBytesMax: -1 },
      rule: "uncommittedBytesMax must be a whole number of at least 0, or Infinity, got -1",
    },
    {
      field: "logBytesMax",
      given: { logBytesMax: 0 },
      rule: "logBytesMax must be a whole number of at least 1, or Infinity, got 0",
    },
    {
      field: "applyUnpersisted",
      given: { applyUnpersisted: { entries: -1, roles: "all" } },
      rule: "applyUnpersisted.entries must be a whole number of at least 0, or Infinity, got -1",
    },
    {
      field: "applyUnpersisted",
      given: { applyUnpersisted: { entries: 1, roles: "some" as "all" } },
      rule: 'applyUnpersisted.roles must be "leader" or "all", got some',
    },
    {
      field: "voteRequests",
      given: { voteRequests: "later" as "atOnce" },
      rule: 'voteRequests must be "afterPersist" or "atOnce", got later',
    },
    {
      field: "random",
      given: { random: {} as Config["random"] },
      rule: "random must have a method below(), got [object Object]",
    },
    {
      field: "snapshot",
      given: { snapshot: 1 as unknown as Config["snapshot"] },
      rule: "snapshot must be a function, got 1",
    },
  ])("is refused with field, rule and value: $rule", ({ given, rule }) => {
    const make = () => new RawNode({ ...least, ...given });
    expect(make).toThrow(expect.objectContaining({ code: "BAD_CONFIG", message: rule }));
  });

  it("is checked as well where it is changed while running", () => {
    const node = new RawNode(least);
    expect(() => node.setApplyBytesMax(0)).toThrow(/applyBytesMax must/);
    expect(() => node.setApplyUnpersisted(-1)).toThrow(/applyUnpersisted.entries must/);
    expect(() => node.setInflightAppendsMax(2, -1)).toThrow(/inflightAppendsMax must/);
    expect(() => node.setPriority(0.5)).toThrow(/priority must/);
  });
});
