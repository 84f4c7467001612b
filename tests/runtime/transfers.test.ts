/** Snapshots on their way: what else goes over the same link, and how much is in memory meanwhile. */
import { afterEach, expect, it } from "vitest";
import { concatBytes } from "../../lib/base/bytes.js";
import type { Clock } from "../../lib/base/clock.js";
import { raftFrame } from "../../lib/runtime/frames.js";
import { windowBytes } from "../../lib/runtime/transfer-out.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import type { Transport } from "../../lib/transport/transport.js";
import { bytes, Journal, openCluster, type TestCluster } from "./cluster.js";
import { withSinks } from "./watched-sinks.js";

let cluster: TestCluster;
afterEach(async () => {
  await cluster.closeAll();
  expect(cluster.clock.timers()).toBe(0);
});

const chunk = 64 * 1024;
const chunks = 160;

/** A state of ten megabytes, in chunks that are made as they are asked for. */
class Large extends Journal {
  received = 0;
  override *snapshot(): Iterable<Uint8Array> {
    const head = bytes(JSON.stringify(this.commands).padEnd(chunk));
    yield head;
    for (let i = 1; i < chunks; i++) yield new Uint8Array(chunk).fill(i);
  }
  override restore(body: Uint8Array): void {
    this.received = body.length;
    super.restore(body.subarray(0, chunk));
  }
}

/** A link that carries so many bytes in a millisecond, what is urgent first; a frame that has begun is not interrupted. */
function narrow(
  transport: Transport,
  clock: Clock,
  bytesPerMs: number,
  took: (ms: number, kind: number) => void,
): Transport {
  interface Waiting {
    readonly frame: Uint8Array;
    readonly since: number;
    readonly bulk: boolean;
  }
  const lanes = new Map<number, { busy: boolean; waiting: Waiting[] }>();
  const next = (to: number): void => {
    const lane = lanes.get(to);
    if (lane === undefined || lane.busy) return;
    const urgent = lane.waiting.findIndex(({ bulk }) => !bulk);
    const [sent] = lane.waiting.splice(Math.max(0, urgent), 1);
    if (sent === undefined) return;
    lane.busy = true;
    clock.after(sent.frame.length / bytesPerMs, () => {
      lane.busy = false;
      took(clock.now() - sent.since, sent.frame[0] as number);
      transport.send(to, sent.frame);
      next(to);
    });
  };
  return {
    ...transport,
    send(to, frame, options) {
      if (!transport.peers().includes(to)) return false;
      const lane = lanes.get(to) ?? { busy: false, waiting: [] };
      lanes.set(to, lane);
      lane.waiting.push({ frame: frame.slice(), since: clock.now(), bulk: options?.bulk === true });
      next(to);
      return true;
    },
  };
}

it("a large snapshot over a narrow link holds no heartbeat up by more than the chunk that is on its way", async () => {
  const bytesPerMs = 4 * 1024;
  let slowest = 0;
  let heartbeats = 0;
  cluster = await openCluster([1, 2, 3], {
    latencyMs: [1, 1],
    link: (transport, clock) =>
      narrow(transport, clock, bytesPerMs, (ms, kind) => {
        if (kind !== raftFrame) return;
        heartbeats += 1;
        slowest = Math.max(slowest, ms);
      }),
    open: () => ({ journal: new Large() }),
  });
  const { node } = await cluster.leader();
  await cluster.settled(node.propose(bytes("a")));
  const { term } = node.status();
  const added = await cluster.open(4);
  await cluster.settled(node.addLearner(4));
  heartbeats = 0;
  slowest = 0;
  let behind = 0;
  await cluster.until(() => {
    behind = Math.max(
      behind,
      ...[1, 2, 3].map((id) => cluster.get(id).node.status().lastContactMs ?? 0),
    );
    return added.machine.commands.length === 1;
  });
  // Ten megabytes at four a second.
  expect(heartbeats).toBeGreaterThan(100);
  expect(slowest).toBeLessThanOrEqual(chunk / bytesPerMs + 5);
  expect(behind).toBeLessThan(150);
  expect(node.status()).toMatchObject({ term, role: "leader" });
});

it("a slow follower holds its sender back: what is in memory is a window, not a body", async () => {
  let read = 0;
  let stored = 0;
  let ahead = 0;
  cluster = await openCluster([1, 2, 3], {
    open: () => ({
      journal: new Large(),
      wrap: (store: OpenedStore): OpenedStore => ({
        ...store,
        snapshots: {
          ...store.snapshots,
          async *read(metadata) {
            for await (const bytes of store.snapshots.read(metadata)) {
              read += bytes.length;
              ahead = Math.max(ahead, read - stored);
              yield bytes;
            }
          },
        },
      }),
    }),
  });
  const { node } = await cluster.leader();
  await cluster.settled(node.propose(bytes("a")));
  const journal = new Large();
  await cluster.open(4, {
    journal,
    wrap: (store: OpenedStore) =>
      withSinks(store, (sink) => ({
        async write(piece) {
          await new Promise<void>((resolve) => cluster.clock.untracked.after(20, resolve));
          stored += piece.length;
          await sink.write(piece);
        },
      })),
  });
  // Opening reads too.
  read = 0;
  ahead = 0;
  await cluster.settled(node.addLearner(4));
  // The cluster is served meanwhile, by the same leader.
  await cluster.settled(node.propose(bytes("b")));
  expect(journal.commands).toEqual([]);
  await cluster.until(() => journal.commands.length === 2);
  expect(journal.received).toBe(chunk * chunks);
  // Once over, not again for what was merely overtaken.
  expect(read).toBeGreaterThanOrEqual(chunk * chunks);
  expect(read).toBeLessThan(chunk * (chunks + 1));
  expect(ahead).toBeLessThanOrEqual(windowBytes + 2 * chunk);
});

it("commands go on while a snapshot is written, which shows the state of its moment", async () => {
  cluster = await openCluster([1], { open: () => ({ journal: new Large() }) });
  const { node } = await cluster.leader();
  for (let i = 0; i < 5; i++) await cluster.settled(node.propose(bytes(`c${i}`)));
  const taking = node.snapshot();
  for (let i = 5; i < 10; i++) await cluster.settled(node.propose(bytes(`c${i}`)));
  const metadata = await cluster.settled(taking);
  expect(metadata?.index).toBeLessThan(node.status().applied);
  const pieces: Uint8Array[] = [];
  for await (const piece of node.openSnapshot(metadata as never)) pieces.push(piece);
  const body = concatBytes(...pieces);
  expect(body.length).toBe(chunk * chunks);
  const saved = new Large();
  saved.restore(body);
  expect(saved.commands).toEqual(["c0", "c1", "c2", "c3", "c4"]);
});
