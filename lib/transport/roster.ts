/**
 * Roster: the peers heard of, what is known of each, and which boot of it counts.
 *
 * A peer's boots are ordered by their counters. A boot that was followed by a later one, or that said goodbye, never counts again:
 * what is heard of it is a recording, or late. Bounded: the peer longest without way, link and attempt gives way to a new one.
 */
import { equalBytes } from "../base/bytes.js";
import type { NodeId } from "../core/types.js";
import type { Boot } from "./channel.js";
import type { DialledKind } from "./envelope.js";
import { Redial } from "./redial.js";
import type { Attempt } from "./session.js";
import type { LinkKind } from "./transport.js";
import type { Address, WayName } from "./way.js";

export const rosterPeersMax = 256;

export interface HeardPeer {
  readonly id: NodeId;
  boot: Boot;
  /** This boot has said goodbye. */
  departed: boolean;
  /** Where it was heard, and when last. */
  readonly ways: Map<WayName, { readonly address: Address; readonly heardAt: number }>;
  readonly attempts: Map<DialledKind, Attempt>;
  /** Open links, and since when. */
  readonly links: Map<LinkKind, number>;
  /** Since when it is heard of and has no link. */
  unlinkedSince: number;
  redial: Readonly<Record<DialledKind, Redial>>;
  /** WebRTC attempts since the last that opened in which both ends spoke and found no path. */
  iceFailures: number;
}

/** A sender, and whether this is the first that is heard of it or of this boot. */
export interface Recognised {
  readonly peer: HeardPeer;
  readonly first: "peer" | "boot" | undefined;
}

export class Roster {
  readonly #peers = new Map<NodeId, HeardPeer>();
  /** Peers of this page that are linked by port; they need not have been heard of. */
  readonly #ports = new Set<NodeId>();

  [Symbol.iterator](): IterableIterator<HeardPeer> {
    return this.#peers.values();
  }

  get(id: NodeId): HeardPeer | undefined {
    return this.#peers.get(id);
  }

  /** The sender's record, brought up to this boot; undefined when the boot does not count or there is no room. */
  recognise(id: NodeId, boot: Boot, now: number): Recognised | undefined {
    const peer = this.#peers.get(id);
    if (peer === undefined) {
      if (!this.#makeRoom()) return undefined;
      return { peer: this.#meet(id, boot, now), first: "peer" };
    }
    if (boot.counter < peer.boot.counter) return undefined;
    if (boot.counter === peer.boot.counter) {
      const counts = equalBytes(boot.nonce, peer.boot.nonce) && !peer.departed;
      return counts ? { peer, first: undefined } : undefined;
    }
    return { peer, first: "boot" };
  }

  /** A later boot takes the record over; what belonged to the earlier one is forgotten. */
  bootAnew(peer: HeardPeer, boot: Boot, now: number): void {
    this.forgetLinks(peer, now);
    peer.ways.clear();
    peer.boot = ownCopy(boot);
    peer.departed = false;
    peer.unlinkedSince = now;
    peer.redial = newRedials();
    peer.iceFailures = 0;
  }

  /** A dead boot has no links but a port, which ends by itself and may be of a later boot already. */
  forgetLinks(peer: HeardPeer, now: number): void {
    peer.links.clear();
    if (this.#ports.has(peer.id)) peer.links.set("port", now);
  }

  portOpened(id: NodeId, now: number): void {
    this.#ports.add(id);
    this.#peers.get(id)?.links.set("port", now);
  }

  portClosed(id: NodeId): void {
    this.#ports.delete(id);
  }

  /** A way is down, or somebody has left it. */
  lost(way: WayName, address?: Address): void {
    for (const { ways } of this.#peers.values()) {
      if (address === undefined || ways.get(way)?.address === address) ways.delete(way);
    }
  }

  /** Addresses of peers that have a link. */
  linkedOn(way: WayName): ReadonlySet<Address> {
    const linked = new Set<Address>();
    for (const { links, ways } of this.#peers.values()) {
      const heard = ways.get(way);
      if (heard !== undefined && links.size > 0) linked.add(heard.address);
    }
    return linked;
  }

  /** Attempts under way that we began, or that others did. */
  underWay(initiator: boolean): number {
    let count = 0;
    for (const { attempts } of this.#peers.values()) {
      for (const { session } of attempts.values()) if (session.initiator === initiator) count++;
    }
    return count;
  }

  #meet(id: NodeId, boot: Boot, now: number): HeardPeer {
    const peer: HeardPeer = {
      id,
      boot: ownCopy(boot),
      departed: false,
      ways: new Map(),
      attempts: new Map(),
      links: new Map(),
      unlinkedSince: now,
      redial: newRedials(),
      iceFailures: 0,
    };
    this.forgetLinks(peer, now);
    this.#peers.set(id, peer);
    return peer;
  }

  #makeRoom(): boolean {
    if (this.#peers.size < rosterPeersMax) return true;
    for (const peer of this.#peers.values()) {
      const idle = peer.ways.size === 0 && peer.links.size === 0 && peer.attempts.size === 0;
      if (idle) return this.#peers.delete(peer.id);
    }
    return false;
  }
}

/** Where to reach a peer: a BroadcastChannel works without network; else the relay. */
export function bestWay(
  peer: HeardPeer,
): { readonly name: WayName; readonly address: Address } | undefined {
  for (const name of ["broadcast", "relay"] as const) {
    const way = peer.ways.get(name);
    if (way !== undefined) return { name, address: way.address };
  }
  return undefined;
}

const newRedials = (): Record<DialledKind, Redial> => ({
  webrtc: new Redial(),
  broadcast: new Redial(),
});

/** The bytes of an envelope are views of a message. */
function ownCopy(boot: Boot): Boot {
  return { counter: boot.counter, nonce: boot.nonce.slice() };
}
