/**
 * Transport: opaque frames between NodeIds. It may lose, repeat and reorder; it never changes a frame and never invents one.
 *
 * Implementations: WebRTC, WebSocket, BroadcastChannel, MessagePort, in-memory. `testing/conformance/transport.ts` is the
 * suite they pass.
 *
 * Guarantees of an adapter:
 * - `from` of a delivered frame is the peer the link was opened with, never what a frame claims.
 * - A frame up to `frameBytesMax` arrives whole or not at all.
 * - A link that is rebuilt has a higher `generation`; frames of an older one are dropped.
 * - `send` never blocks and never throws for a peer that is gone: it returns false, and the caller reports the peer unreachable.
 */
import type { NodeId } from "../core/types.js";

/** The largest frame a transport carries: 64 MiB. */
export const frameBytesMax: number = 64 * 1024 * 1024;

export interface SendOptions {
  /** Snapshots and large appends: queued behind everything else, so that heartbeats, votes and acks never wait for them. */
  readonly bulk?: boolean;
}

export type PeerEvent =
  | {
      readonly type: "up";
      readonly peer: NodeId;
      readonly generation: number;
      readonly via: LinkKind;
    }
  | {
      readonly type: "down";
      readonly peer: NodeId;
      readonly generation: number;
      readonly reason: string;
    };

export type LinkKind = "webrtc" | "broadcast" | "port" | "websocket" | "memory";

export interface Transport {
  readonly self: NodeId;
  /** False when there is no open link to `to` or its queue is full (the frame is dropped). */
  send(to: NodeId, frame: Uint8Array, options?: SendOptions): boolean;
  /** The one receiver of frames; set before `open`. */
  onFrame(receive: (from: NodeId, frame: Uint8Array) => void): void;
  onPeer(listener: (event: PeerEvent) => void): () => void;
  /** Peers with an open link right now. */
  peers(): readonly NodeId[];
  /** Closes every link; no event and no frame is delivered afterwards. Idempotent. */
  close(): Promise<void>;
}

/** A transport that finds peers by address is told where they are, at the start and whenever that changes. */
export interface AddressedTransport extends Transport {
  setAddresses?(addresses: ReadonlyMap<NodeId, string>): void;
}
