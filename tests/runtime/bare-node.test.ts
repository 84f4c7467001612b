/** One running node: what it does when its store fails, snapshots come due, and it is opened again. */
import { describe, expect, it } from "vitest";
import { LogboomError } from "../../lib/base/errors.js";
import { seededRandom } from "../../lib/base/random.js";
import { encodeMessages } from "../../lib/codec/raftpb.js";
import { appendAccepted, appendRejected } from "../../lib/core/messages.js";
import { type Message, noBytes } from "../../lib/core/types.js";
import { BareNode } from "../../lib/runtime/bare-node.js";
import type { AppliedEntry, StateMachine } from "../../lib/runtime/state-machine.js";
import {
  createMemoryMedium,
  type MemoryMedium,
  openMemoryStore,
} from "../../lib/storage/memory.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import { VirtualClock } from "../room/cluster.js";

/** Adds up the bytes it is given. */
class Adder implements StateMachine<number> {
  sum = 0;
  apply({ data }: AppliedEntry): number {
    for (const byte of data) this.sum += byte;
    return this.sum;
  }
  snapshot(): Iterable<Uint8Array> {
    return [new TextEncoder().encode(String(this.sum))];
  }
  restore(body: Uint8Array): void {
    this.sum = Number(new TextDecoder().decode(body));
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function openNode(
  medium: MemoryMedium,
  change: (store: OpenedStore) => OpenedStore = (store) => store,
  snapshotBodies: "inline" | "stored" = "inline",
): Promise<{
  node: BareNode<number>;
  machine: Adder;
  results: number[];
  sent: Message[];
  failures: unknown[];
}> {
  const machine = new Adder();
  const results: number[] = [];
  const sent: Message[] = [];
  const failures: unknown[] = [];
  const node = await BareNode.open<number>({
    id: 1,
    store: change(await openMemoryStore({ medium })),
    machine,
    clock: new VirtualClock(),
    random: seededRandom(1),
    timing: { tickMs: 50, heartbeatTicks: 1, electionTicks: 10 },
    snapshotPolicy: { entries: 10, bytes: 1_000_000, trailingEntries: 3, retained: 1 },
    snapshotBodies,
    found: () => new TextEncoder().encode("0"),
    events: {
      send: (_to, message) => sent.push(message) > 0,
      applied: (_index, result) => results.push(result),
      restored: () => {},
      configured: () => {},
      softState: () => {},
      progressed: () => {},
      failed: (error) => failures.push(error),
    },
  });
  node.start();
  return { node, machine, results, sent, failures };
}

async function openLeader(
  medium: MemoryMedium,
  change?: (store: OpenedStore) => OpenedStore,
  snapshotBodies?: "inline" | "stored",
): ReturnType<typeof openNode> {
  const opened = await openNode(medium, change, snapshotBodies);
  opened.node.campaign();
  await settle();
  return opened;
}

describe("a node", () => {
  it("that founds leads a cluster of one and applies what it proposes", async () => {
    const { node, results } = await openLeader(createMemoryMedium());
    expect(node.propose(new Uint8Array([2, 3]))).toMatchObject({ accepted: true });
    await settle();
    expect(results).toEqual([5]);
  });

  it("acknowledges nothing that its store did not confirm, and stops for good", async () => {
    let broken = false;
    const { node, results, failures } = await openLeader(createMemoryMedium(), (store) => ({
      ...store,
      storage: {
        ...store.storage,
        append: async (write) => {
          if (broken) throw new LogboomError("STORAGE_FAILED", "no space left");
          await store.storage.append(write);
        },
      },
    }));
    broken = true;
    node.propose(new Uint8Array([1]));
    await settle();
    expect(results).toEqual([]);
    expect(failures).toEqual([expect.objectContaining({ code: "STORAGE_FAILED" })]);
    expect(node.propose(new Uint8Array([1]))).toEqual({ accepted: false, reason: "stopped" });
  });

  it("whose machine throws stops: the machine has a defect", async () => {
    const { node, machine, failures } = await openLeader(createMemoryMedium());
    machine.apply = () => {
      throw new Error("a defect");
    };
    node.propose(new Uint8Array([1]));
    await settle();
    expect(failures).toEqual([expect.objectContaining({ message: "a defect" })]);
  });

  it("cuts its log behind a snapshot, keeps some of it, and starts again from both", async () => {
    const medium = createMemoryMedium();
    const { node } = await openLeader(medium);
    for (let i = 0; i < 12; i++) {
      node.propose(new Uint8Array([1]));
      await settle();
    }
    await node.close();
    const { snapshot, entries, compacted } = await (
      await openMemoryStore({ medium })
    ).storage.load();
    expect(snapshot?.index).toBeGreaterThan(10);
    expect(compacted.index).toBe((snapshot?.index ?? 0) - 3);
    expect(entries.length).toBeGreaterThanOrEqual(3);
    const again = await openLeader(medium);
    again.node.propose(new Uint8Array([1]));
    await settle();
    expect(again.machine.sum).toBe(13);
  });

  it("sends a stored snapshot with the configuration of its own index, whatever has changed since", async () => {
    const { node, sent } = await openLeader(createMemoryMedium(), undefined, "stored");
    const add = async (nodeId: number): Promise<void> => {
      const changes = [{ type: "ConfChangeAddLearnerNode" as const, nodeId }];
      node.proposeConfChange({ transition: "auto", changes, context: noBytes, unknown: undefined });
      await settle();
    };
    await add(2);
    const taken = await node.snapshot();
    await add(3);
    const probe = sent.findLast(({ type, to }) => type === "MsgApp" && to === 2);
    if (probe === undefined) throw new Error("a new member is probed");
    const refusal = appendRejected({
      from: 2,
      to: 1,
      term: probe.term,
      rejected: probe.index,
      hintIndex: 0,
      hintTerm: 0,
      commit: 0,
      requestSnapshot: 0,
    });
    node.receive(2, encodeMessages([refusal]));
    await settle();
    const offered = sent.find(({ type }) => type === "MsgSnap")?.snapshot?.metadata;
    expect(offered).toEqual(taken);
    expect(offered?.confState.learners).toEqual([2]);
    expect(node.confState.learners).toEqual([2, 3]);
  });

  it("refuses messages in another's name, and counts them", async () => {
    const { node } = await openLeader(createMemoryMedium());
    const before = node.status();
    const forged = appendAccepted(3, 1, before.term, 9, 0);
    node.receive(2, encodeMessages([forged]));
    node.receive(1, encodeMessages([{ ...forged, from: 1 }]));
    expect(node.refused).toBe(2);
    expect(node.status()).toEqual(before);
  });

  it("throws nothing but a decode error for a frame that is none", async () => {
    const { node } = await openLeader(createMemoryMedium());
    expect(() => node.receive(2, new Uint8Array([255, 255, 255]))).toThrow(
      expect.objectContaining({ code: "DECODE" }),
    );
  });
});
