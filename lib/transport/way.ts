/**
 * Way: a means by which peers without a link reach each other with envelopes: a relay, or a BroadcastChannel of this profile.
 * A way seals what it sends and hands out what it could open; it keeps no promise of delivery.
 */
export type WayName = "relay" | "broadcast";

/** Somebody on a way: a relay's connId; `toAll` for everybody, which is all that a BroadcastChannel knows. */
export type Address = number;
export const toAll: Address = 0;

export interface WayEvents {
  /** Envelopes can be sent; `addresses` are those met there (always none on a BroadcastChannel). */
  up(addresses: readonly Address[]): void;
  down(): void;
  arrived(address: Address): void;
  left(address: Address): void;
  received(from: Address, plain: Uint8Array): void;
}

export interface Way {
  /** Dropped while the way is down. */
  send(to: Address, plain: Uint8Array): void;
  /** No event follows. Idempotent. */
  close(): void;
}
