/**
 * Transfers: the snapshots on their way from and to a BareNode that was opened with `snapshotBodies: "stored"`.
 *
 * Whoever owns the node gives each MsgSnap without a body to `start`, each frame of the kind `transferFrame` to `receive`, and the end of
 * each link to `unreachable`; the rest is between the node and the transport.
 *
 * Not here: the two ends of one (transfer-out.ts, transfer-in.ts), which snapshot is sent (snapshots.ts, the core).
 */
import type { Clock } from "../base/clock.js";
import type { Message, NodeId, SnapshotMetadata } from "../core/types.js";
import type { SnapshotStore } from "../storage/storage.js";
import type { Transport } from "../transport/transport.js";
import type { BareNode } from "./bare-node.js";
import { packFrame, transferFrame } from "./frames.js";
import { decodeTransferFrame, encodeTransferFrame, type TransferFrame } from "./transfer-frames.js";
import { TransferIn } from "./transfer-in.js";
import { TransferOut } from "./transfer-out.js";

/** Bodies on their way out at the same time; for more the core is told to try later. */
export const transfersMax = 16;

export interface TransfersOptions {
  readonly clock: Clock;
  readonly store: SnapshotStore;
  readonly transport: Pick<Transport, "send">;
  /** The node, once there is one: asked for when the first frame comes or goes. */
  bare(): Pick<
    BareNode<unknown>,
    "snapshots" | "status" | "step" | "snapshotEnded" | "storeFailed"
  >;
  /** After the node was told. */
  ended?(to: NodeId, metadata: SnapshotMetadata, outcome: "arrived" | "failed"): void;
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
      send: (to, frame) => this.#send(to, frame),
      needs: (message) => (message.snapshot?.metadata.index ?? 0) >= options.bare().status().commit,
      arrived: (from, message) => options.bare().step(from, [message]),
      storeFailed: (error) => options.bare().storeFailed(error),
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
    const unpin = this.#options.bare().snapshots.pin(metadata);
    const transfer = new TransferOut({
      id: ++this.#ids,
      to,
      message,
      metadata,
      clock: this.#options.clock,
      read: (which) => this.#options.store.read(which),
      send: (peer, frame) => this.#send(peer, frame),
      ended: (outcome, storeError) => {
        unpin();
        if (this.#out.get(to) === transfer) {
          this.#out.delete(to);
          this.#options.bare().snapshotEnded(to, outcome);
          this.#options.ended?.(to, metadata, outcome);
        }
        if (storeError !== undefined) this.#options.bare().storeFailed(storeError);
      },
    });
    this.#out.set(to, transfer);
    return true;
  }

  /** @param body  of a frame of the kind `transferFrame` @throws DecodeError, nothing else */
  receive(from: NodeId, body: Uint8Array): void {
    const frame = decodeTransferFrame(body);
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

  #send(to: NodeId, frame: TransferFrame): boolean {
    const packed = packFrame(transferFrame, encodeTransferFrame(frame));
    return this.#options.transport.send(to, packed, { bulk: frame.type === "chunk" });
  }

  async close(): Promise<void> {
    for (const transfer of [...this.#out.values()]) transfer.end("failed");
    await this.#in.close();
  }
}
