/** The log in memory: bounded by the policy whatever happens, and long enough for followers that are a little slow. */
import { afterEach, describe, expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { BareNode } from "../../lib/runtime/bare-node.js";
import type { RaftNode } from "../../lib/runtime/raft-node.js";
import { openMemoryStore } from "../../lib/storage/memory.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import { openWalStore } from "../../lib/storage/wal-store.js";
import { createMemoryDisk, type MemoryDisk } from "../../lib/testing/disk.js";
import { bytes, openCluster, settle, type TestCluster, trackingClock } from "./cluster.js";
import { withSinks } from "./watched-sinks.js";

const MiB = 1024 * 1024;

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.closeAll();
  cluster = undefined;
});

const small = {
  entries: 1_000_000,
  bytes: 40_000,
  trailingEntries: 1_000_000,
  trailingBytes: 60_000,
  logBytesMax: 200_000,
};
const change = { snapshotPolicy: small, proposalBytesMax: 10_000 };

/** The most that any of the nodes had in memory, looked at whenever something happens and whenever asked. */
function watch(nodes: Iterable<RaftNode<number>>): () => number {
  let most = 0;
  const all = [...nodes];
  const look = (): void => {
    for (const node of all) most = Math.max(most, node.status().logBytes);
  };
  for (const node of all) node.observe(look);
  return () => {
    look();
    return most;
  };
}

/** Keeps a store's snapshots from being finished until `open` is called. */
function gated(): { wrap(store: OpenedStore): OpenedStore; open(): void; waiting(): number } {
  let open = (): void => {};
  let waiting = 0;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    open: () => open(),
    waiting: () => waiting,
    wrap: (store) =>
      withSinks(store, (sink) => ({
        async finish() {
          waiting++;
          await gate;
          await sink.finish();
        },
      })),
  };
}

async function write(
  at: TestCluster,
  count: number,
  length: number,
  look: () => unknown = () => {},
): Promise<void> {
  const { node } = await at.leader();
  for (let n = 0; n < count; n++) {
    await at.settled(node.propose(bytes(String(n).padEnd(length, "x"))));
    look();
  }
}

describe("the log in memory", () => {
  it("stays within snapshot, trailing bytes and what arrives meanwhile, at every node", async () => {
    cluster = await openCluster([1, 2, 3], { change });
    const most = watch([...cluster.nodes.values()].map(({ node }) => node));
    await write(cluster, 300, 4_000, most);
    const entry = 4_000 + 128;
    expect(most()).toBeGreaterThan(small.bytes);
    expect(most()).toBeLessThan(small.bytes + small.trailingBytes + 4 * entry);
    await cluster.until(() =>
      [...(cluster?.nodes.values() ?? [])].every(({ machine }) => machine.commands.length === 300),
    );
  });

  it("is bounded at a leader whose snapshot takes long: proposals are refused until it is written", async () => {
    const gate = gated();
    cluster = await openCluster([1], { change: { ...change, wrap: gate.wrap } });
    const { node } = await cluster.leader();
    const most = watch([node]);
    let taken = 0;
    const refused = async (): Promise<unknown> => {
      for (; taken < 100; taken++) {
        const error: unknown = await cluster?.settled(node.propose(bytes("x".repeat(9_000)))).then(
          () => undefined,
          (one: unknown) => one,
        );
        if (error !== undefined) return error;
      }
      return undefined;
    };
    expect(await refused()).toMatchObject({ code: "TOO_MUCH_LOG", outcome: "none" });
    expect(gate.waiting()).toBe(1);
    expect(most()).toBeGreaterThan(small.logBytesMax - 10_000);
    expect(most()).toBeLessThanOrEqual(small.logBytesMax);
    gate.open();
    await cluster.until(() => node.status().logBytes < small.logBytesMax / 2);
    expect(await refused()).toBeUndefined();
    expect(most()).toBeLessThanOrEqual(small.logBytesMax);
  });

  it("is bounded at a follower whose snapshot takes long: it lags, the others go on, it catches up", async () => {
    cluster = await openCluster([1, 2, 3], { change });
    const { node: slow } = await cluster.follower();
    await cluster.close(slow.id);
    const gate = gated();
    const again = await cluster.open(slow.id, { wrap: gate.wrap });
    if ((await cluster.leader()).node === again.node) {
      await cluster.settled(again.node.transferLeadership());
    }
    const most = watch([...cluster.nodes.values()].map(({ node }) => node));
    await write(cluster, 100, 4_000, most);
    const seen = { waiting: gate.waiting(), most: most(), has: again.machine.commands.length };
    gate.open();
    expect(seen.waiting).toBeGreaterThanOrEqual(1);
    expect(seen.most).toBeGreaterThan(small.logBytesMax - 10_000);
    expect(seen.has).toBeLessThan(60);
    await cluster.until(() => again.machine.commands.length === 100);
    expect(most()).toBeLessThanOrEqual(small.logBytesMax);
  });

  it("lets go of the log behind a snapshot that is being sent, where memory is short", async () => {
    cluster = await openCluster([1, 2, 3], { change });
    await write(cluster, 30, 4_000);
    const { node } = await cluster.leader();
    const gate = gated();
    const added = await cluster.open(4, { wrap: gate.wrap });
    await cluster.settled(node.addLearner(4));
    await cluster.until(() => gate.waiting() === 1);
    const most = watch([node]);
    await write(cluster, 100, 4_000, most);
    expect(most()).toBeLessThanOrEqual(small.logBytesMax);
    gate.open();
    await cluster.until(() => added.machine.commands.length === 130);
  });

  it("takes up another bound while it runs", async () => {
    cluster = await openCluster([1], { change: { proposalBytesMax: 10_000 } });
    const { node } = await cluster.leader();
    await write(cluster, 60, 4_000);
    expect(node.status().logBytes).toBeGreaterThan(small.logBytesMax);
    node.reload({ snapshotPolicy: { logBytesMax: small.logBytesMax } });
    await expect(node.propose(bytes("x"))).rejects.toMatchObject({ code: "TOO_MUCH_LOG" });
    await cluster.settled(node.snapshot());
    node.reload({ snapshotPolicy: small });
    await cluster.settled(node.barrier());
    await cluster.until(() => node.status().logBytes < small.logBytesMax / 2);
    await write(cluster, 10, 4_000);
  });

  it.each(["inline", "stored"] as const)(
    "is 64 MiB at most by default, with snapshots sent %s, in rooms and elsewhere",
    async (snapshotBodies) => {
      let snapshots = 0;
      const node = await BareNode.open<number>({
        id: 1,
        store: await openMemoryStore({}),
        machine: { apply: () => 1, snapshot: () => [bytes("state")], restore: () => {} },
        clock: trackingClock(),
        random: seededRandom(1),
        timing: { tickMs: 50, heartbeatTicks: 1, electionTicks: 10 },
        snapshotBodies,
        found: () => bytes("state"),
        events: {
          send: () => true,
          applied: () => {},
          restored: () => {},
          configured: () => {},
          softState: () => {},
          snapshotTaken: () => snapshots++,
          progressed: () => {},
          failed: (error) => {
            throw error;
          },
        },
      });
      node.start();
      node.campaign();
      await settle();
      const megabyte = new Uint8Array(MiB);
      let most = 0;
      // 400 MiB, eight at a time.
      for (let n = 0; n < 50; n++) {
        expect(node.propose(Array.from({ length: 8 }, () => megabyte))).toMatchObject({
          accepted: true,
        });
        most = Math.max(most, node.fullStatus().logBytes);
        await settle();
      }
      expect(snapshots).toBeGreaterThan(10);
      expect(most).toBeGreaterThan(32 * MiB);
      expect(most).toBeLessThanOrEqual(64 * MiB);
      await node.close();
    },
  );
});

describe("a follower that was away", () => {
  const sentSnapshots = async (trailingEntries: number): Promise<number> => {
    const policy = { entries: 20, trailingEntries, retained: 1 };
    cluster = await openCluster([1, 2, 3], { change: { snapshotPolicy: policy } });
    const { node } = await cluster.leader();
    const { node: away, machine } = await cluster.follower();
    let sent = 0;
    for (const each of cluster.nodes.values()) {
      each.node.observe(
        ({ type }) => {
          if (type === "snapshot") sent++;
        },
        (event) => event.type === "snapshot" && event.action === "sent",
      );
    }
    cluster.network.partition([...cluster.nodes.keys()].filter((id) => id !== away.id));
    await write(cluster, 50, 10);
    expect(node.status().snapshot?.index).toBeGreaterThan(30);
    cluster.network.heal();
    await cluster.until(() => machine.commands.length === 50);
    return sent;
  };

  it("a little is served from the entries kept behind the snapshot", async () => {
    expect(await sentSnapshots(100)).toBe(0);
  });

  it("for longer is sent a snapshot", async () => {
    expect(await sentSnapshots(5)).toBeGreaterThan(0);
  });
});

describe("a damaged snapshot", () => {
  const policy = { entries: 20, trailingEntries: 3 };
  const limits = { segmentBytes: 1_000, segmentsKept: 1 };

  /** A life with several snapshots, ended as by a kill. */
  async function lived(): Promise<{ disk: MemoryDisk; snapshots: string[] }> {
    const disk = createMemoryDisk();
    await life(disk, 90);
    const snapshots = disk.paths().filter((path) => path.endsWith(".snap"));
    return { disk: disk.crash("all", seededRandom(1)), snapshots };
  }

  async function life(disk: MemoryDisk, count: number): Promise<string[]> {
    const store = await openWalStore(disk.directory, limits, { trailingEntries: 0 });
    const opened = await openCluster([]);
    cluster = opened;
    const { machine } = await opened.open(1, {
      snapshotPolicy: policy,
      bootstrap: { voters: [1] },
      wrap: () => store,
    });
    await write(opened, count, 10);
    return machine.commands;
  }

  const spoil = (disk: MemoryDisk, path = ""): void => {
    const found = disk.bytes(path);
    found[20] = (found[20] ?? 0) ^ 1;
  };

  it("gives way to the one before, and the log covers the rest", async () => {
    const { disk, snapshots } = await lived();
    expect(snapshots).toHaveLength(2);
    const released = disk.paths().filter((path) => path.endsWith(".wal"));
    expect(released[0]).not.toContain("0000000000000000-");
    spoil(disk, snapshots[1]);
    const commands = await life(disk, 1);
    expect(commands).toHaveLength(91);
    expect(commands[89]).toContain("89");
  });

  it("of which there is no other refuses the start, by name", async () => {
    const { disk, snapshots } = await lived();
    for (const path of snapshots) spoil(disk, path);
    await expect(life(disk, 1)).rejects.toMatchObject({
      code: "STORAGE_FAILED",
      message: expect.stringMatching(/begins after entry \d+ and no snapshot/),
    });
  });
});

describe("a store that kept more than the policy allows", () => {
  it("is not taken into memory whole, and what of it is counts", async () => {
    const disk = createMemoryDisk();
    const limits = { segmentBytes: 300_000, segmentsKept: 100 };
    const life = async (count: number): Promise<[begin: number, most: number]> => {
      const store = await openWalStore(disk.directory, limits);
      cluster = await openCluster([]);
      const { node } = await cluster.open(1, {
        ...change,
        bootstrap: { voters: [1] },
        wrap: () => store,
      });
      const { logBytes } = node.status();
      const most = watch([node]);
      await write(cluster, count, 4_000, most);
      await cluster.closeAll();
      return [logBytes, most()];
    };
    await life(200);
    const bound = small.bytes + small.trailingBytes + 4 * 4_128;
    const [begin, most] = await life(60);
    expect(begin).toBeGreaterThan(small.trailingBytes / 2);
    expect(begin).toBeLessThan(bound);
    expect(most).toBeLessThan(bound);
  });
});
