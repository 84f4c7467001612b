/** Three clusters over three processes: each process has one clock, one transport and one writer for its three nodes. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { RaftNode } from "../../lib/runtime/raft-node.js";
import { createSharedWriter, type SharedWriter } from "../../lib/runtime/shared-writer.js";
import { openMemoryStore } from "../../lib/storage/memory.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import { createMemoryNetwork } from "../../lib/transport/memory.js";
import { type SharedTransport, shareTransport } from "../../lib/transport/shared.js";
import { bytes, Journal, settle, type TrackingClock, trackingClock } from "./cluster.js";

const processes = [1, 2, 3];
const names = ["a", "b", "c"];
const flushMs = 5;

interface Host {
  readonly transport: SharedTransport;
  readonly writer: SharedWriter;
  flushes: number;
  /** Flushes under way, and the most there ever were. */
  busy: number;
  most: number;
  /** Off while nodes are opened, which nobody lets time pass for. */
  slow: boolean;
}

interface Member {
  readonly node: RaftNode<number>;
  readonly machine: Journal;
}

let clock: TrackingClock;
let hosts: Map<number, Host>;
/** By cluster, then by process. */
let clusters: Map<string, Map<number, Member>>;

/** A disk on which every flush takes a while, once it is `slow`. */
function slowed(store: OpenedStore, host: Host): OpenedStore {
  const { storage } = store;
  return {
    ...store,
    storage: {
      load: () => storage.load(),
      async append(write) {
        host.flushes += 1;
        host.busy += 1;
        host.most = Math.max(host.most, host.busy);
        if (host.slow) await new Promise<void>((resolve) => clock.after(flushMs, resolve));
        await storage.append(write);
        host.busy -= 1;
      },
      compact: (snapshot, upTo) => storage.compact(snapshot, upTo),
      close: () => storage.close(),
    },
  };
}

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed++) {
    clock.advance(1);
    await settle();
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let ms = 0; !holds(); ms++) {
    if (ms > 10_000) throw new Error(`not within ten seconds: ${holds}`);
    await pass(1);
  }
}

function leaderOf(name: string): Member | undefined {
  const members = [...(clusters.get(name)?.values() ?? [])];
  return members.find(({ node }) => node.isLeader);
}

beforeEach(async () => {
  clock = trackingClock();
  const random = seededRandom(5);
  const network = createMemoryNetwork({ clock: clock.untracked, random });
  hosts = new Map();
  clusters = new Map(names.map((name) => [name, new Map()]));
  for (const id of processes) {
    const transport = shareTransport(network.open(id));
    hosts.set(id, {
      transport,
      writer: createSharedWriter(),
      flushes: 0,
      busy: 0,
      most: 0,
      slow: false,
    });
  }
  for (const [id, host] of hosts) {
    for (const [at, name] of names.entries()) {
      const machine = new Journal();
      const node = await RaftNode.open<number>({
        id,
        store: host.writer.share(slowed(await openMemoryStore(), host)),
        transport: host.transport.open(name),
        machine,
        clock,
        random: seededRandom(10 * id + at),
        bootstrap: { voters: processes },
      });
      clusters.get(name)?.set(id, { node, machine });
    }
  }
  for (const host of hosts.values()) host.slow = true;
  await until(() => names.every((name) => leaderOf(name) !== undefined));
  await pass(500);
});

afterEach(async () => {
  for (const members of clusters.values()) {
    for (const { node } of members.values()) {
      let closed = false;
      void node.close().then(() => {
        closed = true;
      });
      await until(() => closed);
    }
  }
  for (const { transport } of hosts.values()) await transport.close();
  expect(clock.timers()).toBe(0);
});

it("each cluster has its own commands, in one order everywhere", async () => {
  const open: Promise<unknown>[] = [];
  for (let n = 0; n < 20; n++) {
    for (const name of names) {
      const { node } = leaderOf(name) as Member;
      open.push(node.propose(bytes(`${name}${n}`)));
    }
    await pass(1);
  }
  await pass(300);
  await Promise.all(open);
  for (const name of names) {
    const commands = Array.from({ length: 20 }, (_, n) => `${name}${n}`);
    for (const { machine } of clusters.get(name)?.values() ?? []) {
      expect(machine.commands).toEqual(commands);
    }
  }
});

it("the clusters of a process take turns at its disk, and what waits for a turn is flushed together", async () => {
  for (const host of hosts.values()) host.flushes = 0;
  const ms = 100;
  let done = 0;
  for (let n = 0; n < ms; n++) {
    for (const name of names) {
      const { node } = leaderOf(name) as Member;
      void node.propose(bytes(`${n}`)).then(() => {
        done += 1;
      });
    }
    await pass(1);
  }
  await until(() => done === names.length * ms);
  for (const { flushes, most } of hosts.values()) {
    expect(most).toBe(1);
    // 300 commands, one every third of a millisecond, at a disk that flushes every five.
    expect(flushes).toBeLessThan(ms / flushMs + 20);
    expect(flushes).toBeGreaterThan(names.length);
  }
});

it("a process that is cut off leaves the clusters it led to others, all at once", async () => {
  const led = names.map((name) => leaderOf(name)?.node.id);
  const [gone = 0] = led;
  const { transport } = hosts.get(gone) as Host;
  await transport.close();
  await until(() =>
    names.every((name) =>
      [...(clusters.get(name)?.values() ?? [])].some(
        ({ node }) => node.isLeader && node.id !== gone,
      ),
    ),
  );
});
