/**
 * The simulated network: frames between node ids that are late, lost, repeated, reordered, held back, or of an earlier life.
 *
 * "datagram" links lose and reorder. "channel" links are WebRTC's data channels as measured: ordered and reliable while they
 * stand; a cut one accepts frames silently and delivers them in one burst when it comes back, unless it was rebuilt
 * meanwhile. With `generations`, frames of an earlier channel or an earlier life of either end are dropped, as our transport does;
 * without, they arrive, as any network may let them.
 *
 * Every link is directed. Not here: who is cut off when (nemesis.ts).
 */
import type { Random } from "../base/random.js";
import type { NodeId } from "../core/types.js";
import type { EventQueue } from "./event-queue.js";
import { chance, exponential, type NetworkOptions } from "./sim-options.js";

export interface NetworkEvents {
  /** The life of `id` now; undefined when nobody runs under that id. */
  lifeOf(id: NodeId): number | undefined;
  /** The channel between the two was built anew. */
  rebuilt?(a: NodeId, b: NodeId): void;
  deliver(from: NodeId, to: NodeId, frame: Uint8Array): void;
  sometimes(what: string): void;
  /** Frames say which life of their sender they are of, and who receives them looks at it. */
  readonly bootsTell?: boolean;
}

interface Frame {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly bytes: Uint8Array;
  readonly fromLife: number | undefined;
  readonly toLife: number | undefined;
  readonly generation: number;
  readonly lane: Lane;
}

/** Of two channels between the same peers. */
type Lane = 0 | 1;

interface Link {
  cut: boolean;
  cutAt: number;
  clogged: boolean;
  generation: number;
  /** Ordered, each channel by itself: nothing is delivered before this. */
  readonly free: [number, number];
  /** The channel that stays, where both ends have dialled. */
  lane: Lane;
  /** Until then there are two. */
  glareUntil: number;
  held: Frame[];
}

/** Frames that a cut or clogged link holds; beyond it the oldest are lost. */
const heldMax = 200;
/** A channel cut for longer is rebuilt when it comes back (measured: `failed` after 16 s). */
const rebuiltAfterMs = 1_000;

export class SimNetwork {
  readonly #options: NetworkOptions;
  readonly #random: Random;
  readonly #queue: EventQueue;
  readonly #events: NetworkEvents;
  readonly #links = new Map<number, Link>();
  /** Milliseconds by which a peer is late. */
  readonly #lags = new Map<NodeId, number>();
  /** No faults any more but cuts. */
  calm = false;

  constructor(options: NetworkOptions, random: Random, queue: EventQueue, events: NetworkEvents) {
    this.#options = options;
    this.#random = random;
    this.#queue = queue;
    this.#events = events;
  }

  #link(from: NodeId, to: NodeId): Link {
    const key = from * 4096 + to;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = { cut: false, cutAt: 0, clogged: false, generation: 0, held: [], ...oneChannel() };
      this.#links.set(key, link);
    }
    return link;
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#link(from, to).cut;
  }

  cut(from: NodeId, to: NodeId): void {
    const link = this.#link(from, to);
    if (!link.cut) link.cutAt = this.#queue.now;
    link.cut = true;
  }

  mend(from: NodeId, to: NodeId): void {
    const link = this.#link(from, to);
    if (!link.cut) return;
    link.cut = false;
    if (this.#queue.now - link.cutAt > rebuiltAfterMs) {
      link.generation++;
      this.#events.rebuilt?.(from, to);
    }
    this.#release(link);
  }

  clog(from: NodeId, to: NodeId): void {
    this.#link(from, to).clogged = true;
  }

  unclog(from: NodeId, to: NodeId): void {
    const link = this.#link(from, to);
    link.clogged = false;
    this.#release(link);
  }

  /** What is under way between the two is of an earlier channel from now on. */
  rebuild(a: NodeId, b: NodeId): void {
    this.#link(a, b).generation++;
    this.#link(b, a).generation++;
    this.#events.rebuilt?.(a, b);
  }

  /** What `id` sends and hears is late by `ms` from now on. */
  lag(id: NodeId, ms: number): void {
    this.#lags.set(id, ms);
  }

  /** Both ends dial at once: two channels carry frames for `ms`, one of them stays, either may be slower. */
  glare(a: NodeId, b: NodeId, ms: number): void {
    if (this.#options.model !== "channel" || this.calm) return;
    this.#events.sometimes("both ends dialled at once");
    this.rebuild(a, b);
    const lane: Lane = this.#random.below(2) === 0 ? 0 : 1;
    for (const link of [this.#link(a, b), this.#link(b, a)]) {
      link.lane = lane;
      link.glareUntil = this.#queue.now + ms;
    }
  }

  /** False when the frame is known to be lost. */
  send(from: NodeId, to: NodeId, bytes: Uint8Array): boolean {
    const link = this.#link(from, to);
    const { lifeOf } = this.#events;
    const toLife = lifeOf(to);
    const frame: Frame = {
      from,
      to,
      bytes,
      fromLife: lifeOf(from),
      toLife,
      generation: link.generation,
      lane: this.#laneOf(link),
    };
    if (link.cut) return this.#intoCut(link, frame);
    if (toLife === undefined) return chance(this.#random, 0.5);
    this.#dispatch(link, frame);
    return true;
  }

  #laneOf(link: Link): Lane {
    if (this.#queue.now >= link.glareUntil) return link.lane;
    return this.#random.below(2) === 0 ? 0 : 1;
  }

  #intoCut(link: Link, frame: Frame): boolean {
    if (this.#options.model === "datagram") return chance(this.#random, 0.5);
    this.#hold(link, frame);
    return true;
  }

  #hold(link: Link, frame: Frame): void {
    link.held.push(frame);
    if (link.held.length > heldMax) link.held.shift();
  }

  #release(link: Link): void {
    if (link.cut || link.clogged || link.held.length === 0) return;
    const { held } = link;
    link.held = [];
    this.#events.sometimes("burst of held frames");
    for (const frame of held) this.#later(link, frame, 0);
  }

  #dispatch(link: Link, frame: Frame): void {
    const random = this.#random;
    const { loss, duplicate, replay, minMs, meanMs } = this.#options;
    if (this.calm) {
      this.#later(link, frame, minMs);
      return;
    }
    if (chance(random, loss)) {
      this.#events.sometimes("message lost");
      return;
    }
    this.#later(link, frame, minMs + exponential(random, meanMs));
    if (chance(random, duplicate)) {
      this.#events.sometimes("message repeated");
      this.#later(link, frame, minMs + exponential(random, meanMs));
    }
    if (chance(random, replay)) this.#later(link, frame, 200 + random.below(1_500));
  }

  #later(link: Link, frame: Frame, ms: number): void {
    let delay = this.calm ? ms : ms + this.#lagOf(frame.from) + this.#lagOf(frame.to);
    if (this.#options.model === "channel") {
      const at = Math.max(this.#queue.now + delay, link.free[frame.lane]);
      link.free[frame.lane] = at;
      delay = at - this.#queue.now;
    }
    this.#queue.after(delay, () => this.#arrive(link, frame));
  }

  #lagOf(id: NodeId): number {
    return this.#lags.get(id) ?? 0;
  }

  #arrive(link: Link, frame: Frame): void {
    if (link.cut || link.clogged) {
      if (link.clogged || this.#options.model === "channel") this.#hold(link, frame);
      return;
    }
    const { from, to } = frame;
    const { lifeOf, bootsTell } = this.#events;
    const outdated =
      frame.generation !== link.generation ||
      (frame.lane !== link.lane && this.#queue.now >= link.glareUntil) ||
      frame.toLife !== lifeOf(to);
    const old = outdated || frame.fromLife !== lifeOf(from);
    if (this.#options.generations && (bootsTell === true ? outdated : old)) return;
    if (lifeOf(to) === undefined) return;
    if (old && !this.#options.generations)
      this.#events.sometimes("message of an earlier life delivered");
    this.#events.deliver(from, to, frame.bytes);
  }
}

function oneChannel(): Pick<Link, "free" | "lane" | "glareUntil"> {
  return { free: [0, 0], lane: 0, glareUntil: 0 };
}
