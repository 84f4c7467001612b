/**
 * RoomView: one handle's view of state, status and peers: always current when it is read, and events when it changed.
 *
 * What is read is derived at that moment, so that a caller who awaited a command finds its effect; what did not change keeps its
 * identity.
 */
import { createEmitter, type Emitter } from "../base/emitter.js";
import type { SharedRoom } from "./shared-rooms.js";
import { peersOf, statusOf } from "./status.js";
import type { Peer, RoomStatus } from "./types.js";

export class RoomView<S> {
  readonly states: Emitter<undefined> = createEmitter();
  readonly statuses: Emitter<RoomStatus> = createEmitter();
  readonly changedPeers: Emitter<Peer> = createEmitter();
  readonly #shared: SharedRoom<S>;
  #state: unknown;
  #status: RoomStatus;
  #peers: readonly Peer[];
  /** As listeners were told last. */
  #told: { status: RoomStatus; peers: readonly Peer[] };

  constructor(shared: SharedRoom<S>) {
    this.#shared = shared;
    this.#state = shared.engine.state;
    this.#status = statusOf(shared.engine, shared.sources());
    this.#peers = peersOf(shared.engine);
    this.#told = { status: this.#status, peers: this.#peers };
  }

  get status(): RoomStatus {
    const { engine, sources } = this.#shared;
    const current = statusOf(engine, sources());
    if (!same(this.#status, current)) this.#status = current;
    return this.#status;
  }

  get peers(): readonly Peer[] {
    const current = peersOf(this.#shared.engine);
    if (!same(this.#peers, current)) {
      const known = new Map(this.#peers.map((peer) => [peer.id, peer]));
      this.#peers = current.map((peer) => {
        const before = known.get(peer.id);
        return before !== undefined && same(before, peer) ? before : peer;
      });
    }
    return this.#peers;
  }

  /** Something may have changed: whoever listens hears of what did. */
  refresh(): void {
    const { state } = this.#shared.engine;
    const { status, peers } = this;
    const before = this.#told;
    this.#told = { status, peers };
    if (state !== this.#state) {
      this.#state = state;
      this.states.emit(undefined);
    }
    if (status !== before.status) this.statuses.emit(status);
    for (const peer of peers) if (!before.peers.includes(peer)) this.changedPeers.emit(peer);
  }
}

/** Plain records of plain values. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
