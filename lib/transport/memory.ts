/**
 * Peers of one process: a network that delays, loses, repeats and cuts, the same way for the same seed and clock.
 *
 * Every two open transports have a link unless a partition lies between them. A cut is silent: frames vanish at once,
 * and only after `detectMs` do both ends see the link go down, as with real channels. A frame is delivered if its link is
 * still the one it was sent on. Meant for tests; the simulator builds on it.
 */
import type { Clock } from "../base/clock.js";
import { createEmitter, type Emitter } from "../base/emitter.js";
import { LogboomError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import type { NodeId } from "../core/types.js";
import { frameBytesMax, type PeerEvent, type SendOptions, type Transport } from "./transport.js";

export interface MemoryNetworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** One way, uniformly from this range of milliseconds: unequal delays reorder frames. Default [1, 1]. */
  readonly latencyMs?: readonly [number, number];
  /** Of a hundred frames, how many are lost, and how many arrive twice. Default 0. */
  readonly lossPercent?: number;
  readonly repeatPercent?: number;
  /** From a cut to the end of the link. Default 5,000. */
  readonly detectMs?: number;
}

export interface MemoryNetwork {
  /** @throws LogboomError `BAD_INPUT` while a transport of this id is open. */
  open(self: NodeId): Transport;
  /** From now on frames pass only within a group; ids named in none form one more group. */
  partition(...groups: readonly (readonly NodeId[])[]): void;
  heal(): void;
}

/** Bytes on their way from one peer to another beyond which `send` refuses. */
const inFlightBytesMax = 16 * 1024 * 1024;
/** A bulk frame takes a millisecond more for every 16 KiB, so that others overtake it. */
const bulkBytesPerMs = 16 * 1024;

interface LinkState {
  up: boolean;
  generation: number;
}

interface End {
  readonly transport: Transport;
  readonly events: Emitter<PeerEvent>;
  readonly inFlight: Map<NodeId, number>;
  deliver(from: NodeId, frame: Uint8Array): void;
}

export function createMemoryNetwork(options: MemoryNetworkOptions): MemoryNetwork {
  return new Network(options);
}

class Network implements MemoryNetwork {
  readonly #options: Required<MemoryNetworkOptions>;
  readonly #ends = new Map<NodeId, End>();
  readonly #links = new Map<string, LinkState>();
  #groups: readonly (readonly NodeId[])[] = [];

  constructor(options: MemoryNetworkOptions) {
    this.#options = {
      latencyMs: [1, 1],
      lossPercent: 0,
      repeatPercent: 0,
      detectMs: 5000,
      ...options,
    };
  }

  open(self: NodeId): Transport {
    if (this.#ends.has(self)) throw new LogboomError("BAD_INPUT", `peer ${self} is open already`);
    const events = createEmitter<PeerEvent>();
    let receive: (from: NodeId, frame: Uint8Array) => void = () => {};
    const transport: Transport = {
      self,
      send: (to, frame, options) => this.#send(self, to, frame, options),
      onFrame(next) {
        receive = next;
      },
      onPeer: (listener) => events.on(listener),
      peers: () => this.#neighbours(self),
      close: async () => this.#close(self, transport),
    };
    const deliver = (from: NodeId, frame: Uint8Array): void => receive(from, frame);
    this.#ends.set(self, { transport, events, inFlight: new Map(), deliver });
    for (const other of this.#ends.keys()) if (other !== self) this.#settle(self, other);
    return transport;
  }

  partition(...groups: readonly (readonly NodeId[])[]): void {
    this.#groups = groups;
    this.#settleAll();
  }

  heal(): void {
    this.partition();
  }

  // ── links ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #settleAll(): void {
    const ids = [...this.#ends.keys()];
    for (const a of ids) for (const b of ids) if (a < b) this.#settle(a, b);
  }

  /** Brings the link of two open peers to what the partition allows, after the time that takes to notice. */
  #settle(a: NodeId, b: NodeId): void {
    const { clock, latencyMs, detectMs } = this.#options;
    clock.after(this.#passes(a, b) ? latencyMs[1] : detectMs, () => {
      const [one, other] = [this.#ends.get(a), this.#ends.get(b)];
      const link = this.#link(a, b);
      if (one === undefined || other === undefined || link.up === this.#passes(a, b)) return;
      link.up = !link.up;
      if (link.up) link.generation++;
      for (const [end, peer] of [
        [one, b],
        [other, a],
      ] as const) {
        const { generation } = link;
        end.events.emit(
          link.up
            ? { type: "up", peer, generation, via: "memory" }
            : { type: "down", peer, generation, reason: "nothing heard" },
        );
      }
    });
  }

  #close(self: NodeId, transport: Transport): void {
    const end = this.#ends.get(self);
    if (end === undefined || end.transport !== transport) return;
    this.#ends.delete(self);
    end.events.clear();
    for (const [id, other] of this.#ends) {
      const link = this.#link(self, id);
      if (!link.up) continue;
      link.up = false;
      const { generation } = link;
      other.events.emit({ type: "down", peer: self, generation, reason: "the peer said goodbye" });
    }
  }

  #link(a: NodeId, b: NodeId): LinkState {
    const key = a < b ? `${a} ${b}` : `${b} ${a}`;
    const link = this.#links.get(key) ?? { up: false, generation: 0 };
    this.#links.set(key, link);
    return link;
  }

  #passes(a: NodeId, b: NodeId): boolean {
    const group = (id: NodeId): number => this.#groups.findIndex((ids) => ids.includes(id));
    return group(a) === group(b);
  }

  #neighbours(self: NodeId): readonly NodeId[] {
    if (!this.#ends.has(self)) return [];
    return [...this.#ends.keys()].filter((id) => id !== self && this.#link(self, id).up);
  }

  // ── frames ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #send(from: NodeId, to: NodeId, frame: Uint8Array, options?: SendOptions): boolean {
    const sender = this.#ends.get(from);
    if (sender === undefined || !this.#ends.has(to) || !this.#link(from, to).up) return false;
    const inFlight = sender.inFlight.get(to) ?? 0;
    if (frame.length > frameBytesMax) return false;
    if (inFlight > 0 && inFlight + frame.length > inFlightBytesMax) return false;
    const { random, lossPercent, repeatPercent } = this.#options;
    const bulk = options?.bulk === true;
    if (random.below(100) >= lossPercent) this.#carry(from, to, frame, bulk);
    if (random.below(100) < repeatPercent) this.#carry(from, to, frame, bulk);
    return true;
  }

  #carry(from: NodeId, to: NodeId, frame: Uint8Array, bulk: boolean): void {
    const { clock, random, latencyMs } = this.#options;
    const [least, most] = latencyMs;
    const extra = bulk ? frame.length / bulkBytesPerMs : 0;
    const { generation } = this.#link(from, to);
    const sender = this.#ends.get(from);
    const count = (bytes: number): void => {
      sender?.inFlight.set(to, (sender.inFlight.get(to) ?? 0) + bytes);
    };
    const copy = frame.slice();
    count(frame.length);
    clock.after(least + random.below(most - least + 1) + extra, () => {
      count(-frame.length);
      const link = this.#link(from, to);
      const same = link.up && link.generation === generation;
      if (same && this.#passes(from, to)) this.#ends.get(to)?.deliver(from, copy);
    });
  }
}
