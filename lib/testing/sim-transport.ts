/**
 * SimTransport: a RaftNode's way into the simulated network, of one life of one process.
 *
 * Frames carry the boot of who sends them, and the roster that ships with the transports says at each receiver whether that boot still
 * counts: of two that run under one identity (a copied store, one opened twice) the newer is heard. A life before it is over for whoever
 * has heard of it. With a network that keeps no generations apart nobody looks, and all of it arrives.
 *
 * Not here: signaling. That a boot has begun is heard by everybody at once (simulator.ts); the first frame would say so as well.
 */
import { createEmitter, type Emitter } from "../base/emitter.js";
import type { NodeId } from "../core/types.js";
import type { Boot } from "../transport/channel.js";
import { Roster } from "../transport/roster.js";
import type { PeerEvent, Transport } from "../transport/transport.js";

export interface TransportWorld {
  /** Called with each frame before it is sent. */
  saying(frame: Uint8Array): void;
  send(to: NodeId, bytes: Uint8Array): boolean;
  /** Who can be reached now, as far as anybody knows. */
  peers(): readonly NodeId[];
  now(): number;
  /** Frames of boots that are over are refused. */
  readonly generations: boolean;
  /** Something came of a boot of `from` that does not count any more. */
  refused(from: NodeId, boot: Boot): void;
}

const counterBytes = 8;
const nonceBytes = 16;

export class SimTransport implements Transport {
  readonly self: NodeId;
  readonly boot: Boot;
  readonly #world: TransportWorld;
  readonly #roster = new Roster();
  readonly #events: Emitter<PeerEvent> = createEmitter<PeerEvent>();
  #receive: (from: NodeId, frame: Uint8Array) => void = () => {};
  #closed = false;

  constructor(self: NodeId, boot: Boot, world: TransportWorld) {
    this.self = self;
    this.boot = boot;
    this.#world = world;
  }

  send(to: NodeId, frame: Uint8Array): boolean {
    if (!this.#closed) this.#world.saying(frame);
    return !this.#closed && this.#world.send(to, packed(this.boot, frame));
  }

  onFrame(receive: (from: NodeId, frame: Uint8Array) => void): void {
    this.#receive = receive;
  }

  onPeer(listener: (event: PeerEvent) => void): () => void {
    return this.#events.on(listener);
  }

  peers(): readonly NodeId[] {
    return this.#closed ? [] : this.#world.peers();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#events.clear();
  }

  /** Bytes have come. */
  deliver(from: NodeId, bytes: Uint8Array): void {
    if (this.#closed) return;
    if (this.hears(from, bootOf(bytes)))
      this.#receive(from, bytes.slice(counterBytes + nonceBytes));
  }

  /** Somebody speaks as a boot of `peer`. False when it does not count. */
  hears(peer: NodeId, boot: Boot): boolean {
    if (!this.#world.generations) return true;
    const now = this.#world.now();
    const recognised = this.#roster.recognise(peer, boot, now);
    if (recognised === undefined) {
      this.#world.refused(peer, boot);
      return false;
    }
    if (recognised.first === "boot") this.#roster.bootAnew(recognised.peer, boot, now);
    return true;
  }

  /** The link to `peer` came up or went down. */
  link(peer: NodeId, up: boolean, generation: number): void {
    if (this.#closed) return;
    if (up) this.#events.emit({ type: "up", peer, generation, via: "memory" });
    else this.#events.emit({ type: "down", peer, generation, reason: "nothing heard" });
  }
}

function packed({ counter, nonce }: Boot, frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(counterBytes + nonceBytes + frame.length);
  new DataView(bytes.buffer).setFloat64(0, counter);
  bytes.set(nonce, counterBytes);
  bytes.set(frame, counterBytes + nonceBytes);
  return bytes;
}

function bootOf(bytes: Uint8Array): Boot {
  const counter = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
  return { counter, nonce: bytes.subarray(counterBytes, counterBytes + nonceBytes) };
}
