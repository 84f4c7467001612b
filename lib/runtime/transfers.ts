/**
 * Transfers: the snapshots on their way from and to this node.
 *
 * Not here: the two ends of one (transfer-out.ts, transfer-in.ts), which snapshot is sent (snapshots.ts, the core).
 */
import type { Clock } from "../base/clock.js";
import type { Message, NodeId, SnapshotMetadata } from "../core/types.js";
import type { SnapshotStore } from "../storage/storage.js";
import type { TransferFrame } from "./transfer-frames.js";
import { TransferIn } from "./transfer-in.js";
import { TransferOut } from "./transfer-out.js";

/** Bodies on their way out at the same time; for more the core is told to try later. */
export const transfersMax = 16;

export interface TransfersOptions {
  readonly clock: Clock;
  readonly store: SnapshotStore;
  send(to: NodeId, frame: TransferFrame): boolean;
  /** Keeps a snapshot while it is sent. */
  pin(metadata: SnapshotMetadata): () => void;
  needs(message: Message): boolean;
  arrived(from: NodeId, message: Message): void;
  ended(to: NodeId, metadata: SnapshotMetadata, outcome: "arrived" | "failed"): void;
  storeFailed(error: unknown): void;
}

export class Transfers {
  readonly #options: TransfersOptions;
  readonly #out = new Map<NodeId, TransferOut>();
  readonly #in: TransferIn;
  #ids = 0;

  constructor(options: TransfersOptions) {
    const { clock, store } = options;
    this.#options = options;
    this.#in = new TransferIn({
      clock,
      write: (metadata) => store.write(metadata),
      send: (to, frame) => options.send(to, frame),
      needs: (message) => options.needs(message),
      arrived: (from, message) => options.arrived(from, message),
      storeFailed: (error) => options.storeFailed(error),
    });
  }

  /** Bodies on their way out. */
  get sending(): number {
    return this.#out.size;
  }

  /** Begins to send the snapshot `message` names; false when that cannot be done now. */
  start(message: Message): boolean {
    const { to, snapshot } = message;
    if (snapshot === undefined) return false;
    // The core has begun anew with this follower: it must not hear of the former transfer's end.
    const former = this.#out.get(to);
    this.#out.delete(to);
    former?.end("failed");
    if (this.#out.size >= transfersMax) return false;
    const { metadata } = snapshot;
    const unpin = this.#options.pin(metadata);
    const transfer = new TransferOut({
      id: ++this.#ids,
      to,
      message,
      metadata,
      clock: this.#options.clock,
      read: (which) => this.#options.store.read(which),
      send: (peer, frame) => this.#options.send(peer, frame),
      ended: (outcome, storeError) => {
        unpin();
        if (this.#out.get(to) === transfer) {
          this.#out.delete(to);
          this.#options.ended(to, metadata, outcome);
        }
        if (storeError !== undefined) this.#options.storeFailed(storeError);
      },
    });
    this.#out.set(to, transfer);
    return true;
  }

  receive(from: NodeId, frame: TransferFrame): void {
    if (frame.type === "offer" || frame.type === "chunk" || frame.type === "end") {
      this.#in.receive(from, frame);
      return;
    }
    const transfer = this.#out.get(from);
    if (transfer?.id === frame.id) transfer.receive(frame);
  }

  /** The link to `peer` broke: a body under way is given up, the follower keeps what it has. */
  unreachable(peer: NodeId): void {
    this.#out.get(peer)?.end("failed");
  }

  async close(): Promise<void> {
    for (const transfer of [...this.#out.values()]) transfer.end("failed");
    await this.#in.close();
  }
}
