/** Snapshots: taken, streamed to followers, broken off and resumed; backups, recovery, and machines of other kinds. */
import { afterEach, describe, expect, it } from "vitest";
import { hasState, readConfiguration } from "../../lib/runtime/looking-in.js";
import { recoverCluster } from "../../lib/runtime/recover.js";
import type { AppliedEntry, StateMachine } from "../../lib/runtime/state-machine.js";
import { openMemoryStore } from "../../lib/storage/memory.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import { breakingStore } from "./breaking-store.js";
import { bytes, Journal, type NodeChange, openCluster, type TestCluster } from "./cluster.js";

let cluster: TestCluster;
afterEach(async () => {
  await cluster.closeAll();
  expect(cluster.clock.timers()).toBe(0);
});

const policy = { entries: 20, bytes: 1 << 30, trailingEntries: 5 };

async function three(change: NodeChange = {}): Promise<TestCluster> {
  cluster = await openCluster([1, 2, 3], { change: { snapshotPolicy: policy, ...change } });
  return cluster;
}

async function write(count: number, length = 1): Promise<void> {
  const { node } = await cluster.leader();
  for (let i = 0; i < count; i += 10) {
    const commands = Array.from({ length: Math.min(10, count - i) }, (_, j) =>
      bytes(String(i + j).padEnd(length, "x")),
    );
    await cluster.settled(node.proposeAll(commands));
  }
}

const sameEverywhere = (): boolean => {
  const all = [...cluster.nodes.values()].map(({ machine }) => machine.commands.join());
  return new Set(all).size === 1;
};

describe("a snapshot", () => {
  it("is taken when due, cuts the log, and is what a node starts from", async () => {
    await three();
    await write(60);
    const { node } = await cluster.follower();
    await cluster.until(() => (node.status().snapshot?.index ?? 0) > 40);
    await cluster.close(node.id);
    const { entries } = await (
      await openMemoryStore({ medium: cluster.medium(node.id) })
    ).storage.load();
    expect(entries.length).toBeLessThan(40);
    const again = await cluster.open(node.id);
    await cluster.until(sameEverywhere);
    expect(again.machine.commands).toHaveLength(60);
  });

  it("is taken on demand, and not twice of the same state", async () => {
    await three();
    const { node } = await cluster.leader();
    await write(3);
    const first = await cluster.settled(node.snapshot());
    expect(first?.index).toBe(node.status().applied);
    expect(await cluster.settled(node.snapshot())).toEqual(first);
  });

  it("streams to a newcomer in chunks, with a window, and never inside a raft message", async () => {
    await three();
    await write(60, 40_000);
    const { node } = await cluster.leader();
    const added = await cluster.open(4);
    const sent: unknown[] = [];
    node.observe((event) => sent.push(event), ["snapshot"]);
    await cluster.settled(node.addLearner(4));
    await cluster.until(() => added.machine.commands.length === 60);
    await cluster.until(() => node.status().sendingSnapshots === 0);
    expect(sent).toContainEqual(expect.objectContaining({ action: "sent", peer: 4 }));
  });

  it("goes on where it was when the link broke midway", async () => {
    await three();
    await write(60, 40_000);
    const { node } = await cluster.leader();
    let written = 0;
    const added = await cluster.open(4, {
      wrap: (store: OpenedStore) => ({
        ...store,
        snapshots: {
          ...store.snapshots,
          write: async (metadata) => {
            const sink = await store.snapshots.write(metadata);
            return {
              ...sink,
              write: async (chunk) => {
                written += chunk.length;
                await sink.write(chunk);
              },
            };
          },
        },
      }),
    });
    await cluster.settled(node.addLearner(4));
    await cluster.until(() => written > 1_000_000);
    cluster.network.partition([1, 2, 3]);
    await cluster.pass(500);
    const before = written;
    expect(before).toBeLessThan(2_300_000);
    cluster.network.heal();
    await cluster.until(() => added.machine.commands.length === 60);
    // The body is 2.4 MB: had it begun again, much more than its length would have been written.
    expect(written).toBeLessThan(2_600_000);
  });

  it("starts over cleanly when the follower dies midway", async () => {
    await three();
    await write(60, 40_000);
    const { node } = await cluster.leader();
    await cluster.open(4);
    await cluster.settled(node.addLearner(4));
    await cluster.until(() => node.status().sendingSnapshots === 1);
    await cluster.pass(30);
    await cluster.close(4);
    const again = await cluster.open(4);
    expect(again.machine.commands).toEqual([]);
    await cluster.until(() => again.machine.commands.length === 60);
  });

  it("arrives over a network that loses and repeats", async () => {
    cluster = await openCluster([1, 2, 3], {
      lossPercent: 5,
      repeatPercent: 5,
      latencyMs: [1, 12],
      change: { snapshotPolicy: policy },
    });
    await write(60, 20_000);
    const { node } = await cluster.leader();
    const added = await cluster.open(4);
    await cluster.settled(node.addLearner(4)).catch(() => {});
    await cluster.until(() => added.machine.commands.length === 60);
  });

  it("shows the moment it was taken, whatever is applied while it is written", async () => {
    const machine = new Journal();
    cluster = await openCluster([1], { change: { journal: machine } });
    const { node } = await cluster.leader();
    await write(10);
    const taking = node.snapshot();
    await write(10);
    const metadata = await cluster.settled(taking);
    await cluster.close(1);
    const store = await openMemoryStore({ medium: cluster.medium(1) });
    const chunks: Uint8Array[] = [];
    for await (const chunk of store.snapshots.read(metadata as never)) chunks.push(chunk);
    expect(JSON.parse(new TextDecoder().decode(chunks.at(-1)))).toHaveLength(10);
  });
});

describe("a backup", () => {
  it("replaces the state everywhere at one point, in pieces", async () => {
    await three();
    await write(5);
    const { node } = await cluster.follower();
    const backup = bytes(JSON.stringify(["x".repeat(600_000), "old"]));
    await cluster.settled(node.restore(backup));
    await cluster.until(() => cluster.get(1).machine.commands.length === 2 && sameEverywhere());
    const { result } = await cluster.settled(node.propose(bytes("next")));
    expect(result).toBe(3);
  });

  it("survives a snapshot between its pieces and a restart", async () => {
    await three({ snapshotPolicy: { entries: 1, bytes: 1, trailingEntries: 0 } });
    const { node } = await cluster.follower();
    await cluster.settled(node.restore(bytes(JSON.stringify(["x".repeat(600_000)]))));
    await cluster.until(sameEverywhere);
    await cluster.close(node.id);
    const again = await cluster.open(node.id);
    await cluster.until(sameEverywhere);
    expect(again.machine.commands).toHaveLength(1);
  });

  it("that the machine does not take changes nothing, and its restorer is told", async () => {
    await three();
    await write(5);
    const { node } = await cluster.leader();
    await expect(cluster.settled(node.restore(bytes("nonsense")))).rejects.toMatchObject({
      code: "BAD_INPUT",
    });
    expect([...node.backup()]).toEqual([bytes('["0","1","2","3","4"]')]);
  });
});

describe("beginning and ending", () => {
  it("a live node without state can begin a cluster, once", async () => {
    cluster = await openCluster([]);
    const { node } = await cluster.open(1);
    await cluster.settled(node.bootstrap({ voters: [1], addresses: new Map([[1, "a:1"]]) }));
    await cluster.settled(node.propose(bytes("a")));
    expect(node.configuration.addresses.get(1)).toBe("a:1");
    await expect(node.bootstrap({ voters: [1] })).rejects.toMatchObject({ code: "BAD_INPUT" });
  });

  it("one survivor goes on with everything in its log, uncommitted entries included", async () => {
    await three();
    await write(7);
    const { node } = await cluster.leader();
    cluster.network.partition([node.id]);
    node.propose(bytes("uncommitted")).catch(() => {});
    await cluster.pass(20);
    for (const id of [1, 2, 3]) await cluster.close(id);
    const medium = cluster.medium(node.id);
    await recoverCluster({
      id: node.id,
      store: await openMemoryStore({ medium }),
      machine: new Journal(),
    });
    const again = await cluster.open(node.id);
    await cluster.settled(again.node.propose(bytes("new")));
    expect(again.machine.commands.slice(-2)).toEqual(["uncommitted", "new"]);
    expect(again.machine.commands).toHaveLength(9);
    expect(again.node.configuration.confState.voters).toEqual([node.id]);
  });

  it("an empty store is not recovered", async () => {
    cluster = await openCluster([]);
    const store = await openMemoryStore({});
    await expect(recoverCluster({ id: 1, store, machine: new Journal() })).rejects.toMatchObject({
      code: "BAD_INPUT",
    });
  });

  it("a node that is not named in a beginning does not make it, opened or live", async () => {
    cluster = await openCluster([]);
    await expect(cluster.open(5, { bootstrap: { voters: [2, 3] } })).rejects.toMatchObject({
      code: "BAD_CONFIG",
      message: expect.stringContaining("name this node (5)"),
    });
    const { node } = await cluster.open(1);
    await expect(node.bootstrap({ voters: [2, 3] })).rejects.toMatchObject({ code: "BAD_CONFIG" });
    await cluster.settled(node.bootstrap({ voters: [2], learners: [1] }));
    expect(node.configuration.confState).toMatchObject({ voters: [2], learners: [1] });
  });

  it("a live beginning whose store fails halts its node, which says so", async () => {
    cluster = await openCluster([]);
    const { node } = await cluster.open(1, { wrap: breakingStore(["append", 1]).wrap });
    await expect(node.bootstrap({ voters: [1] })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect(node.status().halted).toBe(true);
    await expect(node.propose(bytes("a"))).rejects.toMatchObject({ code: "HALTED" });
  });

  it("a store tells, while no node runs on it, whether it has a past and who its members were", async () => {
    cluster = await openCluster([]);
    const opened = () => openMemoryStore({ medium: cluster.medium(1) });
    expect(await hasState(await opened())).toBe(false);
    expect(await readConfiguration(await opened())).toBeUndefined();
    const { node } = await cluster.open(1, {
      bootstrap: { voters: [1], addresses: new Map([[1, "a:1"]]) },
    });
    await cluster.settled(node.propose(bytes("a")));
    await cluster.settled(node.snapshot());
    await cluster.settled(node.addLearner(2, "b:2"));
    await cluster.settled(node.setAddress(1, "c:3"));
    const { configuration } = node;
    await cluster.close(1);
    expect(await hasState(await opened())).toBe(true);
    expect(await readConfiguration(await opened())).toEqual(configuration);
    expect(configuration.confState.learners).toEqual([2]);
    expect([...configuration.addresses.values()]).toEqual(["c:3", "b:2"]);
    // Looking in changes nothing.
    const again = await cluster.open(1);
    expect((await cluster.settled(again.node.propose(bytes("b")))).result).toBe(2);
  });

  it("a survivor keeps what a backup in its log had restored", async () => {
    await three();
    await write(3);
    const { node } = await cluster.leader();
    await cluster.settled(node.restore(bytes(JSON.stringify(["restored"]))));
    await cluster.settled(node.propose(bytes("after")));
    await cluster.until(sameEverywhere);
    for (const id of [1, 2, 3]) await cluster.close(id);
    const machine = new Journal();
    const store = await openMemoryStore({ medium: cluster.medium(1) });
    await recoverCluster({ id: 1, store, machine });
    expect(machine.commands).toEqual(["restored", "after"]);
  });

  it.each([
    ["no voter", { voters: [] }],
    ["a voter twice", { voters: [1, 1] }],
    ["node 0", { voters: [0] }],
  ])("%s is no beginning", async (_, bootstrap) => {
    cluster = await openCluster([]);
    await expect(cluster.open(1, { bootstrap })).rejects.toMatchObject({ code: "BAD_CONFIG" });
  });
});

/** Keeps its state, and how far it got, outside of the node: as a database would. */
class Durable extends Journal {
  index = 0;
  override apply(entry: AppliedEntry): number {
    this.index = entry.index;
    return super.apply(entry);
  }
  appliedIndex(): number {
    return this.index;
  }
}

describe("a machine", () => {
  it("that keeps its own state is neither restored nor told twice", async () => {
    const machine = new Durable();
    cluster = await openCluster([1], { change: { journal: machine } });
    await write(5);
    await cluster.close(1);
    const { node } = await cluster.open(1);
    await cluster.settled(node.propose(bytes("next")));
    expect(machine.commands).toEqual(["0", "1", "2", "3", "4", "next"]);
  });

  it("that keeps its own state keeps what stands beside it too: addresses, times, its version", async () => {
    const machine = Object.assign(new Durable(), { version: 2 });
    cluster = await openCluster([]);
    const addresses = new Map([[1, "a:1"]]);
    const { node } = await cluster.open(1, {
      journal: machine,
      bootstrap: { voters: [1], addresses },
    });
    await write(2);
    await cluster.pass(500);
    await cluster.settled(node.snapshot());
    await write(2);
    await cluster.settled(node.addLearner(2, "b:2"));
    const before = node.status();
    expect(before.logTime).toBeGreaterThan(400);
    // Once from a snapshot and the log after it, of which the machine knows everything.
    await cluster.close(1);
    const again = await cluster.open(1, { journal: machine });
    await cluster.until(() => again.node.status().applied >= before.applied);
    const after = again.node.status();
    expect([...after.configuration.addresses.values()]).toEqual(["a:1", "b:2"]);
    expect(after.configuration.index).toBe(before.configuration.index);
    expect(after.machineVersion).toBe(2);
    expect(after.logTime).toBe(before.logTime);
    expect(machine.commands).toHaveLength(4);
  });

  it("that keeps its own state is neither migrated twice, nor given a backup twice", async () => {
    const migrations: number[] = [];
    const machine = Object.assign(new Durable(), {
      version: 1,
      migrate: (to: number) => migrations.push(to),
    });
    cluster = await openCluster([1], { change: { journal: machine } });
    await write(2);
    await cluster.settled(cluster.get(1).node.snapshot());
    await cluster.close(1);
    machine.version = 2;
    const { node } = await cluster.open(1);
    await cluster.until(() => node.status().machineVersion === 2);
    await cluster.settled(node.restore(bytes(JSON.stringify(["backup"]))));
    await cluster.settled(node.propose(bytes("after")));
    await cluster.close(1);
    const again = await cluster.open(1);
    await cluster.settled(again.node.propose(bytes("again")));
    expect(migrations).toEqual([2]);
    expect(machine.commands).toEqual(["backup", "after", "again"]);
    expect(again.node.status().machineVersion).toBe(2);
  });

  it("that takes batches gets them, with a result for each", async () => {
    const sizes: number[] = [];
    const machine = new Journal() as Journal & StateMachine<number>;
    machine.applyBatch = (entries) => {
      sizes.push(entries.length);
      return entries.map((entry) => machine.apply(entry));
    };
    cluster = await openCluster([1], { change: { journal: machine } });
    const { node } = await cluster.leader();
    const applied = await cluster.settled(node.proposeAll(["a", "b", "c"].map(bytes)));
    expect(applied.map(({ result }) => result)).toEqual([1, 2, 3]);
    expect(sizes).toEqual([3]);
  });

  it("that throws halts its node with a dump, and the rest go on", async () => {
    await three();
    const { node, machine } = await cluster.follower();
    const halts: unknown[] = [];
    node.observe((event) => halts.push(event), ["halted"]);
    machine.apply = () => {
      throw new Error("a defect");
    };
    await write(1);
    await cluster.until(() => node.status().halted);
    expect(halts).toEqual([
      expect.objectContaining({
        halt: expect.objectContaining({
          error: expect.objectContaining({ code: "HALTED", outcome: "unknown" }),
          status: expect.objectContaining({ id: node.id }),
          log: expect.any(Array),
        }),
      }),
    ]);
    await expect(node.propose(bytes("b"))).rejects.toMatchObject({
      code: "HALTED",
      outcome: "none",
    });
  });
});
