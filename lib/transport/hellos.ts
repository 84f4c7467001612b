/**
 * Hellos: the ways that are open, who was met there, and when to say hello again.
 *
 * A relay tells who comes, so hellos are repeated only while somebody there is not linked. A BroadcastChannel tells nothing, so they are
 * repeated always, and who was not heard for three of them is not there any more.
 */
import type { Address, WayName } from "./way.js";

export const helloTimes = { broadcastMs: 4_000, relayMs: 15_000 } as const;

/** A peer on a BroadcastChannel that was last heard then is taken to be gone. */
export function isForgotten(heardAt: number, now: number): boolean {
  return now - heardAt > 3 * helloTimes.broadcastMs;
}

interface OpenWay {
  readonly addresses: Set<Address>;
  helloAt: number;
}

export class Hellos {
  readonly #ways = new Map<WayName, OpenWay>();

  open(way: WayName, addresses: readonly Address[], now: number): void {
    this.#ways.set(way, { addresses: new Set(addresses), helloAt: now });
  }

  close(way: WayName): void {
    this.#ways.delete(way);
  }

  arrived(way: WayName, address: Address): void {
    this.#ways.get(way)?.addresses.add(address);
  }

  left(way: WayName, address: Address): void {
    this.#ways.get(way)?.addresses.delete(address);
  }

  openWays(): readonly WayName[] {
    return [...this.#ways.keys()];
  }

  /** Ways on which it is time; they count as greeted then. `linked` are the addresses of peers with a link. */
  due(now: number, linked: (way: WayName) => ReadonlySet<Address>): readonly WayName[] {
    const names: WayName[] = [];
    for (const [name, way] of this.#ways) {
      const every = name === "broadcast" ? helloTimes.broadcastMs : helloTimes.relayMs;
      if (now - way.helloAt < every || (name === "relay" && !hasStranger(way, linked(name))))
        continue;
      way.helloAt = now;
      names.push(name);
    }
    return names;
  }
}

function hasStranger(way: OpenWay, linked: ReadonlySet<Address>): boolean {
  return [...way.addresses].some((address) => !linked.has(address));
}
