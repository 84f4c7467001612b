/**
 * Inflights: the sliding window of appends sent to a follower and not yet acknowledged.
 *
 * A ring of (last index, payload bytes), limited by count and by bytes. The byte limit is soft: the message that crosses it
 * is still sent, so that one large entry cannot block a follower for ever. Dissertation §10.2.2 (pipelining); compare etcd/raft
 * tracker/inflights.go.
 */
import { assert } from "../base/assert.js";
import type { Index } from "./types.js";

export class Inflights {
  #countMax: number;
  readonly #bytesMax: number;
  #start = 0;
  #count = 0;
  #bytes = 0;
  /** Rings of one length, a power of two; they grow as needed, because the limit may be far larger than the use. */
  #lastIndex: Index[] = [];
  #size: number[] = [];

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  full(): boolean {
    return this.#count >= this.#countMax || this.#bytes >= this.#bytesMax;
  }

  /** Records an append whose last entry is `lastIndex`; indexes only grow. */
  add(lastIndex: Index, bytes: number): void {
    assert(!this.full(), "cannot add into a full window", { lastIndex, count: this.#count });
    if (this.#count === this.#lastIndex.length) this.#grow();
    const at = (this.#start + this.#count) & (this.#lastIndex.length - 1);
    this.#lastIndex[at] = lastIndex;
    this.#size[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Forgets every append that ended at or before `index`. */
  freeTo(index: Index): void {
    const mask = this.#lastIndex.length - 1;
    while (this.#count > 0 && (this.#lastIndex[this.#start] as Index) <= index) {
      this.#bytes -= this.#size[this.#start] as number;
      this.#start = (this.#start + 1) & mask;
      this.#count--;
    }
  }

  /** Changes the limit by count; 0 stops appends altogether. A smaller one takes effect as the window drains. */
  limit(countMax: number): void {
    this.#countMax = countMax;
  }

  clear(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  /** Gives the ring's memory back if nothing is in flight; true if it did. */
  release(): boolean {
    if (this.#count > 0 || this.#lastIndex.length === 0) return false;
    this.clear();
    this.#lastIndex = [];
    this.#size = [];
    return true;
  }

  /** Bytes the ring itself occupies, roughly. */
  get footprint(): number {
    return this.#lastIndex.length * 16;
  }

  #grow(): void {
    const old = this.#lastIndex.length;
    const length = old === 0 ? 8 : old * 2;
    const lastIndex: Index[] = new Array(length).fill(0);
    const size: number[] = new Array(length).fill(0);
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#start + i) & (old - 1);
      lastIndex[i] = this.#lastIndex[from] as Index;
      size[i] = this.#size[from] as number;
    }
    this.#lastIndex = lastIndex;
    this.#size = size;
    this.#start = 0;
  }
}
