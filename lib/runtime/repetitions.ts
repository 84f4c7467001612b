/**
 * Repetitions: requests that a transport delivered twice, told from new ones, so that a command proposed once is appended once.
 *
 * Who asks numbers its requests upwards, through all its lives: the store's boot counter stands above a counter of this life. What is
 * further behind the highest than the window is not served either: whoever sent it is told nothing, and so does not know its fate.
 */
import type { NodeId } from "../core/types.js";

/** Requests of one peer that may be overtaken. */
export const requestWindow = 4096;

/** The first number of a life. Lives up to 2^17, requests in each up to 2^36. */
export function firstRequestId(boot: number): number {
  return (boot % 2 ** 17) * 2 ** 36;
}

interface Seen {
  highest: number;
  readonly ids: Set<number>;
}

export class Repetitions {
  readonly #peers = new Map<NodeId, Seen>();

  /** Whether request `id` of `from` was not met before; now it was. */
  isNew(from: NodeId, id: number): boolean {
    const seen = this.#peers.get(from) ?? { highest: 0, ids: new Set() };
    this.#peers.set(from, seen);
    if (id <= seen.highest - requestWindow || seen.ids.has(id)) return false;
    seen.ids.add(id);
    seen.highest = Math.max(seen.highest, id);
    if (seen.ids.size > 2 * requestWindow) this.#forget(seen);
    return true;
  }

  keep(members: ReadonlySet<NodeId>): void {
    for (const id of this.#peers.keys()) if (!members.has(id)) this.#peers.delete(id);
  }

  #forget({ highest, ids }: Seen): void {
    for (const id of ids) if (id <= highest - requestWindow) ids.delete(id);
  }
}
