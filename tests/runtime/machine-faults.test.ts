/** A machine that throws, in each of its methods: what callers see, and that nothing acknowledged is lost. */
import { afterEach, describe, expect, it } from "vitest";
import { LogboomError } from "../../lib/base/errors.js";
import type { StateMachine } from "../../lib/runtime/state-machine.js";
import { bytes, Journal, openCluster, type TestCluster, type TestNode } from "./cluster.js";

let cluster: TestCluster;
afterEach(async () => {
  await cluster.closeAll();
  expect(cluster.clock.timers()).toBe(0);
});

const defect = (): never => {
  throw new TypeError("a defect");
};

async function three(snapshots = 1000): Promise<void> {
  cluster = await openCluster([1, 2, 3], {
    change: { snapshotPolicy: { entries: snapshots, bytes: 1 << 20, trailingEntries: 2 } },
  });
  await cluster.leader();
}

/** Proposes through whoever leads, once somebody does who runs. */
async function write(...commands: string[]): Promise<void> {
  const leading = (): TestNode | undefined =>
    [...cluster.nodes.values()].find(({ node }) => node.isLeader);
  for (const command of commands) {
    await cluster.until(() => leading() !== undefined);
    await cluster.settled((leading() as TestNode).node.propose(bytes(command)));
  }
}

async function halts(id: number): Promise<void> {
  const { node } = cluster.get(id);
  await cluster.until(() => node.status().halted);
  await expect(node.propose(bytes("to a halted node"))).rejects.toMatchObject({
    code: "HALTED",
    outcome: "none",
    message: expect.stringContaining("a defect"),
    cause: expect.any(TypeError),
  });
  await expect(node.read(() => 0)).rejects.toMatchObject({ code: "HALTED", outcome: "none" });
}

/** The node again, with a machine that is mended. */
async function mended(id: number, expected: readonly string[]): Promise<void> {
  await cluster.close(id);
  const { machine } = await cluster.open(id);
  await cluster.until(() => machine.commands.join() === expected.join());
}

describe("apply", () => {
  it("at a follower: that node halts, the rest go on, and it catches up once it is mended", async () => {
    await three();
    const { node, machine } = await cluster.follower();
    machine.apply = defect;
    await write("a");
    await halts(node.id);
    await write("b");
    await mended(node.id, ["a", "b"]);
  });

  it("at the leader: its caller does not know, and the command counts everywhere once", async () => {
    await three();
    const { node, machine } = await cluster.leader();
    const leads: boolean[] = [];
    node.watchLeadership((leading) => leads.push(leading));
    machine.apply = defect;
    await expect(cluster.settled(node.propose(bytes("a")))).rejects.toMatchObject({
      code: "HALTED",
      outcome: "unknown",
    });
    await halts(node.id);
    expect(leads).toEqual([true, false]);
    await write("b");
    await mended(node.id, ["a", "b"]);
  });

  it("everywhere: all halt, nothing is lost, and all go on once they are mended", async () => {
    await three();
    await write("a");
    for (const { machine } of cluster.nodes.values()) {
      machine.apply = defect;
    }
    const { node } = await cluster.leader();
    await expect(cluster.settled(node.propose(bytes("b")))).rejects.toMatchObject({
      code: "HALTED",
      outcome: "unknown",
    });
    for (const id of [1, 2, 3])
      if (cluster.get(id).node !== node) {
        await cluster.until(
          () => cluster.get(id).node.status().halted || cluster.get(id).node.isLeader,
        );
      }
    for (const id of [1, 2, 3]) await cluster.close(id);
    for (const id of [1, 2, 3]) await cluster.open(id);
    await write("c");
    for (const { machine } of cluster.nodes.values()) {
      await cluster.until(() => machine.commands.join() === "a,b,c");
    }
  });

  it("while a node is opened: opening is refused with the exception", async () => {
    cluster = await openCluster([1]);
    await write("a");
    await cluster.close(1);
    const journal = new Journal();
    journal.apply = defect;
    await expect(cluster.open(1, { journal })).rejects.toMatchObject({
      code: "HALTED",
      cause: expect.any(TypeError),
    });
    const { machine } = await cluster.open(1);
    expect(machine.commands).toEqual(["a"]);
  });
});

describe("applyBatch", () => {
  it.each([
    ["throws", defect],
    ["answers too little", () => [1]],
    ["answers too much", () => [1, 2, 3, 4]],
  ] as const)(
    "that %s halts its node, and none of the batch counts there twice",
    async (_, batch) => {
      await three();
      const { node, machine } = await cluster.follower();
      (machine as StateMachine<number>).applyBatch = batch;
      // The machine that the node was opened with: a batching one is known as such from the start.
      await cluster.close(node.id);
      const journal = new Journal() as Journal & StateMachine<number>;
      journal.applyBatch = batch;
      await cluster.open(node.id, { journal });
      const { node: leader } = await cluster.leader();
      await cluster.settled(leader.proposeAll(["a", "b", "c"].map(bytes)));
      await cluster.until(() => cluster.get(node.id).node.status().halted);
      await mended(node.id, ["a", "b", "c"]);
    },
  );
});

describe("snapshot", () => {
  it.each([
    ["at once", defect],
    [
      "halfway",
      function* (): Iterable<Uint8Array> {
        yield bytes("[");
        defect();
      },
    ],
  ] as const)(
    "%s, asked for by a caller: it is told, the node halts, its log is whole",
    async (_, snapshot) => {
      await three();
      await write("a", "b");
      const { node, machine } = await cluster.follower();
      await cluster.until(() => machine.commands.length === 2);
      machine.snapshot = snapshot;
      await expect(cluster.settled(node.snapshot())).rejects.toMatchObject({
        code: "HALTED",
        cause: expect.any(TypeError),
      });
      await halts(node.id);
      await write("c");
      await mended(node.id, ["a", "b", "c"]);
    },
  );

  it("when one is due: the node halts, and nothing of its log was cut", async () => {
    await three(4);
    const { node, machine } = await cluster.leader();
    machine.snapshot = defect;
    const commands = ["a", "b", "c", "d", "e", "f"];
    for (const command of commands) {
      // The fourth meets the snapshot: it may have been committed before.
      await cluster.settled(node.propose(bytes(command))).catch((error) => {
        expect(error).toMatchObject({ code: "HALTED" });
      });
    }
    await halts(node.id);
    await write("last");
    const other = [...cluster.nodes.values()].find((each) => each.node !== node) as TestNode;
    const { commands: kept } = other.machine;
    expect(kept.slice(0, 3)).toEqual(["a", "b", "c"]);
    await mended(node.id, kept);
  });

  it("where states are compared: that node halts and is not judged", async () => {
    await three();
    await write("a");
    const { node, machine } = await cluster.follower();
    await cluster.until(() => machine.commands.length === 1);
    machine.snapshot = defect;
    const { node: leader } = await cluster.leader();
    const verdict = await cluster.settled(leader.checkState());
    expect(verdict).toMatchObject({ minority: [], states: 1 });
    expect(verdict.answered).not.toContain(node.id);
    await halts(node.id);
    await mended(node.id, ["a"]);
  });
});

describe("restore", () => {
  it("while a node is opened: opening is refused, and later opens as if nothing had been", async () => {
    cluster = await openCluster([1]);
    await write("a");
    await cluster.settled(cluster.get(1).node.snapshot());
    await cluster.close(1);
    const journal = new Journal();
    journal.restore = defect;
    await expect(cluster.open(1, { journal })).rejects.toMatchObject({
      code: "DECODE",
      outcome: "none",
      message: expect.stringContaining("did not take the snapshot at index"),
      cause: expect.any(TypeError),
    });
    const { machine } = await cluster.open(1);
    expect(machine.commands).toEqual(["a"]);
  });

  it("of a leader's snapshot: that node halts, and takes it once it is mended", async () => {
    await three(4);
    const { node, machine } = await cluster.follower();
    cluster.network.partition([node.id]);
    await cluster.pass(500);
    const commands = Array.from({ length: 12 }, (_, i) => `c${i}`);
    for (const command of commands) {
      const leader = [...cluster.nodes.values()].find((each) => each.node.isLeader) as TestNode;
      await cluster.settled(leader.node.propose(bytes(command)));
    }
    machine.restore = defect;
    cluster.network.heal();
    await halts(node.id);
    await mended(node.id, commands);
  });

  it.each([
    [
      "refuses it",
      (): never => {
        throw new LogboomError("DECODE", "not a journal");
      },
    ],
    ["throws", defect],
    [
      "throws when half of the old state is gone",
      function (this: Journal): never {
        this.commands.length = 1;
        return defect();
      },
    ],
  ] as const)(
    "of a backup that every machine %s: the caller is told, the state is as before, all go on",
    async (_, restore) => {
      await three();
      await write("a", "b");
      for (const { machine } of cluster.nodes.values()) {
        await cluster.until(() => machine.commands.length === 2);
        const sound = machine.restore.bind(machine);
        let first = true;
        machine.restore = (body) => {
          if (!first) return sound(body);
          first = false;
          return restore.call(machine);
        };
      }
      const { node } = await cluster.follower();
      await expect(cluster.settled(node.restore(bytes("anything")))).rejects.toMatchObject({
        code: "BAD_INPUT",
        outcome: "none",
        message: expect.stringContaining("the backup was refused"),
      });
      await write("c");
      for (const { machine, node: each } of cluster.nodes.values()) {
        await cluster.until(() => machine.commands.join() === "a,b,c");
        expect(each.status().halted).toBe(false);
      }
    },
  );
});

describe("others", () => {
  it("applyConfChange: that node halts, the change counts, and it catches up once it is mended", async () => {
    await three();
    const { node, machine } = await cluster.follower();
    (machine as StateMachine<number>).applyConfChange = defect;
    const { node: leader } = await cluster.leader();
    await cluster.settled(leader.addLearner(9));
    await halts(node.id);
    await write("a");
    await mended(node.id, ["a"]);
    expect(cluster.get(node.id).node.configuration.confState.learners).toEqual([9]);
  });

  it("migrate: that node halts before a command of the new version, and goes on with mended code", async () => {
    cluster = await openCluster([]);
    for (const id of [1, 2, 3]) await cluster.open(id, { bootstrap: { voters: [1, 2, 3] } });
    await write("a");
    for (const id of [1, 2, 3]) {
      await cluster.close(id);
      const journal = Object.assign(new Journal(), { version: 2 });
      if (id === 3) Object.assign(journal, { migrate: defect });
      await cluster.open(id, { journal });
    }
    await halts(3);
    await write("b");
    expect(cluster.get(3).machine.commands).toEqual(["a"]);
    await cluster.close(3);
    const journal = Object.assign(new Journal(), { version: 2 });
    await cluster.open(3, { journal });
    await cluster.until(() => journal.commands.join() === "a,b");
  });

  it("a query is its caller's own affair", async () => {
    await three();
    const { node } = await cluster.leader();
    await expect(cluster.settled(node.read(defect))).rejects.toBeInstanceOf(TypeError);
    await write("a");
    expect(node.status().halted).toBe(false);
  });
});
