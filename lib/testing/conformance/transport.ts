/**
 * The transport suite: what every adapter of `transport/transport.ts` must do, as a plain list of cases for any test runner.
 *
 *     for (const { name, run } of transportConformance) test(name, () => run(target()));
 *
 * Each case gets a target of its own: a network whose peers find each other. A case resolves, or rejects with an error that says
 * what was expected. Frames may be lost, repeated and reordered by contract; the network under test must not lose any in these cases.
 */
import { equalBytes } from "../../base/bytes.js";
import { seededRandom } from "../../base/random.js";
import type { NodeId } from "../../core/types.js";
import { frameBytesMax, type PeerEvent, type Transport } from "../../transport/transport.js";
import { check, same } from "./expect.js";

/** One network under test. */
export interface TransportTarget {
  /** Opens a further peer. */
  open(): Promise<Transport>;
  /** The same peer, opened again after `close`. */
  reopen(closed: Transport): Promise<Transport>;
  /** Resolves when `condition` holds, letting time pass; rejects when it does not for an unreasonable time. */
  until(condition: () => boolean): Promise<void>;
}

export interface TransportCase {
  readonly name: string;
  run(target: TransportTarget): Promise<void>;
}

interface Received {
  readonly from: NodeId;
  readonly frame: Uint8Array;
}

/** A transport, with all that came out of it. */
interface Observed {
  readonly transport: Transport;
  readonly id: NodeId;
  readonly frames: Received[];
  readonly events: PeerEvent[];
}

function observe(transport: Transport): Observed {
  const observed: Observed = { transport, id: transport.self, frames: [], events: [] };
  transport.onFrame((from, frame) => observed.frames.push({ from, frame }));
  transport.onPeer((event) => observed.events.push(event));
  return observed;
}

async function openLinked(target: TransportTarget, count: number): Promise<Observed[]> {
  const peers: Observed[] = [];
  for (let i = 0; i < count; i++) peers.push(observe(await target.open()));
  await target.until(() => peers.every((peer) => peer.transport.peers().length === count - 1));
  return peers;
}

function pairOf(peers: readonly Observed[]): readonly [Observed, Observed] {
  const [a, b] = peers;
  check(a !== undefined && b !== undefined, "two peers");
  return [a, b];
}

/** Bytes that a lost or moved part would give away. */
function noise(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = random.below(0x100000000);
  return new Uint8Array(words.buffer, 0, length);
}

const sizes = [0, 1, 1000, 16_383, 16_384, 16_385, 65_536, 262_145, 3_000_000];

export const transportConformance: readonly TransportCase[] = [
  {
    name: "two peers find each other, and each is told once which way",
    async run(target) {
      const [a, b] = pairOf(await openLinked(target, 2));
      for (const [one, other] of [
        [a, b],
        [b, a],
      ] as const) {
        same(one.transport.peers(), [other.id]);
        const up = one.events.at(-1);
        check(up?.type === "up" && up.peer === other.id, "the last event is the other's `up`");
        check(up.generation >= 1, "a generation counts from 1");
      }
    },
  },
  ...sizes.map((size, index) => ({
    name: `a frame of ${size} bytes arrives as it was sent, from who sent it`,
    async run(target: TransportTarget) {
      const [a, b] = pairOf(await openLinked(target, 2));
      const frame = noise(size, index);
      check(a.transport.send(b.id, frame, { bulk: size > 1_000_000 }), "it was taken");
      await target.until(() => b.frames.length > 0);
      const [received] = b.frames;
      same(received?.from, a.id);
      check(equalBytes(received?.frame ?? new Uint8Array(1), frame), "the same bytes");
      same(a.frames.length, 0);
    },
  })),
  {
    name: "frames of all sizes arrive whole while both sides send",
    async run(target) {
      const [a, b] = pairOf(await openLinked(target, 2));
      const frames = sizes.map((size, index) => noise(size, index));
      for (const frame of frames) {
        for (const bulk of [false, true]) {
          check(a.transport.send(b.id, frame, { bulk }), "it was taken");
          check(b.transport.send(a.id, frame, { bulk }), "it was taken");
        }
      }
      const all = 2 * frames.length;
      await target.until(() => a.frames.length >= all && b.frames.length >= all);
      for (const { frames: arrived } of [a, b]) {
        for (const frame of frames) {
          const copies = arrived.filter((one) => equalBytes(one.frame, frame)).length;
          check(copies === 2, `two frames of ${frame.length} bytes, got ${copies}`);
        }
      }
    },
  },
  {
    name: "a frame overtakes bulk ones that wait",
    async run(target) {
      const [a, b] = pairOf(await openLinked(target, 2));
      const bulk = noise(6_000_000, 1);
      check(a.transport.send(b.id, bulk, { bulk: true }), "the bulk frame was taken");
      check(a.transport.send(b.id, Uint8Array.of(7)), "the other was taken");
      await target.until(() => b.frames.length === 2);
      same(
        b.frames.map(({ frame }) => frame.length),
        [1, 6_000_000],
      );
    },
  },
  {
    name: "a queue that is full refuses at once, and takes frames again when it has drained",
    async run(target) {
      const [a, b] = pairOf(await openLinked(target, 2));
      const frame = new Uint8Array(1024 * 1024);
      let taken = 0;
      while (taken < 200 && a.transport.send(b.id, frame, { bulk: true })) taken++;
      check(taken < 200, "200 MiB are not taken at once");
      await target.until(() => b.frames.length === taken);
      check(a.transport.send(b.id, frame, { bulk: true }), "one more is taken afterwards");
      await target.until(() => b.frames.length === taken + 1);
    },
  },
  {
    name: "a frame to nobody, or above the bound, is refused",
    async run(target) {
      const [a, b] = pairOf(await openLinked(target, 2));
      same(a.transport.send(12_345, Uint8Array.of(1)), false);
      same(a.transport.send(a.id, Uint8Array.of(1)), false);
      same(a.transport.send(b.id, new Uint8Array(frameBytesMax + 1)), false);
    },
  },
  {
    name: "three peers: each frame reaches whom it was for, and nobody else",
    async run(target) {
      const peers = await openLinked(target, 3);
      for (const from of peers) {
        for (const to of peers) {
          if (from !== to)
            check(from.transport.send(to.id, Uint8Array.of(peers.indexOf(to))), "sent");
        }
      }
      await target.until(() => peers.every((peer) => peer.frames.length === 2));
      peers.forEach((peer, index) => {
        same(
          peer.frames.map(({ frame }) => frame[0]),
          [index, index],
        );
        same(new Set(peer.frames.map(({ from }) => from)).size, 2);
      });
    },
  },
  {
    name: "a peer that closes is down at the others, and silent itself",
    async run(target) {
      const [a, b] = pairOf(await openLinked(target, 2));
      const before = a.events.length;
      await a.transport.close();
      await a.transport.close();
      await target.until(() => b.transport.peers().length === 0);
      same(b.events.at(-1)?.type, "down");
      same(a.events.length, before);
      same(a.transport.send(b.id, Uint8Array.of(1)), false);
      same(b.transport.send(a.id, Uint8Array.of(1)), false);
      same(a.transport.peers(), []);
    },
  },
  {
    name: "a peer that returns has a link of a higher generation, and no frame of the one before",
    async run(target) {
      const [a, b] = pairOf(await openLinked(target, 2));
      a.transport.send(b.id, noise(2_000_000, 3), { bulk: true });
      await a.transport.close();
      await target.until(() => b.transport.peers().length === 0);
      const again = observe(await target.reopen(a.transport));
      same(again.id, a.id);
      await target.until(
        () => again.transport.peers().length === 1 && b.transport.peers().length === 1,
      );
      const arrived = b.frames.length;
      check(again.transport.send(b.id, Uint8Array.of(9)), "it was taken");
      await target.until(() => b.frames.length > arrived);
      same(b.frames.at(-1)?.frame, Uint8Array.of(9));
      const generations = b.events.filter(({ type }) => type === "up").map((up) => up.generation);
      check(
        generations.every((generation, i) => i === 0 || generation > (generations[i - 1] ?? 0)),
        `rising generations, got ${generations.join(", ")}`,
      );
    },
  },
  {
    name: "a listener that was taken off hears nothing",
    async run(target) {
      const [a, b] = pairOf(await openLinked(target, 2));
      let heard = 0;
      const off = b.transport.onPeer(() => heard++);
      off();
      await a.transport.close();
      await target.until(() => b.transport.peers().length === 0);
      same(heard, 0);
    },
  },
];
