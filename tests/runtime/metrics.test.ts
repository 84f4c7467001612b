/** Metrics, log lines, events and statistics of a running node. */
import * as client from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import { type Metrics, prometheus } from "../../lib/runtime/metrics.js";
import type { NodeEvent } from "../../lib/runtime/node-events.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import { bytes, openCluster, type TestCluster } from "./cluster.js";

let cluster: TestCluster;
afterEach(async () => {
  await cluster.closeAll();
  expect(cluster.clock.timers()).toBe(0);
});

describe("metrics", () => {
  it("arrive in prom-client under their names, with the labels they were given", async () => {
    const registry = new client.Registry();
    const metrics = prometheus(client, { registry, labels: { node: "1" } });
    cluster = await openCluster([1], { change: { metrics } });
    const { node } = await cluster.leader();
    await cluster.settled(node.propose(bytes("a")));
    await cluster.settled(node.read(() => 0));
    await cluster.settled(node.snapshot());
    await cluster.pass(1000);
    const text = await registry.metrics();
    expect(text).toContain('raft_apply_total{node="1"} 1');
    expect(text).toContain('raft_is_leader{node="1"} 1');
    expect(text).toContain('raft_commit_time_seconds_count{node="1"} 1');
    expect(text).toContain('raft_snapshot_take_seconds_count{node="1"} 1');
    expect(text).toContain('raft_reads_total{node="1"} 1');
  });

  it("wait until a slow store has been opened", async () => {
    const gauges = new Set<string>();
    const metrics: Metrics = { count() {}, gauge: (name) => gauges.add(name), observe() {} };
    cluster = await openCluster([1]);
    await cluster.close(1);
    const { clock } = cluster;
    const slow = (store: OpenedStore): OpenedStore => ({
      ...store,
      storage: {
        ...store.storage,
        async load() {
          await new Promise<void>((resolve) => clock.untracked.after(3_000, resolve));
          return await store.storage.load();
        },
      },
    });
    await cluster.settled(cluster.open(1, { metrics, wrap: slow }));
    expect(gauges).toEqual(new Set());
    await cluster.pass(1_000);
    expect(gauges).toContain("raft_term");
  });

  it("failures are counted apart", async () => {
    const counts = new Map<string, number>();
    const metrics: Metrics = {
      count: (name, by = 1) => counts.set(name, (counts.get(name) ?? 0) + by),
      gauge() {},
      observe() {},
    };
    cluster = await openCluster([1, 2, 3], { change: { metrics, forward: false } });
    const { node } = await cluster.follower();
    await expect(node.propose(bytes("a"))).rejects.toMatchObject({ code: "NOT_LEADER" });
    expect(counts.get("raft_apply_failed_total")).toBe(1);
  });
});

it("log lines go to the logger, with the node they are of", async () => {
  const lines: [object, string][] = [];
  const line = (fields: object, message: string): void => {
    lines.push([fields, message]);
  };
  const logger = { debug: line, info: line, warn: line, error: line };
  cluster = await openCluster([1], { change: { logger } });
  await cluster.leader();
  expect(lines).toContainEqual([{ node: 1 }, expect.stringContaining("became leader")]);
});

describe("events", () => {
  it("tell of roles, leaders, members, links, votes and silent peers, as filtered", async () => {
    cluster = await openCluster([1, 2, 3]);
    const { node } = await cluster.leader();
    const all: NodeEvent[] = [];
    const roles: NodeEvent[] = [];
    const silent: NodeEvent[] = [];
    node.observe((event) => all.push(event));
    node.observe((event) => roles.push(event), ["role"]);
    node.observe(
      (event) => silent.push(event),
      (event) => event.type === "heartbeat",
    );
    await cluster.settled(node.addLearner(4, "a:4"));
    const gone = [1, 2, 3].find((id) => id !== node.id) as number;
    cluster.network.partition([gone]);
    await cluster.until(() => silent.length > 0);
    expect(silent[0]).toMatchObject({ peer: gone, state: "failed" });
    cluster.network.heal();
    await cluster.until(() => silent.length > 1);
    expect(silent[1]).toMatchObject({ peer: gone, state: "resumed" });
    await cluster.settled(node.transferLeadership());
    const types = new Set(all.map(({ type }) => type));
    for (const type of ["role", "leader", "configuration", "member", "link", "vote", "heartbeat"]) {
      expect(types).toContain(type);
    }
    expect(roles.every(({ type }) => type === "role")).toBe(true);
  });
});

it("stats have hashicorp/raft's names", async () => {
  cluster = await openCluster([1, 2, 3]);
  const { node } = await cluster.leader();
  await cluster.settled(node.propose(bytes("a")));
  expect(node.stats()).toMatchObject({
    state: "Leader",
    num_peers: "2",
    fsm_pending: "0",
    last_contact: "0",
    commit_index: String(node.status().commit),
    latest_configuration: expect.stringContaining("{Suffrage:Voter ID:1 Address:}"),
  });
});

describe("settings", () => {
  it("are reloaded while running", async () => {
    cluster = await openCluster([1]);
    const { node } = await cluster.leader();
    node.reload({
      snapshotPolicy: { entries: 3, bytes: 1 << 20, trailingEntries: 0 },
      proposalBytesMax: 4,
    });
    await expect(node.propose(bytes("12345"))).rejects.toMatchObject({ code: "TOO_LARGE" });
    for (let i = 0; i < 4; i++) await cluster.settled(node.propose(bytes("a")));
    await cluster.until(() => (node.status().snapshot?.index ?? 0) > 1);
  });

  it.each([
    [{ tickMs: 0 }, /tickMs must be a whole number above 0, got 0/],
    [{ proposalBytesMax: 1 << 30 }, /proposalBytesMax must be at most pendingBytesMax/],
    [{ snapshotPolicy: { entries: 0 } }, /snapshotPolicy.entries must be a whole number above 0/],
    [{ snapshotPolicy: { retained: 0 } }, /snapshotPolicy.retained/],
    [
      { snapshotPolicy: { trailingEntries: -1 } },
      /trailingEntries must be a whole number from 0 on/,
    ],
    [
      { snapshotPolicy: { logBytesMax: 2 ** 20 } },
      /logBytesMax must be at least twice proposalBytesMax \(1048576\), got 1048576/,
    ],
  ])("%o are refused, and nothing changes", async (changes, message) => {
    cluster = await openCluster([1]);
    const { node } = await cluster.leader();
    const before = node.settings;
    expect(() => node.reload(changes)).toThrow(message);
    expect(node.settings).toEqual(before);
  });
});
