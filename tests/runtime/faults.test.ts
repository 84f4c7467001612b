/** Faults: what the caller sees, and that nothing acknowledged is lost. */
import { afterEach, describe, expect, it } from "vitest";
import { isLogboomError, LogboomError } from "../../lib/base/errors.js";
import { seededRandom } from "../../lib/base/random.js";
import { packFrame, raftFrame, requestFrame, transferFrame } from "../../lib/runtime/frames.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import { openWalStore } from "../../lib/storage/wal-store.js";
import { createMemoryDisk } from "../../lib/testing/disk.js";
import { bytes, Journal, openCluster, type TestCluster } from "./cluster.js";

let cluster: TestCluster;
afterEach(async () => {
  await cluster.closeAll();
  expect(cluster.clock.timers()).toBe(0);
});

/** Proposes until `count` commands were acknowledged, through whoever leads; returns those that were. */
async function acknowledge(count: number): Promise<string[]> {
  const done: string[] = [];
  for (let i = 0; done.length < count && i < 10 * count; i++) {
    const node = [...cluster.nodes.values()].find((each) => !each.node.status().halted)?.node;
    const ended = await Promise.allSettled([
      cluster.settled(node?.propose(bytes(`c${i}`)) ?? Promise.reject()),
    ]);
    if (ended[0]?.status === "fulfilled") done.push(`c${i}`);
    else expect(isLogboomError(ended[0]?.reason)).toBe(true);
  }
  expect(done).toHaveLength(count);
  return done;
}

function holdsAll(acknowledged: readonly string[]): boolean {
  return [...cluster.nodes.values()]
    .filter(({ node }) => !node.status().halted)
    .every(({ machine }) => acknowledged.every((command) => machine.commands.includes(command)));
}

describe("a store", () => {
  it.each([1, 2, 3, 4, 5, 6, 8, 11, 15, 20])(
    "that fails at write %i of one node stops that node and loses nothing",
    async (failing) => {
      let writes = 0;
      cluster = await openCluster([1, 2, 3], {
        change: { snapshotPolicy: { entries: 6, bytes: 1 << 20, trailingEntries: 2 } },
      });
      await cluster.close(1);
      await cluster
        .open(1, {
          wrap: (store: OpenedStore) => ({
            ...store,
            storage: {
              ...store.storage,
              append: async (write) => {
                if (++writes >= failing) throw new LogboomError("STORAGE_FAILED", "no space left");
                await store.storage.append(write);
              },
            },
          }),
        })
        .catch(() => {});
      const acknowledged = await acknowledge(12);
      await cluster.until(() => holdsAll(acknowledged));
      const { node } = cluster.get(1);
      await cluster.until(() => node.status().halted);
      await expect(node.propose(bytes("x"))).rejects.toMatchObject({
        code: "HALTED",
        outcome: "none",
      });
    },
  );

  it.each(["write", "finish", "compact"] as const)(
    "whose snapshots fail at %s stops its node, which hands over, and loses nothing",
    async (where) => {
      let broken = false;
      const fail = async (): Promise<never> => {
        throw new LogboomError("STORAGE_FAILED", "no space left");
      };
      cluster = await openCluster([1, 2, 3], {
        change: { snapshotPolicy: { entries: 5, bytes: 1 << 20, trailingEntries: 2 } },
      });
      await cluster.close(1);
      const { node } = await cluster.open(1, {
        wrap: (store: OpenedStore) => ({
          ...store,
          storage: {
            ...store.storage,
            compact: (...args) =>
              broken && where === "compact" ? fail() : store.storage.compact(...args),
          },
          snapshots: {
            ...store.snapshots,
            write: async (metadata) => {
              const sink = await store.snapshots.write(metadata);
              if (!broken || where === "compact") return sink;
              return { ...sink, [where]: fail };
            },
          },
        }),
      });
      broken = true;
      const acknowledged = await acknowledge(12);
      await cluster.until(() => node.status().halted && holdsAll(acknowledged));
    },
  );

  it("that cannot be loaded fails the opening, and leaves no timer", async () => {
    cluster = await openCluster([]);
    await expect(
      cluster.open(1, {
        wrap: (store: OpenedStore) => ({
          ...store,
          storage: {
            ...store.storage,
            load: async () => {
              throw new LogboomError("STORAGE_FAILED", "damaged");
            },
          },
        }),
      }),
    ).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  it("that lost a part does not go on under the old id, however often it is tried", async () => {
    const disk = createMemoryDisk();
    const open = async (): Promise<void> => {
      cluster = await openCluster([]);
      const store = await openWalStore(disk.directory, { segmentBytes: 10_000, segmentsKept: 5 });
      await cluster.open(1, { wrap: () => store, bootstrap: { voters: [1] } });
    };
    await open();
    await acknowledge(3);
    await cluster.close(1);
    for (const path of disk.paths()) if (path.endsWith(".wal")) disk.remove(path);
    for (const _ of [1, 2]) {
      await expect(open()).rejects.toMatchObject({
        code: "STORE_WENT_BACK",
        message: expect.stringMatching(/node 1 took .*the log was gone.* with another id/),
      });
    }
  });

  it("whose snapshot is damaged fails the opening", async () => {
    cluster = await openCluster([1]);
    const { node } = await cluster.leader();
    await cluster.settled(node.propose(bytes("a")));
    await cluster.settled(node.snapshot());
    await cluster.close(1);
    const medium = cluster.medium(1);
    medium.snapshots = medium.snapshots.map((one) => ({ ...one, chunks: [bytes("rubbish")] }));
    await expect(cluster.open(1)).rejects.toMatchObject({ code: "DECODE" });
  });

  it("whose snapshot cannot be read for a follower stops a leader, and another sends its own", async () => {
    cluster = await openCluster([1, 2, 3], {
      change: { snapshotPolicy: { entries: 5, bytes: 1 << 20, trailingEntries: 0 } },
    });
    const acknowledged = await acknowledge(20);
    const { node } = await cluster.leader();
    await cluster.close(node.id);
    const again = await cluster.open(node.id, {
      wrap: (store: OpenedStore) => {
        let reads = 0;
        return {
          ...store,
          snapshots: {
            ...store.snapshots,
            async *read(metadata) {
              if (reads++ > 0) throw new LogboomError("STORAGE_FAILED", "a bad block");
              yield* store.snapshots.read(metadata);
            },
          },
        };
      },
    });
    await cluster.leader();
    if (!again.node.isLeader) {
      await cluster.settled((await cluster.leader()).node.transferLeadership({ to: node.id }));
    }
    const added = await cluster.open(4);
    await Promise.allSettled([cluster.settled(again.node.addLearner(4))]);
    await cluster.until(() => again.node.status().halted);
    await cluster.until(() => acknowledged.every((one) => added.machine.commands.includes(one)));
  });
});

describe("a snapshot that is corrupt", () => {
  const isChunk = (frame: Uint8Array): boolean => frame[0] === transferFrame && frame[1] === 2;

  /** Node 3 has slept until only a snapshot can help it. */
  async function leftBehind(): Promise<{
    readonly acknowledged: string[];
    readonly leader: number;
  }> {
    cluster = await openCluster([1, 2, 3], {
      change: { snapshotPolicy: { entries: 5, bytes: 1 << 20, trailingEntries: 0 } },
    });
    await cluster.close(3);
    const acknowledged = await acknowledge(20);
    return { acknowledged, leader: (await cluster.leader()).node.id };
  }

  it("on its way is noticed by its checksum and sent again; nothing of it is restored", async () => {
    const { acknowledged, leader } = await leftBehind();
    let spoilt = 0;
    cluster.tamper(leader, (frame) => {
      if (!isChunk(frame) || spoilt >= 2) return frame;
      spoilt += 1;
      const other = frame.slice();
      other[other.length - 1] = (other[other.length - 1] as number) ^ 1;
      return other;
    });
    const restored: string[] = [];
    const journal = new Journal();
    const restore = journal.restore.bind(journal);
    journal.restore = (body) => {
      restored.push(new TextDecoder().decode(body));
      restore(body);
    };
    const { node, machine } = await cluster.open(3, { journal });
    await cluster.until(() => acknowledged.every((command) => machine.commands.includes(command)));
    expect(spoilt).toBe(2);
    expect(node.status().halted).toBe(false);
    for (const body of restored) expect(() => JSON.parse(body)).not.toThrow();
  });

  it("that claims another length, or misses a part, is not taken either", async () => {
    const { acknowledged, leader } = await leftBehind();
    let cut = 0;
    cluster.tamper(leader, (frame) => {
      if (!isChunk(frame) || cut >= 2) return frame;
      cut += 1;
      return frame.subarray(0, frame.length - 5);
    });
    const { node, machine } = await cluster.open(3);
    await cluster.until(() => acknowledged.every((command) => machine.commands.includes(command)));
    expect(cut).toBe(2);
    expect(node.status().halted).toBe(false);
  });

  it("at its sender, from which no machine can restore, halts who receives it and nobody else", async () => {
    const { acknowledged, leader } = await leftBehind();
    const snapshot = cluster.get(leader).machine.snapshot.bind(cluster.get(leader).machine);
    cluster.get(leader).machine.snapshot = () => [bytes("rubbish")];
    await cluster.settled(cluster.get(leader).node.propose(bytes("one more")));
    await cluster.settled(cluster.get(leader).node.snapshot());
    const { node } = await cluster.open(3);
    await cluster.until(() => node.status().halted);
    await expect(node.propose(bytes("x"))).rejects.toMatchObject({
      code: "HALTED",
      outcome: "none",
      cause: { code: "DECODE" },
    });
    cluster.get(leader).machine.snapshot = snapshot;
    // Its store holds what it was sent: opening says so, and a new member takes its place.
    await cluster.close(3);
    await expect(cluster.open(3)).rejects.toMatchObject({ code: "DECODE" });
    const leads = cluster.get(leader).node;
    await cluster.settled(leads.propose(bytes("and another")));
    await cluster.settled(leads.snapshot());
    const added = await cluster.open(4);
    await cluster.settled(leads.replace(3, 4));
    await cluster.until(() =>
      [...acknowledged, "one more", "and another"].every((command) =>
        added.machine.commands.includes(command),
      ),
    );
  });
});

describe("a network", () => {
  it("that loses, repeats and reorders costs time, and nothing acknowledged", async () => {
    cluster = await openCluster([1, 2, 3], {
      lossPercent: 8,
      repeatPercent: 8,
      latencyMs: [1, 20],
    });
    const acknowledged = await acknowledge(40);
    await cluster.until(() => holdsAll(acknowledged));
    const logs = [...cluster.nodes.values()].map(({ machine }) =>
      machine.commands.slice(0, 40).join(),
    );
    expect(new Set(logs).size).toBe(1);
    expect(new Set(cluster.get(1).machine.commands).size).toBe(
      cluster.get(1).machine.commands.length,
    );
  });

  it("that delivers everything twice, and late, appends what was forwarded once", async () => {
    cluster = await openCluster([1, 2, 3], { repeatPercent: 100, latencyMs: [1, 20] });
    const { node, machine } = await cluster.follower();
    const commands = Array.from({ length: 20 }, (_, i) => `c${i}`);
    await cluster.settled(Promise.all(commands.map((command) => node.propose(bytes(command)))));
    await cluster.pass(100);
    expect([...machine.commands].sort()).toEqual([...commands].sort());
    // Another life of the same node begins its numbers above those of the last.
    await cluster.close(node.id);
    const again = await cluster.open(node.id);
    await cluster.until(() => again.node.leader !== 0);
    await cluster.settled(again.node.propose(bytes("next life")));
    await cluster.pass(100);
    expect(again.machine.commands.filter((command) => command === "next life")).toHaveLength(1);
  });

  it("a peer that sends garbage is counted, and disturbs nobody", async () => {
    cluster = await openCluster([1, 2, 3]);
    const { node } = await cluster.leader();
    const stranger = cluster.network.open(9);
    await cluster.until(() => stranger.peers().includes(node.id));
    const random = seededRandom(3);
    for (let i = 0; i < 300; i++) {
      const body = Uint8Array.from({ length: random.below(60) }, () => random.below(256));
      stranger.send(node.id, i % 3 === 0 ? body : packFrame((1 + (i % 4)) as never, body));
    }
    // A request from nobody's member, well formed: not served.
    stranger.send(
      node.id,
      packFrame(3, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 1, 2, ...new Array(8).fill(0))),
    );
    await cluster.pass(50);
    expect(node.status().refused).toBeGreaterThan(200);
    expect(await acknowledge(3)).toHaveLength(3);
    await stranger.close();
  });

  it("a member that sends garbage, and pieces of what it once said, is counted, and disturbs nobody", async () => {
    cluster = await openCluster([1, 2, 3]);
    const { node } = await cluster.leader();
    const away = [1, 2, 3].find((id) => id !== node.id) as number;
    const said: Uint8Array[] = [];
    cluster.tamper(away, (frame) => {
      if (said.length < 200) said.push(frame.slice());
      return frame;
    });
    const before = await acknowledge(10);
    await cluster.settled(cluster.get(away).node.propose(bytes("forwarded")));
    await cluster.close(away);
    const impostor = cluster.network.open(away);
    await cluster.until(() => impostor.peers().length === 2);
    const kinds = new Set(said.map((frame) => frame[0]));
    expect(kinds).toEqual(new Set([raftFrame, requestFrame]));
    const random = seededRandom(5);
    for (const id of [1, 2, 3].filter((each) => each !== away)) {
      for (const frame of said) impostor.send(id, frame.subarray(0, random.below(frame.length)));
      for (let i = 0; i < 400; i++) {
        const body = Uint8Array.from({ length: random.below(80) }, () => random.below(256));
        impostor.send(id, packFrame((1 + (i % 4)) as never, body));
      }
    }
    await cluster.pass(50);
    for (const { node: each } of cluster.nodes.values()) {
      expect(each.status()).toMatchObject({ halted: false });
      expect(each.status().refused).toBeGreaterThan(300);
    }
    await impostor.close();
    await cluster.open(away);
    const after = await acknowledge(3);
    await cluster.until(() => holdsAll([...before, "forwarded", ...after]));
  });
});
