/** Replicas over real files and the platform's clock: what differs is found and mended, an upgrade survives its restarts. */
import { cp, mkdtemp, open as openFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LogboomError } from "../../lib/base/errors.js";
import { seededRandom } from "../../lib/base/random.js";
import type { NodeEvent, NodeEventType } from "../../lib/runtime/node-events.js";
import { RaftNode } from "../../lib/runtime/raft-node.js";
import { systemClock } from "../../lib/runtime/system-clock.js";
import { openFileStore } from "../../lib/storage/file.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import { createMemoryNetwork, type MemoryNetwork } from "../../lib/transport/memory.js";
import { bytes } from "./cluster.js";
import { Ledger } from "./ledger.js";
import { withSinks } from "./watched-sinks.js";

let directory: string;
let network: MemoryNetwork;
const nodes = new Map<number, { readonly node: RaftNode<number>; readonly ledger: Ledger }>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "logboom-"));
  network = createMemoryNetwork({ clock: systemClock, random: seededRandom(1) });
});
afterEach(async () => {
  await Promise.all([...nodes.keys()].map(close));
  await rm(directory, { recursive: true });
});

interface Opening {
  readonly folder?: string;
  readonly wrap?: (store: OpenedStore) => OpenedStore;
}

async function open(id: number, version = 1, opening: Opening = {}): Promise<void> {
  const { folder = String(id), wrap = (store) => store } = opening;
  const ledger = new Ledger(version);
  const node = await RaftNode.open<number>({
    id,
    store: wrap(await openFileStore({ directory: join(directory, folder) })),
    transport: network.open(id),
    machine: ledger,
    ...(id > 3 ? {} : { bootstrap: { voters: [1, 2, 3] } }),
    // A busy machine's disk must not cost leaders their place.
    timing: { tickMs: 50, heartbeatTicks: 2, electionTicks: 20 },
    snapshotPolicy: { entries: 20, bytes: 1 << 20, trailingEntries: 5 },
    checkEverySnapshots: 1,
  });
  nodes.set(id, { node, ledger });
}

async function close(id: number): Promise<void> {
  const opened = nodes.get(id);
  nodes.delete(id);
  await opened?.node.close();
}

function get(id: number): { readonly node: RaftNode<number>; readonly ledger: Ledger } {
  return nodes.get(id) as { readonly node: RaftNode<number>; readonly ledger: Ledger };
}

/** The next event of `type` at node `id`. */
function next(id: number, type: NodeEventType): Promise<NodeEvent> {
  return new Promise((resolve) => {
    const off = get(id).node.observe(
      (event) => {
        off();
        resolve(event);
      },
      [type],
    );
  });
}

async function write(from: number, to: number, through = 1): Promise<void> {
  const { node } = get(through);
  // As long as it takes until somebody leads: a proposal would not wait for ever.
  await node.readIndex();
  for (let i = from; i < to; i++) await node.propose(bytes(`c${i}`));
}

it("a replica whose memory went wrong is found by its leader, restores from it, and keeps that on disk", async () => {
  for (const id of [1, 2, 3]) await open(id);
  await write(0, 5);
  const leader = await get(1).node.waitForLeader();
  const id = [1, 2, 3].find((each) => each !== leader) as number;
  await get(id).node.readIndex();
  (get(id).ledger.rows[2] as { text: string }).text = "a cosmic ray";
  const [diverged, installed] = [
    next(id, "diverged"),
    new Promise<void>((resolve) => {
      get(id).node.observe((event) => {
        if (event.type === "snapshot" && event.action === "installed") resolve();
      });
    }),
  ];
  // Not through the one that will be given a snapshot, which overtakes the commands it waits for.
  await write(5, 40, leader);
  expect(await diverged).toMatchObject({ verdict: { minority: [id] } });
  await installed;
  const texts = Array.from({ length: 40 }, (_, i) => `c${i}`);
  await get(id).node.readIndex();
  expect(get(id).ledger.texts).toEqual(texts);
  await close(id);
  await open(id);
  await get(id).node.readIndex();
  expect(get(id).ledger.texts).toEqual(texts);
});

it("a rolling upgrade activates the new version once, and every later start begins with it", async () => {
  for (const id of [1, 2, 3]) await open(id);
  await write(0, 30);
  for (const id of [2, 3]) {
    await close(id);
    await open(id, 2);
  }
  await write(30, 35);
  expect(get(1).node.status().machineVersion).toBe(1);
  await close(1);
  await open(1, 2);
  if (get(1).node.status().machineVersion < 2) await next(1, "activated");
  await write(35, 40);
  for (const id of [1, 2, 3]) {
    await close(id);
    await open(id, 2);
  }
  await write(40, 41);
  for (const id of [1, 2, 3]) {
    const { node, ledger } = get(id);
    await node.readIndex();
    expect(ledger.texts).toEqual(Array.from({ length: 41 }, (_, i) => `c${i}`));
    expect(ledger.migrations).toEqual(["1→2"]);
    expect(node.status().machineVersion).toBe(2);
  }
  await close(2);
  await expect(open(2, 1)).rejects.toMatchObject({ code: "UPGRADE_NEEDED" });
  // What failed to open has let go of its files.
  await open(2, 2);
});

const bodies = async (folder: string): Promise<string[]> =>
  (await readdir(join(directory, folder), { recursive: true })).filter((name) => /tmp$/.test(name));

it("a follower that is killed while a snapshot comes in begins anew, and leaves nothing of it behind", async () => {
  for (const id of [1, 2, 3]) await open(id);
  const { node } = get(1);
  await node.readIndex();
  for (let i = 0; i < 25; i++) await node.propose(new Uint8Array(50_000).fill(97 + i));
  let pieces = 0;
  await open(4, 1, {
    wrap: (store) =>
      withSinks(store, (sink) => ({
        async write(piece) {
          await sink.write(piece);
          // The disk as it is now is what a killed process leaves.
          pieces += 1;
          if (pieces < 4) return;
          const filter = (name: string): boolean => !name.includes("lock");
          await cp(join(directory, "4"), join(directory, "killed"), { recursive: true, filter });
          // And this one is no more heard of.
          throw new LogboomError("STORAGE_FAILED", "killed");
        },
      })),
  });
  const killed = next(4, "halted");
  await node.addLearner(4);
  await killed;
  await close(4);
  expect(await bodies("killed")).toHaveLength(1);
  await open(4, 1, { folder: "killed" });
  expect(get(4).ledger.rows).toEqual([]);
  expect(await bodies("killed")).toEqual([]);
  await get(4).node.readIndex();
  expect(get(4).ledger.rows).toEqual(get(1).ledger.rows);
});

it("a snapshot that is damaged on disk is not what a node starts from: an older one is; without any it says so", async () => {
  for (const id of [1, 2, 3]) await open(id);
  await write(0, 30);
  await get(3).node.snapshot();
  await write(30, 60);
  await get(3).node.snapshot();
  await write(60, 62);
  await close(3);
  const folder = join(directory, "3");
  const damage = async (name: string): Promise<void> => {
    const file = await openFile(join(folder, name), "r+");
    const { size } = await file.stat();
    await file.write(Uint8Array.of(0xff), 0, 1, size - 3);
    await file.close();
  };
  const snapshots = async (): Promise<string[]> =>
    (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".snap")).sort();
  const before = await snapshots();
  expect(before).toHaveLength(2);
  await damage(before[1] as string);
  await open(3);
  await get(3).node.readIndex();
  expect(get(3).ledger.texts).toEqual(Array.from({ length: 62 }, (_, i) => `c${i}`));
  await close(3);
  for (const name of await snapshots()) await damage(name);
  await expect(open(3)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  await write(62, 64);
  await get(2).node.readIndex();
  expect(get(2).ledger.rows).toHaveLength(64);
});
