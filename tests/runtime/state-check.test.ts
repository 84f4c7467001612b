/** Replicas that came to differ: found by hashes at one entry, judged by the majority, mended from a snapshot. */
import { afterEach, describe, expect, it, test } from "vitest";
import { requestFrame } from "../../lib/runtime/frames.js";
import type { NodeEvent } from "../../lib/runtime/node-events.js";
import { hashState, judge, type StateHash } from "../../lib/runtime/state-check.js";
import { createVirtualClock } from "../../lib/testing/virtual-clock.js";
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

it("a large state is hashed in slices, with other timers in between", () => {
  const clock = createVirtualClock();
  let given = 0;
  const chunks = function* (): Iterable<Uint8Array> {
    for (; given < 20; given++) yield new Uint8Array(1024 * 1024).fill(given);
  };
  const hashes: StateHash[] = [];
  const seen: number[] = [];
  const look = (): void => {
    seen.push(given);
    if (hashes.length === 0) clock.after(0, look);
  };
  hashState(
    clock,
    { id: 3, index: 4, chunks: chunks() },
    (done) => hashes.push(done),
    (error) => expect(error).toBeUndefined(),
  );
  clock.after(0, look);
  clock.advance(1);
  expect(hashes).toMatchObject([{ id: 3, index: 4, length: 20 * 1024 * 1024 }]);
  const steps = seen.map((count, at) => count - (seen[at - 1] ?? 0));
  expect(Math.max(...steps)).toBeLessThanOrEqual(2);
});

it("a hash that is called off is not told, and a state that cannot be walked is a failure", () => {
  const clock = createVirtualClock();
  const told: unknown[] = [];
  const tell = (what: unknown): void => {
    told.push(what);
  };
  hashState(clock, { id: 1, index: 1, chunks: [bytes("x")] }, tell, tell)();
  clock.advance(1);
  expect(told).toEqual([]);
  const broken = function* (): Iterable<Uint8Array> {
    yield bytes("x");
    throw new Error("a defect");
  };
  hashState(clock, { id: 1, index: 1, chunks: broken() }, tell, tell);
  clock.advance(1);
  expect(told).toEqual([expect.objectContaining({ message: "a defect" })]);
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

  const isRequest = (frame: Uint8Array): boolean => frame[0] === requestFrame;

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

  it("is made by leaders themselves, after so many of their snapshots", async () => {
    cluster = await openCluster([1, 2, 3], {
      change: {
        snapshotPolicy: { entries: 10, bytes: 1 << 20, trailingEntries: 5 },
        checkEverySnapshots: 2,
      },
    });
    const { node } = await cluster.leader();
    const other = await cluster.follower();
    const events: NodeEvent[] = [];
    other.node.observe((event) => events.push(event), ["diverged"]);
    const write = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await cluster.settled(node.propose(bytes(`c${i}`)));
    };
    await write(5);
    other.machine.commands[2] = "a cosmic ray";
    await write(10);
    await cluster.pass(100);
    // One snapshot was taken since: not yet.
    expect(events).toEqual([]);
    await write(10);
    await cluster.until(() => events.length === 1);
    expect(events[0]).toMatchObject({ verdict: { minority: [other.node.id] } });
    await cluster.until(() => !other.machine.commands.includes("a cosmic ray"));
    await write(1);
    await cluster.until(
      () =>
        new Set([...cluster.nodes.values()].map((each) => each.machine.commands.join())).size === 1,
    );
  });

  it("is not made where it is switched off", async () => {
    cluster = await openCluster([1, 2, 3], {
      change: {
        snapshotPolicy: { entries: 5, bytes: 1 << 20, trailingEntries: 5 },
        checkEverySnapshots: 0,
      },
    });
    const other = await cluster.follower();
    const { node } = await cluster.leader();
    for (let i = 0; i < 5; i++) await cluster.settled(node.propose(bytes(`c${i}`)));
    await cluster.until(() => other.machine.commands.length === 5);
    other.machine.commands[2] = "a cosmic ray";
    for (let i = 0; i < 60; i++) await cluster.settled(node.propose(bytes(`d${i}`)));
    await cluster.pass(500);
    expect(other.machine.commands[2]).toBe("a cosmic ray");
  });

  it("finds a learner that differs, and mends it", async () => {
    const { node } = await (await filled()).leader();
    await cluster.open(4);
    await cluster.settled(node.addLearner(4));
    const { machine } = cluster.get(4);
    await cluster.until(() => machine.commands.length === 5);
    machine.commands[0] = "a cosmic ray";
    expect((await cluster.settled(node.checkState())).minority).toEqual([4]);
    await cluster.until(() => machine.commands.join() === sound.join());
  });

  it("does not judge who is out of reach, nor cry where only itself answered", async () => {
    const { node } = await (await filled()).leader();
    const other = await cluster.follower();
    other.machine.commands[2] = "a cosmic ray";
    const events: NodeEvent[] = [];
    node.observe((event) => events.push(event), ["diverged"]);
    // Their words get lost, what the leader needs to lead does not.
    for (const id of [1, 2, 3]) {
      if (id !== node.id) cluster.tamper(id, (frame) => (isRequest(frame) ? undefined : frame));
    }
    const verdict = await cluster.settled(node.checkState());
    expect(verdict).toMatchObject({ answered: [node.id], states: 1, minority: undefined });
    expect(events).toEqual([]);
    cluster.tamper(other.node.id, (frame) => frame);
    expect((await cluster.settled(node.checkState())).states).toBe(2);
    expect(events).toHaveLength(1);
    expect(other.machine.commands[2]).toBe("a cosmic ray");
  });

  it("ends when its node is closed, and when it is begun twice the second is told", async () => {
    const { node } = await (await filled()).leader();
    const checking = node.checkState();
    await expect(node.checkState()).rejects.toMatchObject({ reason: "inProgress" });
    const ended = expect(checking).rejects.toMatchObject({ code: "CLOSED" });
    await cluster.close(node.id);
    await ended;
  });

  it("is the leader's to begin", async () => {
    const { node } = await (await filled()).follower();
    await expect(node.checkState()).rejects.toMatchObject({ code: "NOT_LEADER" });
  });
});
