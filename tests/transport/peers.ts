/** Peers of one room for tests of real transports, in Node and in a browser. */
import { seededRandom } from "../../lib/base/random.js";
import type { NodeId } from "../../lib/core/types.js";
import { type Identity, identityOf } from "../../lib/security/identity.js";
import {
  createPeerTransport,
  type PeerTransport,
  type PeerTransportOptions,
} from "../../lib/security/peer-transport.js";
import { type RoomKeys, roomKeysOf } from "../../lib/security/room-keys.js";
import { realClock } from "./real-clock.js";

export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

export function freshRoom(): Promise<RoomKeys> {
  return roomKeysOf(randomBytes(32));
}

export function freshIdentity(): Promise<Identity> {
  return identityOf(randomBytes(32), randomBytes(16));
}

let boots = 0;

export function openPeer(
  keys: RoomKeys,
  identity: Identity,
  options: Partial<PeerTransportOptions> = {},
): PeerTransport {
  const seed = new DataView(randomBytes(4).buffer as ArrayBuffer).getUint32(0);
  return createPeerTransport({
    identity,
    boot: { counter: ++boots, nonce: randomBytes(16) },
    keys,
    clock: realClock,
    random: seededRandom(seed),
    ...options,
  });
}

/** Resolves when `transport` has a link to `peer`, of the kind given if one is. */
export function linked(transport: PeerTransport, peer: NodeId, via?: string): Promise<void> {
  return new Promise((resolve) => {
    const there = (): boolean => {
      const kind = transport.via(peer);
      return kind !== undefined && (via === undefined || kind === via);
    };
    if (there()) {
      resolve();
      return;
    }
    const off = transport.onPeer(() => {
      if (!there()) return;
      off();
      resolve();
    });
  });
}

/** Resolves when `transport` has no link to `peer`. */
export function unlinked(transport: PeerTransport, peer: NodeId): Promise<void> {
  return new Promise((resolve) => {
    if (!transport.peers().includes(peer)) {
      resolve();
      return;
    }
    const off = transport.onPeer((event) => {
      if (event.type !== "down" || event.peer !== peer) return;
      off();
      resolve();
    });
  });
}
