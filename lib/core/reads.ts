/**
 * Reads: requests to read at a leader, waiting until a quorum has confirmed that it still leads.
 *
 * Each read gets the next position. Heartbeats carry the position of the latest read, followers echo it, and once a quorum has
 * echoed a position every read up to it is answered: one round of heartbeats confirms any number of reads, and a context used twice
 * confuses nobody. The time at which a confirmed position was sent is the start of the leader's lease. Dissertation §6.4; compare etcd/raft read_only.go (3.7).
 *
 * Not here: what the answer is sent as (leader.ts).
 */
import { type Index, type Message, type NodeId, noBytes } from "./types.js";

/** A read, and the commit index and the tick when it arrived. */
export interface PendingRead {
  readonly index: Index;
  /** Undefined for one that nobody asked for: it only renews the lease. */
  readonly request: Message | undefined;
  readonly sentAt: number;
}

export class ReadQueue {
  /** Reads answered so far in this term. */
  #confirmed = 0;
  #waiting: PendingRead[] = [];
  readonly #echoed = new Map<NodeId, number>();
  /** Reads that arrived before the first commit of the term. */
  postponed: Message[] = [];
  /** When the heartbeats were sent that a quorum has answered last; undefined: none. */
  leaseStart: number | undefined;

  get waiting(): number {
    return this.#waiting.length + this.postponed.length;
  }

  /** The position of the latest read. */
  get lastPosition(): number {
    return this.#confirmed + this.#waiting.length;
  }

  add(index: Index, request: Message | undefined, sentAt: number): void {
    this.#waiting.push({ index, request, sentAt });
  }

  /** What the next heartbeats carry. */
  context(): Uint8Array {
    return this.#waiting.length === 0 ? noBytes : encodePosition(this.lastPosition);
  }

  /** `id` has echoed `position`. */
  echo(id: NodeId, position: number): void {
    if (position > this.echoedBy(id)) this.#echoed.set(id, position);
  }

  echoedBy(id: NodeId): number {
    return this.#echoed.get(id) ?? 0;
  }

  /** Takes out the reads up to `position`, in the order they came. */
  confirm(position: number): readonly PendingRead[] {
    if (position <= this.#confirmed) return [];
    const count = Math.min(position - this.#confirmed, this.#waiting.length);
    this.#confirmed += count;
    const confirmed = this.#waiting.splice(0, count);
    this.leaseStart = confirmed[count - 1]?.sentAt ?? this.leaseStart;
    return confirmed;
  }

  endLease(): void {
    this.leaseStart = undefined;
  }

  /** Takes out everything that will not be answered: the term is over. */
  clear(): readonly Message[] {
    if (this.waiting === 0 && this.#confirmed === 0 && this.#echoed.size === 0) return [];
    const dropped = [
      ...this.#waiting.flatMap(({ request }) => (request === undefined ? [] : [request])),
      ...this.postponed,
    ];
    this.endLease();
    this.#waiting = [];
    this.postponed = [];
    this.#confirmed = 0;
    this.#echoed.clear();
    return dropped;
  }
}

/** 8 bytes, little-endian, as etcd/raft 3.7 has them. */
export function encodePosition(position: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, position >>> 0, true);
  view.setUint32(4, Math.floor(position / 0x100000000), true);
  return bytes;
}

/** Undefined unless `context` is 8 bytes and within a safe integer. */
export function decodePosition(context: Uint8Array): number | undefined {
  if (context.length !== 8) return undefined;
  const view = new DataView(context.buffer, context.byteOffset, 8);
  const position = view.getUint32(4, true) * 0x100000000 + view.getUint32(0, true);
  return Number.isSafeInteger(position) ? position : undefined;
}
