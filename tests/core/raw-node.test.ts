import { describe, expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { foundingState } from "../../lib/core/config.js";
import { Cluster, confStateOf, Disk } from "./cluster.js";

describe("three nodes", () => {
  it("elect one leader by time alone, and replicate what it is told", () => {
    const cluster = new Cluster(3);
    cluster.tick(30);
    expect(cluster.leaders()).toHaveLength(1);
    cluster.propose(cluster.leaders()[0] as number, "a");
    cluster.propose(cluster.leaders()[0] as number, "b");
    for (const peer of cluster.peers.values()) expect(peer.commands).toEqual(["a", "b"]);
  });

  it("go on without a leader that is cut off, and take it back", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.isolate(1);
    cluster.tick(40);
    const [leader] = cluster.leaders();
    expect(leader).toBeGreaterThan(1);
    cluster.propose(leader as number, "c");
    cluster.heal();
    cluster.tick(5);
    expect(cluster.peer(1).commands).toEqual(["c"]);
  });

  it("send a snapshot to a follower whose entries are compacted", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.isolate(3);
    for (const command of ["a", "b", "c"]) cluster.propose(1, command);
    cluster.node(1).compacted(3);
    cluster.heal();
    cluster.tick(3);
    expect(cluster.count("MsgSnap", 3)).toBe(1);
    expect(cluster.peer(3).commands).toEqual(["a", "b", "c"]);
  });
});

describe("a cluster is founded by one node", () => {
  it("and whoever joins is sent a snapshot, with the configuration in it", () => {
    const cluster = new Cluster(0);
    const founder = new Disk(confStateOf([1]));
    Object.assign(founder, foundingState(confStateOf([1])));
    cluster.add(1, founder);
    cluster.add(2, new Disk(confStateOf([])));
    cluster.elect(1);
    cluster.propose(1, "a");
    cluster.node(1).proposeConfChange({
      transition: "auto",
      changes: [{ type: "ConfChangeAddLearnerNode", nodeId: 2 }],
      context: new Uint8Array(0),
      unknown: undefined,
    });
    cluster.settle();
    cluster.tick(2);
    expect(cluster.count("MsgSnap", 2)).toBe(1);
    expect(cluster.peer(2).commands).toEqual(["a"]);
    expect(cluster.node(2).status().confState).toEqual(confStateOf([1], [2]));
  });
});

describe("ticks", () => {
  it("before the one that is due do nothing but count; that one does something", () => {
    const cluster = new Cluster(4, { electionTicks: 10, heartbeatTicks: 3 }, [4]);
    const random = seededRandom(11);
    let elections = 0;
    let heartbeats = 0;
    for (let step = 0; step < 3000; step++) {
      const node = cluster.node(1 + random.below(4));
      const before = node.ticksUntilDue;
      const { role } = node.basicStatus();
      node.tick();
      if (before > 1) {
        expect([node.hasReady(), node.ticksUntilDue]).toEqual([false, before - 1]);
      } else if (role !== "leader") {
        elections++;
        expect(node.hasReady()).toBe(true);
      } else if (node.hasReady()) heartbeats++;
      if (random.below(50) === 0) cluster.lose = () => random.below(2) === 0;
      if (random.below(50) === 0) cluster.heal();
      cluster.settle();
    }
    expect(cluster.node(4).ticksUntilDue).toBe(Number.POSITIVE_INFINITY);
    expect(elections).toBeGreaterThan(10);
    expect(heartbeats).toBeGreaterThan(100);
  });

  it("are changed while running, and counted anew", () => {
    const cluster = new Cluster(3, { electionTicks: 10, heartbeatTicks: 1 });
    cluster.elect(1);
    for (const id of [1, 2, 3]) cluster.node(id).setTicks(5, 20);
    expect(cluster.node(1).ticksUntilDue).toBe(5);
    for (const id of [2, 3]) {
      expect(cluster.node(id).ticksUntilDue).toBeGreaterThanOrEqual(20);
      expect(cluster.node(id).ticksUntilDue).toBeLessThan(40);
    }
    cluster.tick(200);
    expect([cluster.leaders(), cluster.node(1).basicStatus().term]).toEqual([[1], 1]);
  });

  it.each([
    [{ reads: "lease" as const }, 1, 10, /while reads are "safe"/],
    [{}, 10, 10, /heartbeatTicks must be below electionTicks \(10\), got 10/],
    [{}, 0, 10, /heartbeatTicks must be a whole number above 0, got 0/],
    [{}, 1, 2.5, /electionTicks must be a whole number above 0, got 2.5/],
  ])(
    "are not changed against the rules: %o, %d and %d",
    (options, heartbeat, election, message) => {
      const cluster = new Cluster(1, { electionTicks: 10, heartbeatTicks: 1, ...options });
      const before = cluster.node(1).ticksUntilDue;
      expect(() => cluster.node(1).setTicks(heartbeat, election)).toThrow(message);
      expect(cluster.node(1).ticksUntilDue).toBe(before);
    },
  );
});
