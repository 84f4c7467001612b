/** Replicas that came to differ: found by hashes at one entry, judged by the majority, mended from a snapshot. */
import { afterEach, describe, expect, it, test } from "vitest";
import type { NodeEvent } from "../../lib/runtime/node-events.js";
import { judge, type StateHash } from "../../lib/runtime/state-check.js";
import { bytes, openCluster, type TestCluster } from "./cluster.js";

const hash = (crc: number): StateHash => ({ id: 1, index: 5, length: 9, crc });

test.each([
  ["all alike", { 1: 7, 2: 7, 3: 7 }, []],
  ["one differs", { 1: 7, 2: 8, 3: 7 }, [2]],
  ["one has not answered", { 1: 7, 3: 7 }, []],
  ["two answers of three differ", { 1: 7, 3: 8 }, undefined],
  ["all differ", { 1: 7, 2: 8, 3: 9 }, undefined],
  ["a learner differs", { 1: 7, 2: 7, 3: 7, 4: 8 }, [4]],
  ["learners do not make a majority", { 1: 7, 4: 8, 5: 8 }, undefined],
])("%s", (_, crcs, minority) => {
  const hashes = new Map(Object.entries(crcs).map(([id, crc]) => [Number(id), hash(crc)]));
  expect(judge(5, [1, 2, 3], hashes).minority).toEqual(minority);
});

describe("over a cluster", () => {
  let cluster: TestCluster;
  afterEach(async () => {
    await cluster.closeAll();
    expect(cluster.clock.timers()).toBe(0);
  });

  async function filled(): Promise<TestCluster> {
    cluster = await openCluster([1, 2, 3]);
    const { node } = await cluster.leader();
    for (let i = 0; i < 5; i++) await cluster.settled(node.propose(bytes(`c${i}`)));
    await cluster.until(() =>
      [...cluster.nodes.values()].every(({ machine }) => machine.commands.length === 5),
    );
    return cluster;
  }

  const sound = ["c0", "c1", "c2", "c3", "c4"];

  it("finds nothing where there is nothing", async () => {
    const { node } = await (await filled()).leader();
    const verdict = await cluster.settled(node.checkState());
    expect(verdict).toMatchObject({ minority: [] });
    expect([...verdict.answered].sort()).toEqual([1, 2, 3]);
  });

  it("a follower that differs restores the majority's state, and says so", async () => {
    const { node } = await (await filled()).leader();
    const other = await cluster.follower();
    other.machine.commands[2] = "a cosmic ray";
    const events: NodeEvent[] = [];
    other.node.observe((event) => events.push(event), ["diverged"]);
    const verdict = await cluster.settled(node.checkState());
    expect(verdict.minority).toEqual([other.node.id]);
    await cluster.until(() => other.machine.commands.join() === sound.join());
    expect(events).toHaveLength(1);
    expect((await cluster.settled(node.checkState())).minority).toEqual([]);
  });

  it("a leader that differs hands over, and is mended by its successor", async () => {
    const { node, machine } = await (await filled()).leader();
    machine.commands[2] = "a cosmic ray";
    expect((await cluster.settled(node.checkState())).minority).toEqual([node.id]);
    await cluster.until(() => !node.isLeader && node.leader !== 0);
    await cluster.until(() => machine.commands.join() === sound.join());
  });

  it("without a majority nobody restores", async () => {
    const { node } = await (await filled()).leader();
    for (const [id, { machine }] of cluster.nodes) machine.commands[2] = `ray ${id}`;
    expect((await cluster.settled(node.checkState())).minority).toBeUndefined();
    await cluster.pass(500);
    expect(
      new Set([...cluster.nodes.values()].map(({ machine }) => machine.commands[2])).size,
    ).toBe(3);
  });

  it("is the leader's to begin", async () => {
    const { node } = await (await filled()).follower();
    await expect(node.checkState()).rejects.toMatchObject({ code: "NOT_LEADER" });
  });
});
