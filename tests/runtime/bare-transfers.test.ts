/** Streamed snapshots under a BareNode alone: what a room, or whoever else brings a protocol of its own, has to do for them. */
import { expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { decodeMessages, encodeMessages } from "../../lib/codec/raftpb.js";
import { noBytes } from "../../lib/core/types.js";
import { BareNode, nodeTiming } from "../../lib/runtime/bare-node.js";
import { packFrame, raftFrame, transferFrame, unpackFrame } from "../../lib/runtime/frames.js";
import { Transfers } from "../../lib/runtime/transfers.js";
import { openMemoryStore } from "../../lib/storage/memory.js";
import { createVirtualClock } from "../../lib/testing/virtual-clock.js";
import { createMemoryNetwork } from "../../lib/transport/memory.js";
import { bytes, Journal, settle } from "./cluster.js";

const clock = createVirtualClock();
const network = createMemoryNetwork({ clock, random: seededRandom(2), detectMs: 100 });

async function open(id: number, founds: boolean) {
  const store = await openMemoryStore();
  const transport = network.open(id);
  const machine = new Journal();
  const inline: number[] = [];
  const failures: unknown[] = [];
  const transfers: Transfers = new Transfers({
    clock,
    store: store.snapshots,
    transport,
    bare: () => node,
  });
  const node: BareNode<number> = await BareNode.open<number>({
    id,
    store,
    machine,
    clock,
    random: seededRandom(id),
    timing: nodeTiming,
    snapshotBodies: "stored",
    ...(founds ? { found: () => bytes("[]") } : {}),
    events: {
      send(to, message) {
        if (message.type === "MsgSnap" && message.snapshot?.data.length === 0) {
          return transfers.start(message);
        }
        if (message.type === "MsgSnap") inline.push(to);
        return transport.send(to, packFrame(raftFrame, encodeMessages([message])));
      },
      applied: () => {},
      restored: () => {},
      configured: () => {},
      softState: () => {},
      progressed: () => {},
      failed: (error) => failures.push(error),
    },
  });
  node.start();
  transport.onFrame((from, frame) => {
    const { kind, body } = unpackFrame(frame);
    if (kind === transferFrame) transfers.receive(from, body);
    else node.step(from, decodeMessages(body));
  });
  transport.onPeer(({ type, peer }) => {
    if (type === "up") return;
    node.unreachable(peer);
    transfers.unreachable(peer);
  });
  const close = async (): Promise<void> => {
    await transport.close();
    await node.close();
    await transfers.close();
  };
  return { node, machine, transfers, inline, failures, close };
}

it("a newcomer gets a large state in chunks, over a link that breaks midway, and the leader's messages stay small", async () => {
  const pass = async (holds: () => boolean): Promise<void> => {
    for (let ms = 0; !holds() && ms < 60_000; ms += 5) {
      clock.advance(5);
      await settle();
    }
    expect(holds()).toBe(true);
  };
  const leader = await open(1, true);
  const follower = await open(2, false);
  leader.node.campaign();
  await pass(() => leader.node.status().role === "leader");
  for (let i = 0; i < 40; i++) leader.node.propose(new Uint8Array(50_000).fill(97));
  await pass(() => leader.machine.commands.length === 40);
  const changes = [{ type: "ConfChangeAddLearnerNode" as const, nodeId: 2 }];
  leader.node.proposeConfChange({
    transition: "auto",
    changes,
    context: noBytes,
    unknown: undefined,
  });
  await pass(() => leader.transfers.sending === 1);
  clock.advance(20);
  network.partition([1], [2]);
  await pass(() => leader.transfers.sending === 0);
  network.heal();
  await pass(() => follower.machine.commands.length === 40);
  expect(leader.inline).toEqual([]);
  await pass(() => leader.transfers.sending === 0);
  await leader.close();
  await follower.close();
  expect([...leader.failures, ...follower.failures]).toEqual([]);
});
