/** SimTransport: a RaftNode's way into the simulated network, of one life of one process. */
import { createEmitter, type Emitter } from "../base/emitter.js";
import type { NodeId } from "../core/types.js";
import type { PeerEvent, Transport } from "../transport/transport.js";

export interface TransportWorld {
  send(to: NodeId, frame: Uint8Array): boolean;
  /** Who can be reached now, as far as anybody knows. */
  peers(): readonly NodeId[];
}

export class SimTransport implements Transport {
  readonly self: NodeId;
  readonly #world: TransportWorld;
  readonly #events: Emitter<PeerEvent> = createEmitter<PeerEvent>();
  #receive: (from: NodeId, frame: Uint8Array) => void = () => {};
  #closed = false;

  constructor(self: NodeId, world: TransportWorld) {
    this.self = self;
    this.#world = world;
  }

  send(to: NodeId, frame: Uint8Array): boolean {
    return !this.#closed && this.#world.send(to, frame);
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

  /** A frame has come. */
  deliver(from: NodeId, frame: Uint8Array): void {
    if (!this.#closed) this.#receive(from, frame);
  }

  /** The link to `peer` came up or went down. */
  link(peer: NodeId, up: boolean, generation: number): void {
    if (this.#closed) return;
    if (up) this.#events.emit({ type: "up", peer, generation, via: "memory" });
    else this.#events.emit({ type: "down", peer, generation, reason: "nothing heard" });
  }
}
