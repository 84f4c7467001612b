/** A store that fails at each of its calls in turn: what callers see, and that nothing acknowledged is lost. */
import { afterEach, describe, expect, it } from "vitest";
import { isLogboomError, type LogboomError } from "../../lib/base/errors.js";
import { type Breaking, breakingStore, type StoreCall, storeCalls } from "./breaking-store.js";
import { bytes, openCluster, type TestCluster } from "./cluster.js";

let cluster: TestCluster;
afterEach(async () => {
  await cluster.closeAll();
  expect(cluster.clock.timers()).toBe(0);
});

/** Commands that were acknowledged, and what became of the others. */
interface Tale {
  /** Whether node 1 ever ran. */
  readonly opened: boolean;
  readonly acknowledged: string[];
  readonly errors: unknown[];
}

/** Node 1's life on a store that may fail: commands, snapshots, a newcomer, being left behind, leading, the end. */
async function live(breaking: Breaking): Promise<Tale> {
  const acknowledged: string[] = [];
  const errors: unknown[] = [];
  const attempt = async (what: Promise<unknown>): Promise<boolean> => {
    const [end] = await Promise.allSettled([cluster.settled(what)]);
    if (end?.status === "rejected") {
      errors.push(end.reason);
      // A leadership that was being handed over to the node that failed comes back after an election timeout.
      await cluster.pass(300);
    }
    return end?.status === "fulfilled";
  };
  const alive = (id: number): boolean =>
    cluster.nodes.has(id) && !cluster.get(id).node.status().halted;
  const write = async (ids: readonly number[], count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const id = ids.find(alive);
      if (id === undefined) continue;
      const command = `${errors.length + acknowledged.length} ${"x".repeat(200)}`;
      if (await attempt(cluster.get(id).node.propose(bytes(command)))) acknowledged.push(command);
    }
  };

  cluster = await openCluster([], {
    change: {
      snapshotPolicy: { entries: 4, bytes: 1 << 20, trailingEntries: 1 },
      bootstrap: { voters: [1, 2, 3] },
    },
  });
  for (const id of [2, 3]) await cluster.open(id);
  const opened = await attempt(cluster.open(1, { wrap: breaking.wrap }));
  await write([1, 2], 9);
  if (alive(1)) await attempt(cluster.get(1).node.snapshot());
  // Left behind, until only a snapshot can help.
  cluster.network.partition([1]);
  await cluster.pass(1000);
  await write([2, 3], 12);
  cluster.network.heal();
  await cluster.until(() => !alive(1) || holds(1, acknowledged));
  // To lead, and to bring a newcomer up.
  if (alive(1) && !cluster.get(1).node.isLeader) {
    await attempt(cluster.get(1).node.transferLeadership({ to: 1 }));
  }
  const leading = [1, 2, 3].find((id) => alive(id) && cluster.get(id).node.isLeader) ?? 2;
  await cluster.open(4, { bootstrap: undefined as never });
  // Its leader may fail over it: then another is asked.
  for (const id of [leading, 2, 3]) {
    if (alive(id) && (await attempt(cluster.get(id).node.addLearner(4)))) break;
  }
  await write([1, 2], 6);
  await cluster.until(() => holds(4, acknowledged));
  if (cluster.nodes.has(1)) {
    const { node } = cluster.get(1);
    if (!alive(1)) await attempt(node.propose(bytes("to a halted node")));
    cluster.nodes.delete(1);
    await attempt(node.close());
  }
  return { opened, acknowledged, errors };
}

function holds(id: number, acknowledged: readonly string[]): boolean {
  const { commands } = cluster.get(id).machine;
  return acknowledged.every((command) => commands.includes(command));
}

it("whose every call succeeds is called in every way there is, but for what a node has no use for", async () => {
  const sound = breakingStore();
  const { acknowledged, errors } = await live(sound);
  expect(errors).toEqual([]);
  expect(acknowledged).toHaveLength(27);
  const unused = storeCalls.filter((call) => !sound.counts.has(call));
  // Giving a body up has a test of its own; a RaftNode keeps nothing in meta.
  expect(unused).toEqual(["sink.abort", "meta.get", "meta.set"]);
});

describe.each([
  "load",
  "append",
  "compact",
  "close",
  "write",
  "sink.write",
  "sink.finish",
  "read",
  "read on",
  "list",
  "drop",
] as const)("a store that fails at %s", (call: StoreCall) => {
  it("each time in turn: its node says so and stops, and nothing acknowledged is lost", async () => {
    let failed = 0;
    for (let time = 1; ; time++) {
      const breaking = breakingStore([call, time]);
      const { opened, acknowledged, errors } = await live(breaking);
      if (!breaking.broken) {
        await cluster.closeAll();
        break;
      }
      failed += 1;
      expect(
        errors.every(isLogboomError),
        String(errors.find((error) => !isLogboomError(error))),
      ).toBe(true);
      const codes = new Set(errors.map((error) => (error as LogboomError).code));
      // Who opens or closes a node is told what the store said; who asks a running one, that it has halted.
      const told = opened && call !== "close" ? "HALTED" : "STORAGE_FAILED";
      expect([...codes], `${call} ${time}`).toContain(told);
      const halted = errors.filter((error) => (error as LogboomError).code === "HALTED");
      for (const error of halted.slice(-1)) {
        expect(error).toMatchObject({ outcome: "none", cause: { code: "STORAGE_FAILED" } });
      }
      // The store again, without its fault: it holds or is told all that was acknowledged.
      await cluster.open(1);
      await cluster.until(() => [1, 2, 3, 4].every((id) => holds(id, acknowledged)));
      for (const { machine } of cluster.nodes.values()) {
        expect(new Set(machine.commands).size, "no command twice").toBe(machine.commands.length);
      }
      await cluster.closeAll();
    }
    expect(failed).toBeGreaterThan(0);
  }, 120_000);
});
