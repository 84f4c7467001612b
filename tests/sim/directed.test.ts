/** What the catalogue's bugs would do, directly: those of which neither the simulator nor another test is sure to speak. */
import { expect, it } from "vitest";
import { crc32c } from "../../lib/base/crc32c.js";
import { seededRandom } from "../../lib/base/random.js";
import { Inflights } from "../../lib/core/inflights.js";
import { RaftLog } from "../../lib/core/log.js";
import { appendAccepted, snapshotMessage } from "../../lib/core/messages.js";
import { Progress } from "../../lib/core/progress.js";
import { RawNode } from "../../lib/core/raw-node.js";
import { type Entry, emptyConfState, noBytes } from "../../lib/core/types.js";
import { Linearizable } from "../../lib/runtime/linearizable.js";
import type { TransferFrame } from "../../lib/runtime/transfer-frames.js";
import { TransferIn } from "../../lib/runtime/transfer-in.js";
import { createMemoryMedium, openMemoryStore } from "../../lib/storage/memory.js";
import { createVirtualClock } from "../../lib/testing/virtual-clock.js";

const entry = (index: number, term: number): Entry => ({
  index,
  term,
  type: "EntryNormal",
  data: new Uint8Array([index]),
  unknown: undefined,
});

it("18: a refusal from before the match does not take next back to it", () => {
  const progress = new Progress(6, new Inflights(8, 1_000), false);
  progress.maybeUpdate(5);
  progress.maybeDecrease(5, 2);
  expect(progress.next).toBeGreaterThan(progress.match);
});

it("20: what is committed is not overwritten, whoever leads", () => {
  const start = { compacted: { index: 0, term: 0 }, entries: [entry(1, 1), entry(2, 1)] };
  const log = new RaftLog({ ...start, committed: 1, applied: 0, applyBytesMax: 1_000 }, undefined);
  expect(() => log.maybeAppend(0, 0, [entry(1, 2)], 0)).toThrow("committed entry overwritten");
  expect(log.term(1)).toBe(1);
  expect(log.maybeAppend(1, 1, [entry(2, 2)], 0)).toBe(2);
});

it("25: a late answer of the disk for the same index of another term makes nothing durable", () => {
  const start = { compacted: { index: 0, term: 0 }, entries: [], committed: 0, applied: 0 };
  const log = new RaftLog({ ...start, applyBytesMax: 1_000 }, undefined);
  log.append([entry(1, 1)]);
  log.acceptInProgress();
  log.maybeAppend(0, 0, [entry(1, 2)], 0);
  log.stableTo(1, 1);
  expect(log.stable).toBe(0);
});

it("37: a read waits until what was committed before it is applied here", async () => {
  const asked: Uint8Array[] = [];
  let applied = 3;
  const reads = new Linearizable({
    self: 1,
    clock: createVirtualClock(),
    retryMs: () => 1_000,
    salt: 7,
    ask: (context) => asked.push(context) > 0,
    applied: () => applied,
  });
  const served: number[] = [];
  const read = reads.readIndex().then((index) => served.push(index));
  const [context = noBytes] = asked;
  reads.answered({ index: 5, context });
  applied = 4;
  reads.progressed();
  await Promise.resolve();
  expect(served).toEqual([]);
  applied = 5;
  reads.progressed();
  await read;
  expect(served).toEqual([5]);
});

it("40: a joint configuration is left by one entry, whatever is applied meanwhile", () => {
  const node = new RawNode(
    { id: 1, random: seededRandom(1), snapshot: () => undefined, preVote: false, applyBytesMax: 1 },
    {
      hardState: { term: 0, vote: 0, commit: 0 },
      confState: { ...emptyConfState, voters: [1] },
      compacted: { index: 0, term: 0 },
      entries: [],
      applied: 0,
    },
  );
  const settle = (): void => {
    while (node.hasReady()) {
      const { write, committedEntries } = node.ready();
      if (write !== undefined) node.persisted(write);
      for (const one of committedEntries) {
        if (one.type !== "EntryNormal") node.applyConfChange(one);
        node.applied(one.index);
      }
    }
  };
  node.campaign();
  settle();
  node.proposeConfChange({
    transition: "jointImplicit",
    changes: [{ type: "ConfChangeAddLearnerNode", nodeId: 2 }],
    context: noBytes,
    unknown: undefined,
  });
  for (const data of [1, 2, 3]) node.propose(new Uint8Array([data]));
  settle();
  const { lastIndex, confState } = node.status();
  expect(confState.votersOutgoing).toEqual([]);
  // The term's opening entry, the change, three commands, and one entry that leaves.
  expect(lastIndex).toBe(6);
});

it("52: a newer snapshot is not written over what has come of an older one", async () => {
  const { snapshots } = await openMemoryStore({ medium: createMemoryMedium() });
  const sent: TransferFrame[] = [];
  const failures: unknown[] = [];
  const transfers = new TransferIn({
    clock: createVirtualClock(),
    write: (metadata) => snapshots.write(metadata),
    send: (_to, frame) => sent.push(frame) > 0,
    needs: () => true,
    arrived: () => {},
    storeFailed: (error) => failures.push(error),
  });
  const metadataAt = (index: number) => ({
    index,
    term: 1,
    confState: { ...emptyConfState, voters: [1, 2] },
  });
  const offer = (id: number, index: number): void => {
    const snapshot = { metadata: metadataAt(index), data: noBytes, unknown: undefined };
    const message = snapshotMessage({ from: 1, to: 2, term: 1, snapshot });
    transfers.receive(1, { type: "offer", id, message });
  };
  const [older, newer] = [new Uint8Array([1, 1, 1]), new Uint8Array([2, 2, 2, 2])];
  offer(1, 5);
  transfers.receive(1, { type: "chunk", id: 1, offset: 0, bytes: older });
  offer(2, 9);
  transfers.receive(1, { type: "chunk", id: 2, offset: 0, bytes: newer });
  transfers.receive(1, { type: "end", id: 2, length: 4, crc: crc32c(newer) });
  // The store is in memory: what it answers comes within a few turns.
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  await transfers.close();
  expect(failures).toEqual([]);
  expect(sent.filter(({ type }) => type === "wanted")).toEqual([
    { type: "wanted", id: 1, offset: 0 },
    { type: "wanted", id: 2, offset: 0 },
  ]);
  expect((await snapshots.list()).map(({ index }) => index)).toEqual([9]);
  const body: number[] = [];
  for await (const chunk of snapshots.read(metadataAt(9))) body.push(...chunk);
  expect(body).toEqual([...newer]);
});

it("63: votes are asked for only once the term they are asked for is durable", () => {
  const node = new RawNode(
    { id: 1, random: seededRandom(1), snapshot: () => undefined, preVote: false },
    {
      hardState: { term: 0, vote: 0, commit: 0 },
      confState: { ...emptyConfState, voters: [1, 2, 3] },
      compacted: { index: 0, term: 0 },
      entries: [],
      applied: 0,
    },
  );
  node.campaign();
  const { messages, write } = node.ready();
  expect(messages).toEqual([]);
  expect(write).toMatchObject({ hardState: { term: 1, vote: 1 }, sync: true });
  if (write === undefined) throw new Error("a campaign is written");
  expect(node.persisted(write).map(({ type, to }) => `${type} ${to}`)).toEqual([
    "MsgVote 2",
    "MsgVote 3",
  ]);
});

it("64: an acknowledgement in the node's own name is not taken in: it would count what no disk holds", () => {
  const node = new RawNode(
    { id: 1, random: seededRandom(1), snapshot: () => undefined, preVote: false },
    {
      hardState: { term: 0, vote: 0, commit: 0 },
      confState: { ...emptyConfState, voters: [1] },
      compacted: { index: 0, term: 0 },
      entries: [],
      applied: 0,
    },
  );
  node.campaign();
  const { write } = node.ready();
  if (write === undefined) throw new Error("a campaign is written");
  node.persisted(write);
  node.propose(new Uint8Array([1]));
  const { term } = node.basicStatus();
  const { lastIndex } = node.status();
  expect(lastIndex).toBe(2);
  // Neither the entry with which the term opens nor the command is on the disk yet.
  const forged = appendAccepted(1, 1, term, lastIndex, 0);
  expect(node.step(forged)).toEqual({ accepted: false, reason: "ownName" });
  expect(node.ready().committedEntries).toEqual([]);
  expect(node.status().commit).toBe(0);
});
