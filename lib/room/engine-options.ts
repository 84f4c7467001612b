/** What an engine is given by its page, and what it tells. */
import type { Clock } from "../base/clock.js";
import type { SlotOpening } from "./open-peer.js";
import type { RoomPeer } from "./peer.js";
import type { HeldSlot, Slots } from "./slots.js";

export interface EngineEvents {
  /** Status, peers or state may have changed; at most once a microtask. */
  changed: undefined;
  rejected: { readonly command: string; readonly input: unknown; readonly reason: string };
}

export interface EngineOptions<S> {
  readonly slots: Slots;
  readonly clock: Clock;
  readonly author: string;
  readonly machineVersion: number;
  /** Opens the peer of a held slot: store, identity, links, state; not yet started. */
  openPeer(opening: SlotOpening): Promise<RoomPeer<S>>;
  /** The peer of this slot is a member of the room, by what its store holds. */
  founded(slot: HeldSlot): Promise<void>;
  /** Links two peers of this page. */
  connect(a: RoomPeer<S>, b: RoomPeer<S>): void;
  /** Deletes the store of a closed peer. */
  deletePeer(peer: RoomPeer<S>): Promise<void>;
}
