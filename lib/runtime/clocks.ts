/**
 * Clocks: the wall clocks of the members as this node last heard of them, and which time a leader may therefore stamp (DESIGN §10).
 *
 * A tablet whose date is a year off must not put next year on everybody's commands when it comes to lead: since stamped time never goes
 * back, nobody could correct it. So members tell each other their clocks every ten seconds, and a leader more than a minute away from the
 * median of the voters' clocks stamps the median. What others say is kept against our monotonic clock: when our own wall clock jumps,
 * that is seen at once.
 */
import type { Clock } from "../base/clock.js";
import type { NodeId } from "../core/types.js";

/** A clock further from the median is not stamped. */
export const clockToleranceMs = 60_000;
/** What was heard longer ago says nothing. */
const heardMaxMs = 60_000;

export class Clocks {
  readonly #clock: Clock;
  readonly #self: NodeId;
  /** By member: its wall clock less our monotonic one, and when that was heard. */
  readonly #heard = new Map<NodeId, { readonly offset: number; readonly at: number }>();

  constructor(self: NodeId, clock: Clock) {
    this.#self = self;
    this.#clock = clock;
  }

  heard(from: NodeId, wall: number): void {
    const at = this.#clock.now();
    this.#heard.set(from, { offset: wall - at, at });
  }

  /** Forgets all but `members`. */
  keep(members: ReadonlySet<NodeId>): void {
    for (const id of this.#heard.keys()) if (!members.has(id)) this.#heard.delete(id);
  }

  /** What a leader may stamp: whole milliseconds since 1970. */
  now(voters: readonly NodeId[]): number {
    const now = this.#clock.now();
    const own = this.#clock.wall();
    const walls: number[] = [];
    for (const voter of voters) {
      if (voter === this.#self) {
        walls.push(own);
        continue;
      }
      const heard = this.#heard.get(voter);
      if (heard !== undefined && now - heard.at <= heardMaxMs) walls.push(heard.offset + now);
    }
    return Math.max(0, Math.floor(agreedTime(own, walls, voters.length)));
  }
}

/** Pure. `walls` are the clocks known, ours among them where we vote; without those of a majority nothing can be said against ours. */
export function agreedTime(own: number, walls: readonly number[], voters: number): number {
  if (2 * walls.length <= voters) return own;
  const ascending = [...walls].sort((a, b) => a - b);
  const lower = ascending[Math.floor((ascending.length - 1) / 2)] as number;
  const upper = ascending[Math.floor(ascending.length / 2)] as number;
  // Between two middles any time is a median: the one nearest to ours.
  const median = Math.min(Math.max(own, lower), upper);
  return Math.abs(own - median) > clockToleranceMs ? median : own;
}
