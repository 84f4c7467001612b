/** What keeps replicas alike, over real nodes: stamped times and randomness, machine versions. */
import { afterEach, describe, expect, it } from "vitest";
import type { Clock } from "../../lib/base/clock.js";
import { packFrame, requestFrame } from "../../lib/runtime/frames.js";
import { carrierOf } from "../../lib/runtime/member-changes.js";
import type { NodeEvent } from "../../lib/runtime/node-events.js";
import { recoverCluster } from "../../lib/runtime/recover.js";
import { encodeRequestFrame } from "../../lib/runtime/requests.js";
import { openMemoryStore } from "../../lib/storage/memory.js";
import { bytes, type NodeChange, openCluster, type TestCluster } from "./cluster.js";
import { Ledger } from "./ledger.js";

let cluster: TestCluster;
const ledgers = new Map<number, Ledger>();
const events: (NodeEvent & { readonly at: number })[] = [];
afterEach(async () => {
  await cluster.closeAll();
  expect(cluster.clock.timers()).toBe(0);
  ledgers.clear();
  events.length = 0;
});

type Change = NodeChange & { readonly version?: number };

async function open(id: number, { version = 1, ...change }: Change = {}): Promise<void> {
  const ledger = new Ledger(version);
  ledgers.set(id, ledger);
  const { node } = await cluster.open(id, { machine: ledger, ...change });
  node.observe((event) => events.push({ ...event, at: id }));
}

async function three(change: (id: number) => Change = () => ({})): Promise<void> {
  cluster = await openCluster([]);
  for (const id of [1, 2, 3]) {
    await open(id, { bootstrap: { voters: [1, 2, 3] }, ...change(id) });
  }
  await cluster.leader();
}

async function reopen(id: number, change: Change = {}): Promise<void> {
  await cluster.close(id);
  await open(id, change);
}

async function propose(text: string): Promise<number> {
  const { node } = await cluster.leader();
  return (await cluster.settled(node.propose(bytes(text)))).result;
}

async function leadBy(id: number): Promise<void> {
  const { node } = await cluster.leader();
  if (node.id !== id) await cluster.settled(node.transferLeadership({ to: id }));
  await cluster.leader();
}

function ledger(id: number): Ledger {
  return ledgers.get(id) as Ledger;
}

async function alike(): Promise<void> {
  const state = (): Set<string> =>
    new Set(
      [...cluster.nodes.keys()].map((id) =>
        JSON.stringify([ledger(id).rows, ledger(id).migrations]),
      ),
    );
  await cluster.until(() => state().size === 1, "all replicas are alike");
}

const versions = (): number[] =>
  [...cluster.nodes.values()].map(({ node }) => node.status().machineVersion);

const year = 365 * 24 * 3600_000;

describe("times and randomness", () => {
  const wallOf = (ahead: number): Clock => ({
    ...cluster.clock,
    wall: () => cluster.clock.wall() + ahead,
  });

  it("are the same at every replica, and at a node that replays its log", async () => {
    await three();
    for (const text of ["a", "b", "c"]) await propose(text);
    await alike();
    const { rows } = ledger(1);
    expect(new Set(rows.flatMap(({ random }) => random)).size).toBe(6);
    await reopen(2);
    await cluster.until(() => ledger(2).rows.length === 3);
    expect(ledger(2).rows).toEqual(rows);
  });

  it("come from the leader's clock, and never go back under a leader whose clock is behind", async () => {
    cluster = await openCluster([]);
    for (const id of [1, 2, 3]) {
      await open(id, { bootstrap: { voters: [1, 2, 3] }, clock: wallOf(id === 1 ? -30_000 : 0) });
    }
    await leadBy(2);
    await propose("by 2");
    await leadBy(1);
    await propose("by 1, half a minute behind");
    await leadBy(3);
    await cluster.pass(100);
    await propose("by 3");
    const now = ledger(1).rows.map((row) => row.now);
    expect(now[1]).toBe(now[0]);
    expect(now[2]).toBeGreaterThan(now[1] as number);
    expect(Math.abs((now[2] as number) - cluster.clock.wall())).toBeLessThan(100);
    await alike();
  });

  it("are the median's where the leader's clock is a year off", async () => {
    cluster = await openCluster([]);
    for (const id of [1, 2, 3]) {
      await open(id, { bootstrap: { voters: [1, 2, 3] }, clock: wallOf(id === 1 ? year : 0) });
    }
    await leadBy(1);
    await propose("by the one that is off");
    expect(Math.abs((ledger(1).rows[0]?.now ?? 0) - cluster.clock.wall())).toBeLessThan(1000);
  });

  it("log time is what leaders have led, through changes of leader, snapshots and restarts", async () => {
    await three();
    await propose("first");
    await cluster.pass(1000);
    await propose("second");
    const led = (): number => ledger(1).rows.at(-1)?.logTime ?? 0;
    await alike();
    expect(led()).toBeGreaterThanOrEqual(1000);
    expect(led()).toBeLessThan(2500);
    const before = led();
    for (const { node } of cluster.nodes.values()) await cluster.settled(node.snapshot());
    for (const id of [1, 2, 3]) await cluster.close(id);
    // Nobody leads, and the wall clocks go on.
    await cluster.pass(5000);
    for (const id of [1, 2, 3]) await open(id);
    await propose("third");
    await alike();
    expect(led()).toBeGreaterThanOrEqual(before);
    expect(led()).toBeLessThan(before + 1000);
    expect(cluster.get(1).node.status().logTime).toBe(led());
    const [, second, third] = ledger(1).rows;
    expect((third?.now ?? 0) - (second?.now ?? 0)).toBeGreaterThan(5000);
  });
});

describe("a machine version", () => {
  it("is that of the code a cluster begins with", async () => {
    await three(() => ({ version: 3 }));
    await propose("a");
    expect(ledger(1).rows[0]?.version).toBe(3);
    expect(ledger(1).migrations).toEqual([]);
  });

  it("is activated once every member's code goes that far, at one entry, with its migrations", async () => {
    await three();
    await propose("by version 1");
    for (const id of [1, 2]) await reopen(id, { version: 3 });
    await cluster.pass(5000);
    await propose("still version 1");
    expect(versions()).toEqual([1, 1, 1]);
    await reopen(3, { version: 3 });
    await cluster.until(() => versions().every((version) => version === 3));
    await propose("by version 3");
    await alike();
    expect(ledger(1).rows.map(({ version }) => version)).toEqual([1, 1, 3]);
    expect(ledger(1).migrations).toEqual(["1→2", "2→3"]);
    const activated = events.filter(({ type }) => type === "activated");
    expect(activated.map(({ at }) => at).sort()).toEqual([1, 2, 3]);
    expect(new Set(activated.map((event) => JSON.stringify({ ...event, at: 0 }))).size).toBe(1);
  });

  it("waits for learners too, and goes as far as the last of them", async () => {
    await three();
    const { node } = await cluster.leader();
    await open(4, { version: 1 });
    await cluster.settled(node.addLearner(4));
    for (const id of [1, 2, 3]) await reopen(id, { version: 3 });
    await cluster.leader();
    await cluster.pass(5000);
    expect(versions()).toEqual([1, 1, 1, 1]);
    await reopen(4, { version: 2 });
    await cluster.until(() => versions().every((version) => version === 2));
    expect(ledger(4).migrations).toEqual(["1→2"]);
  });

  it("is in snapshots: a newcomer and a restarted node begin with it, and migrate no more", async () => {
    await three();
    await propose("a");
    for (const id of [1, 2, 3]) await reopen(id, { version: 2 });
    await cluster.until(() => versions().every((version) => version === 2));
    const { node } = await cluster.leader();
    for (const each of cluster.nodes.values()) await cluster.settled(each.node.snapshot());
    await open(4, { version: 2 });
    await cluster.settled(node.addLearner(4));
    await reopen(1, { version: 2 });
    await propose("b");
    await alike();
    for (const id of [1, 4]) {
      expect(ledger(id).restored).toEqual([2]);
      expect(ledger(id).migrations).toEqual(["1→2"]);
      expect(cluster.get(id).node.status().machineVersion).toBe(2);
    }
  });

  it("is reached again from an older snapshot, by the entries after it", async () => {
    await three();
    await propose("a");
    for (const { node } of cluster.nodes.values()) await cluster.settled(node.snapshot());
    for (const id of [1, 2, 3]) await reopen(id, { version: 2 });
    await cluster.until(() => versions().every((version) => version === 2));
    await propose("b");
    await reopen(3, { version: 2 });
    await alike();
    expect(ledger(3).restored).toEqual([1]);
    expect(ledger(3).rows.map(({ version }) => version)).toEqual([1, 2]);
  });

  it("stops a node whose code is too old, which loses nothing and goes on with newer code", async () => {
    await three(() => ({ version: 1 }));
    for (const id of [1, 2, 3]) await reopen(id, { version: 2 });
    await cluster.until(() => versions().every((version) => version === 2));
    await propose("a");
    await alike();
    // Taken back to the old release: what stands in its log is not run by rules it does not have.
    await cluster.close(3);
    await expect(open(3, { version: 1 })).rejects.toMatchObject({
      code: "UPGRADE_NEEDED",
      outcome: "none",
      message: expect.stringContaining(
        "is of machine version 2, and this node's code goes up to 1",
      ),
    });
    expect(ledger(3).rows).toEqual([]);
    await cluster.until(() => [...cluster.nodes.values()].some((each) => each.node.isLeader));
    await propose("b");
    await open(3, { version: 2 });
    await alike();
    expect(ledger(3).texts).toEqual(["a", "b"]);
  });

  it("halts a node whose code is too old when it hears of it only later", async () => {
    await three(() => ({ version: 1, activation: "manual" }));
    for (const id of [1, 2, 3]) await reopen(id, { version: 2, activation: "manual" });
    await leadBy(1);
    await cluster.pass(1000);
    // Cut off unnoticed while the version is activated, and taken back to the old release.
    cluster.network.partition([3]);
    await cluster.settled(cluster.get(1).node.activateVersion(2));
    await cluster.settled(cluster.get(1).node.propose(bytes("a")));
    await cluster.close(3);
    cluster.network.heal();
    await open(3, { version: 1 });
    const { node } = cluster.get(3);
    const proposal = node.propose(bytes("x"));
    await expect(cluster.settled(proposal)).rejects.toMatchObject({ code: "HALTED" });
    await expect(node.propose(bytes("x"))).rejects.toMatchObject({
      code: "HALTED",
      outcome: "none",
      cause: { code: "UPGRADE_NEEDED" },
    });
    expect(ledger(3).rows).toEqual([]);
    cluster.nodes.delete(3);
    await cluster.settled(node.close());
    await open(3, { version: 2 });
    await cluster.until(() => ledger(3).texts.includes("a"));
    await alike();
  });

  it("is not taken back by a snapshot: older code is told at the door", async () => {
    await three(() => ({ version: 2 }));
    await propose("a");
    await cluster.settled(cluster.get(3).node.snapshot());
    await cluster.close(3);
    await expect(open(3, { version: 1 })).rejects.toMatchObject({ code: "UPGRADE_NEEDED" });
    await open(3, { version: 2 });
    await alike();
  });

  it("stops a newcomer whose code is too old, and nobody else", async () => {
    await three(() => ({ version: 2 }));
    await propose("a");
    const { node } = await cluster.leader();
    await open(4, { version: 1 });
    await cluster.settled(node.addLearner(4));
    await cluster.until(() => cluster.get(4).node.status().halted);
    const halted = events.find((event) => event.type === "halted");
    expect(halted).toMatchObject({ at: 4, halt: { error: { cause: { code: "UPGRADE_NEEDED" } } } });
    expect((await cluster.settled(node.propose(bytes("b")))).result).toBe(2);
  });

  it("is activated by hand where that is asked for, and by no one else", async () => {
    await three(() => ({ activation: "manual" }));
    for (const id of [1, 2]) await reopen(id, { version: 2, activation: "manual" });
    const { node } = await cluster.leader();
    await expect(node.activateVersion(2)).rejects.toMatchObject({
      code: "PROPOSAL_DROPPED",
      reason: "unsupportedVersion",
      outcome: "none",
      message: expect.stringContaining("node 3 goes up to 1"),
    });
    await reopen(3, { version: 2, activation: "manual" });
    await cluster.leader();
    await cluster.pass(5000);
    expect(versions()).toEqual([1, 1, 1]);
    const { node: follower } = await cluster.follower();
    await expect(follower.activateVersion(2)).rejects.toMatchObject({ code: "NOT_LEADER" });
    const { node: leader } = await cluster.leader();
    await expect(leader.activateVersion(0)).rejects.toMatchObject({ code: "BAD_INPUT" });
    await cluster.settled(leader.activateVersion(2));
    expect(leader.status().machineVersion).toBe(2);
    await cluster.settled(leader.activateVersion(1));
    expect(leader.status().machineVersion).toBe(2);
  });

  it("that a member was not heard of waits for it", async () => {
    await three(() => ({ activation: "manual" }));
    for (const id of [1, 2, 3]) await reopen(id, { version: 2, activation: "manual" });
    const { node } = await cluster.leader();
    const away = [1, 2, 3].find((id) => id !== node.id) as number;
    cluster.network.partition([away]);
    await cluster.pass(6000);
    await expect(node.activateVersion(2)).rejects.toMatchObject({
      reason: "unsupportedVersion",
      message: expect.stringContaining(`node ${away} was not heard of lately`),
    });
    cluster.network.heal();
  });

  it("is not activated by a member's frame that no leader would send", async () => {
    await three();
    const { node } = await cluster.leader();
    const away = [1, 2, 3].find((id) => id !== node.id) as number;
    await cluster.close(away);
    const impostor = cluster.network.open(away);
    await cluster.until(() => impostor.peers().includes(node.id));
    const change = carrierOf(away, { type: "activate", version: 9 });
    const request = { kind: "change", change, ifIndex: 0 } as const;
    impostor.send(
      node.id,
      packFrame(requestFrame, encodeRequestFrame({ type: "request", id: 1, request })),
    );
    await cluster.pass(100);
    await impostor.close();
    expect(node.status()).toMatchObject({ halted: false, machineVersion: 1 });
    await open(away);
    expect(await propose("a")).toBe(1);
  });

  it("of a backup may be older: it is migrated everywhere; a newer one is refused", async () => {
    await three(() => ({ version: 3 }));
    await propose("a");
    const { node } = await cluster.leader();
    const backup = bytes(JSON.stringify([[], ["0→1"]]));
    await cluster.settled(node.restore(backup, { version: 1 }));
    await alike();
    expect(ledger(1).migrations).toEqual(["0→1", "1→2", "2→3"]);
    await expect(cluster.settled(node.restore(backup, { version: 4 }))).rejects.toMatchObject({
      code: "BAD_INPUT",
      message: expect.stringContaining("version 4"),
    });
    await alike();
  });

  it("survives recovery after a lost quorum, with the migration that stands in the log", async () => {
    await three();
    await propose("a");
    for (const id of [1, 2, 3]) await reopen(id, { version: 2 });
    await cluster.until(() => versions().every((version) => version === 2));
    await propose("b");
    await alike();
    for (const id of [1, 2, 3]) await cluster.close(id);
    const survivor = new Ledger(2);
    await recoverCluster({
      id: 1,
      store: await openMemoryStore({ medium: cluster.medium(1) }),
      machine: survivor,
    });
    expect(survivor.migrations).toEqual(["1→2"]);
    await open(1, { version: 2 });
    expect(await propose("c")).toBe(3);
    expect(ledger(1).rows.map(({ version }) => version)).toEqual([1, 2, 2]);
    expect(cluster.get(1).node.configuration.confState.voters).toEqual([1]);
  });

  it.each([0, 1.5, -1])("%d is none", async (version) => {
    cluster = await openCluster([]);
    await expect(open(1, { version })).rejects.toMatchObject({
      code: "BAD_CONFIG",
      message: expect.stringContaining("machine.version"),
    });
  });
});
