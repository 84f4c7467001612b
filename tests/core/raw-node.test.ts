import { describe, expect, it } from "vitest";
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
