/**
 * Versions: which machine versions the members' code goes up to, as far as this node has heard, and when one may be activated.
 *
 * A version is activated by an entry of the log, proposed by a leader that has lately heard from every member that its code goes that far.
 * Whoever comes later with older code stops when it meets that entry, or a snapshot after it (membered-machine.ts). Membership cannot
 * change between the look and the entry: the entry is itself a change of configuration, and only one may be under way.
 */
import type { NodeId } from "../core/types.js";

/** What was heard longer ago does not count: a node may have been started again with other code. */
export const versionHeardMs = 25_000;

interface Heard {
  readonly supports: number;
  readonly at: number;
}

export class Versions {
  readonly #self: NodeId;
  readonly #supports: number;
  readonly #heard = new Map<NodeId, Heard>();

  /** @param supports  the highest version of our own code */
  constructor(self: NodeId, supports: number) {
    this.#self = self;
    this.#supports = supports;
  }

  heard(from: NodeId, supports: number, now: number): void {
    this.#heard.set(from, { supports, at: now });
  }

  /** The link broke: who comes back may be another program. */
  forget(peer: NodeId): void {
    this.#heard.delete(peer);
  }

  keep(members: ReadonlySet<NodeId>): void {
    for (const id of this.#heard.keys()) if (!members.has(id)) this.#heard.delete(id);
  }

  /** The highest version that every member's code can be. */
  common(members: ReadonlySet<NodeId>, now: number): number {
    return Math.min(this.#supports, ...[...members].map((id) => this.#supportOf(id, now)));
  }

  /** Why `version` cannot be activated, in words; undefined where it can. */
  objection(version: number, members: ReadonlySet<NodeId>, now: number): string | undefined {
    const lacking = [...members].filter((id) => this.#supportOf(id, now) < version);
    if (this.#supports < version) lacking.unshift(this.#self);
    if (lacking.length === 0) return undefined;
    const which = [...new Set(lacking)].map((id) => {
      const supports = this.#supportOf(id, now);
      return supports === 0
        ? `node ${id} was not heard of lately`
        : `node ${id} goes up to ${supports}`;
    });
    return `version ${version} needs every member's code: ${which.join(", ")}`;
  }

  #supportOf(id: NodeId, now: number): number {
    if (id === this.#self) return this.#supports;
    const heard = this.#heard.get(id);
    return heard !== undefined && now - heard.at <= versionHeardMs ? heard.supports : 0;
  }
}
