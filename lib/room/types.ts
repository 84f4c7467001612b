/**
 * The room as its users see it: options, status, peers and events. DESIGN's words: a room is one replicated state with one
 * machine and one invite; a peer is one Raft node of it.
 */
import type { NodeId, Term } from "../core/types.js";
import type { Do, Immutable } from "../machines/machine.js";
import type { LinkKind } from "../transport/transport.js";

export interface RoomOptions {
  /** URL of the signaling relay, `wss://…` (or `ws://` on localhost). */
  readonly relay: string;
  /** `"tab"`: each tab is a peer of its own. Must be given; `"profile"` does not exist yet and throws `NOT_SUPPORTED`. */
  readonly peerPer: "tab" | "profile";
  /** How others see this device, at most 64 characters. Default: the browser's and system's name. */
  readonly name?: string;
  /** ICE servers for WebRTC, as the browser takes them. Default: none (same network only). */
  readonly iceServers?: readonly RTCIceServer[];
  /** Which room of this profile, for an app that has several kinds. Default: the machine's name. */
  readonly key?: string;
  /** Aborts the opening only. */
  readonly signal?: AbortSignal;
}

export interface OpenOptions extends RoomOptions {
  /** A link or fragment from `room.invite()`; empty or without an invite in it counts as none. Typically `location.hash`. */
  readonly invite?: string;
}

/** One peer of the room as this one sees it. */
export interface Peer {
  readonly id: NodeId;
  /** Device name given at opening. */
  readonly name: string;
  /** Who: one id per profile and room. */
  readonly author: string;
  readonly self: boolean;
  readonly role: "leader" | "voter" | "learner" | "joining";
  /** A link is open (always true for oneself). */
  readonly connected: boolean;
  readonly via: LinkKind | undefined;
  /** A tab that is gone, run by another tab of its profile until it is retired. */
  readonly adopted: boolean;
}

export interface RoomStatus {
  readonly role: "leader" | "voter" | "learner" | "joining";
  readonly leader: NodeId | undefined;
  readonly term: Term;
  readonly commit: number;
  readonly applied: number;
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** `"ok"`: a leader answers, commands are accepted. `"lost"`: they wait. */
  readonly quorum: "ok" | "lost";
  /** Voters whose return is waited for when the quorum is lost, grouped by device name. */
  readonly waitingFor: readonly { readonly name: string; readonly peers: number }[];
  /** The relay answers: newcomers can join. Open links do not depend on it. */
  readonly relay: "connected" | "connecting" | "off";
  /** WebRTC found no way to a peer: such networks (8–20 %) need a TURN server in `iceServers`. */
  readonly turnNeeded: boolean;
  /** Other peers with an open link. */
  readonly connected: number;
  /** Distinct profiles among the voters. */
  readonly durability: number;
  readonly storage: {
    readonly kind: "indexeddb";
    /** What `navigator.storage.persist()` answered. */
    readonly persisted: boolean | undefined;
  };
  /** Frames, envelopes and messages that were refused since the opening. */
  readonly refused: number;
  /** Why the room stopped for good, if it did. */
  readonly halted: string | undefined;
}

export interface RoomEvents<C, J extends string> {
  status: RoomStatus;
  peer: Peer;
  rejected: {
    readonly command: keyof C & string;
    readonly input: unknown;
    readonly reason: J | (string & {});
  };
}

export interface Room<S, C, J extends string> {
  readonly id: string;
  readonly do: Do<C>;
  /** Equal to `committed` until optimism exists. Same identity until it changes. */
  readonly state: Immutable<S>;
  readonly committed: Immutable<S>;
  readonly status: RoomStatus;
  readonly me: Peer;
  /** Every known peer, oneself included, by id. */
  readonly peers: readonly Peer[];
  /** Called after every change of `state`. Bound: works as an argument of `useSyncExternalStore`. */
  subscribe(listener: () => void): () => void;
  on<E extends keyof RoomEvents<C, J>>(
    type: E,
    listener: (event: RoomEvents<C, J>[E]) => void,
  ): () => void;
  /** A link that lets its bearer in; the secret is in its fragment. @param base default: this page's URL. */
  invite(base?: string): string;
  /** Stops. The last handle of a room in this page ends its peer. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
