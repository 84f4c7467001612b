/**
 * Channel: an ordered pipe of small messages to one other peer, while it lives. WebRTC, BroadcastChannel and MessagePort each
 * offer one; `link.ts` makes a link of it, after an `Authenticate` has shown who is at the other end.
 */
import type { NodeId } from "../core/types.js";
import type { LinkKind } from "./transport.js";

export interface ChannelHandlers {
  /** The bytes are the handler's to keep. */
  message(bytes: Uint8Array): void;
  /** `bufferedBytes` has fallen: sending may go on. */
  drained(): void;
  /** Once, at the end, unless this side closed it. */
  closed(reason: string): void;
}

export interface Channel {
  readonly kind: LinkKind;
  readonly messageBytesMax: number;
  /** Bytes handed over that have not left yet. */
  readonly bufferedBytes: number;
  /** Takes the place of the handlers before. What came before the first call is delivered during it, later calls deliver nothing. */
  listen(handlers: ChannelHandlers): void;
  /** False when the message was not taken: the channel is dead or dying. Never throws. */
  send(message: Uint8Array<ArrayBuffer>): boolean;
  /** No handler is called afterwards. Idempotent. */
  close(): void;
}

/** A peer's life between two openings of its store. */
export interface Boot {
  /** Durably raised at each opening. */
  readonly counter: number;
  /** 16 random bytes, drawn at opening. */
  readonly nonce: Uint8Array;
}

/** What a fresh channel is said to be, by signaling alone. */
export interface ChannelContext {
  readonly self: NodeId;
  readonly peer: NodeId;
  /** The dialling side. */
  readonly initiator: boolean;
  readonly selfBoot: Boot;
  readonly peerBoot: Boot;
  /** 16 bytes. */
  readonly session: Uint8Array;
  /** What ties the proof to this very channel: the DTLS fingerprints; empty where the channel has none. */
  readonly selfBinding: Uint8Array;
  readonly peerBinding: Uint8Array;
}

/** Who a peer has proved to be. */
export interface Credentials {
  readonly publicKey: Uint8Array;
  readonly storeId: Uint8Array;
}

/** `misbehaved`: the other end broke the protocol or is not who it was said to be; otherwise the channel just ended. */
export type Handshaken = Credentials | { readonly failed: string; readonly misbehaved: boolean };

/**
 * Has both ends prove who they are. Calls `done` once, in the same task as the message that decided, unless cancelled first; frames may
 * follow that message at once. The channel's handlers are its own until then.
 *
 * @returns cancels; the channel stays open
 */
export type Authenticate = (
  channel: Channel,
  context: ChannelContext,
  done: (result: Handshaken) => void,
) => () => void;
