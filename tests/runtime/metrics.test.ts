/** Metrics, log lines, events and statistics of a running node. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as client from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import { concatBytes } from "../../lib/base/bytes.js";
import {
  type MetricLabels,
  type MetricName,
  type Metrics,
  metricTable,
  noMetrics,
  prometheus,
} from "../../lib/runtime/metrics.js";
import type { NodeEvent } from "../../lib/runtime/node-events.js";
import type { AppliedEntry } from "../../lib/runtime/state-machine.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import { bytes, Journal, openCluster, type TestCluster } from "./cluster.js";

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
    expect(text).toContain('raft_apply_time_seconds_count{node="1"} 1');
    expect(text).toContain('raft_commit_time_seconds_count{node="1"} 2'); // the leader's first entry is one
    expect(text).toContain('raft_snapshot_take_snapshot_seconds_count{node="1"} 1');
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

/** Keeps every sample, by metric and label. */
class Recorder implements Metrics {
  readonly samples = new Map<MetricName, { value: number; labels: MetricLabels }[]>();
  readonly wrong: string[] = [];
  count(name: MetricName, by = 1, labels: MetricLabels = {}): void {
    this.#keep("counter", name, by, labels);
  }
  gauge(name: MetricName, value: number, labels: MetricLabels = {}): void {
    this.#keep("gauge", name, value, labels);
  }
  observe(name: MetricName, value: number, labels: MetricLabels = {}): void {
    this.#keep("histogram", name, value, labels);
  }
  of(name: MetricName): number[] {
    return (this.samples.get(name) ?? []).map(({ value }) => value);
  }
  #keep(kind: string, name: MetricName, value: number, labels: MetricLabels): void {
    const metric = metricTable[name];
    const label = metric.label === undefined ? [] : [metric.label];
    const fits = metric.kind === kind && Object.keys(labels).join() === label.join();
    if (!fits || !(value >= 0))
      this.wrong.push(`${kind} ${name} ${JSON.stringify(labels)} ${value}`);
    const kept = this.samples.get(name) ?? [];
    kept.push({ value, labels });
    this.samples.set(name, kept);
  }
}

class BatchJournal extends Journal {
  applyBatch(entries: readonly AppliedEntry[]): readonly number[] {
    return entries.map((entry) => this.apply(entry));
  }
}

describe("every metric", () => {
  it("is told by some node in a cluster's life, each as what the table says it is", async () => {
    const metrics = new Recorder();
    cluster = await openCluster([], { change: { metrics, forward: false } });
    const voters = [1, 2, 3];
    for (const id of voters) {
      const journal = id === 2 ? new BatchJournal() : new Journal();
      await cluster.open(id, { bootstrap: { voters }, journal });
    }
    const { node } = await cluster.leader();
    await cluster.settled(node.propose(bytes("a")));
    await cluster.settled(node.read(() => 0));
    await cluster.settled(node.verifyLeader());
    await cluster.settled(node.barrier());
    const { node: other } = await cluster.follower();
    await expect(other.propose(bytes("b"))).rejects.toMatchObject({ code: "NOT_LEADER" });
    await cluster.settled(node.restore(concatBytes(...node.backup())));
    // A newcomer is sent a snapshot, first while it is out of reach.
    await cluster.settled(node.addLearner(4));
    await cluster.settled(node.snapshot());
    await cluster.open(4);
    await cluster.until(() => node.status().sendingSnapshots > 0);
    cluster.network.partition([4]);
    await cluster.pass(1000);
    cluster.network.heal();
    await cluster.until(() => metrics.of("raft_snapshots_sent_total").length > 0);
    await cluster.pass(1000);
    // Somebody sends garbage; the leader loses its quorum.
    const stranger = cluster.network.open(9);
    await cluster.until(() => stranger.send(node.id, Uint8Array.of(99)));
    await cluster.until(() => metrics.of("raft_frames_refused_total").length > 0);
    cluster.network.partition([node.id]);
    await cluster.until(() => !node.isLeader);
    cluster.network.heal();
    await cluster.leader();
    expect(metrics.wrong).toEqual([]);
    const silent = Object.keys(metricTable).filter(
      (name) => !metrics.samples.has(name as MetricName),
    );
    expect(silent).toEqual([]);
  });

  it("is in docs/METRICS.md, as what it is, and nothing else is", () => {
    const path = fileURLToPath(new URL("../../docs/METRICS.md", import.meta.url));
    const rows = [
      ...readFileSync(path, "utf8").matchAll(/^\| `(raft_\w+)` \| (\w+) \| (?:`(\w+)`)? *\|/gm),
    ];
    const documented = rows.map(([, name, kind, label]) => [name, kind, label]);
    const told = Object.entries(metricTable).map(([name, { kind, label }]) => [name, kind, label]);
    expect(documented).toEqual(told);
  });

  it("of an exchange is a round trip: as long as the network takes, under the peer's name", async () => {
    cluster = await openCluster([], { latencyMs: [20, 20] });
    const recorders = new Map<number, Recorder>();
    const voters = [1, 2, 3];
    for (const id of voters) {
      const metrics = new Recorder();
      recorders.set(id, metrics);
      await cluster.open(id, { bootstrap: { voters }, metrics });
    }
    const { node } = await cluster.leader();
    const metrics = recorders.get(node.id) as Recorder;
    await cluster.settled(node.propose(bytes("a")));
    await cluster.pass(500);
    for (const name of [
      "raft_replication_heartbeat_seconds",
      "raft_replication_append_entries_rpc_seconds",
    ] as const) {
      const samples = metrics.samples.get(name) ?? [];
      expect(new Set(samples.map(({ labels }) => labels.peer_id)).size).toBe(2);
      for (const { value } of samples) expect(value).toBeGreaterThanOrEqual(0.04);
    }
    expect(Math.min(...metrics.of("raft_commit_time_seconds"))).toBeGreaterThanOrEqual(0.04);
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

  it("heartbeats are reloaded by themselves: a leader sends them so often from now on", async () => {
    let beats = 0;
    const metrics: Metrics = {
      ...noMetrics,
      count: (name) => {
        if (name === "raft_messages_sent_total") beats += 1;
      },
    };
    cluster = await openCluster([1, 2, 3], { change: { metrics } });
    const { node } = await cluster.leader();
    const during = async (ms: number): Promise<number> => {
      const before = beats;
      await cluster.pass(ms);
      return beats - before;
    };
    await cluster.pass(1000);
    const slow = await during(3000);
    for (const each of cluster.nodes.values()) each.node.reload({ heartbeatTicks: 1 });
    expect(node.settings).toMatchObject({ tickMs: 50, heartbeatTicks: 1, electionTicks: 6 });
    expect((await during(3000)) / slow).toBeCloseTo(2, 1);
  });

  it("elections are reloaded by themselves: a dead leader is missed so much later", async () => {
    cluster = await openCluster([1, 2, 3]);
    const first = await cluster.leader();
    for (const each of cluster.nodes.values()) each.node.reload({ electionTicks: 60 });
    await cluster.pass(10_000);
    expect(first.node.isLeader).toBe(true);
    await cluster.close(first.node.id);
    // From 60 ticks of 50 ms on, whereas the cluster began with 6.
    await cluster.pass(2_900);
    expect([...cluster.nodes.values()].map(({ node }) => node.status().role)).toEqual([
      "follower",
      "follower",
    ]);
    await cluster.leader();
  });

  it("are refused for ticks while reads go by lease, which rests on what the others count", async () => {
    cluster = await openCluster([1], { change: { reads: "lease" } });
    const { node } = await cluster.leader();
    const before = node.settings;
    expect(() => node.reload({ tickMs: 10 })).toThrow(/while reads are "safe"/);
    expect(node.settings).toEqual(before);
    expect(node.reload({ pendingBytesMax: 1 << 21 })).toMatchObject({ pendingBytesMax: 1 << 21 });
  });

  it.each([
    [{ tickMs: 0 }, /tickMs must be a whole number above 0, got 0/],
    [{ tickMs: Number.POSITIVE_INFINITY }, /tickMs must be a whole number above 0, got Infinity/],
    [{ heartbeatTicks: 1.5 }, /heartbeatTicks must be a whole number above 0, got 1.5/],
    [{ heartbeatTicks: 6 }, /heartbeatTicks must be below electionTicks \(6\), got 6/],
    [{ electionTicks: 2 }, /heartbeatTicks must be below electionTicks \(2\), got 2/],
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
