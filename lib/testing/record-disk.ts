/**
 * RecordDisk: what a store promises (storage/storage.ts), without bytes: writes are atomic, late, and lost when they were not flushed.
 *
 * Two images: what is flushed, and a list of writes that are done but were not flushed, or are under way. At a crash a prefix of
 * that list survives. Rules that every adapter keeps (storage/log-shape.ts) are checked here as well.
 *
 * Not here: bytes on a disk, torn sectors, bit rot (wal-torture.ts does those to the real WAL).
 */
import type { Random } from "../base/random.js";
import {
  type Entry,
  emptyHardState,
  type HardState,
  type Index,
  type SnapshotMetadata,
  type Term,
} from "../core/types.js";
import { afterWrite, type LogShape, planCompaction } from "../storage/log-shape.js";
import type { StorageWrite } from "../storage/storage.js";
import { chance } from "./sim-options.js";

export interface StoredBody {
  readonly metadata: SnapshotMetadata;
  readonly data: Uint8Array;
}

export class Image {
  hardState: HardState = emptyHardState;
  compacted: { readonly index: Index; readonly term: Term } = { index: 0, term: 0 };
  entries: Entry[] = [];
  snapshot: StoredBody | undefined;

  get lastIndex(): Index {
    return this.compacted.index + this.entries.length;
  }

  term(index: Index): Term | undefined {
    if (index === this.compacted.index) return this.compacted.term;
    return this.entries[index - this.compacted.index - 1]?.term;
  }

  /** Holds the entry of `term` at `index`, or a snapshot that covers it. */
  holds(index: Index, term: Term): boolean {
    if (index <= this.compacted.index) return true;
    if (this.snapshot !== undefined && index <= this.snapshot.metadata.index) return true;
    return this.term(index) === term;
  }

  copy(): Image {
    const image = new Image();
    image.hardState = this.hardState;
    image.compacted = this.compacted;
    image.entries = [...this.entries];
    image.snapshot = this.snapshot;
    return image;
  }

  write(write: StorageWrite): void {
    const shape = afterWrite(this.shape(), write);
    if (write.snapshot !== undefined) {
      const { metadata, data } = write.snapshot;
      this.snapshot = { metadata, data };
      this.compacted = { index: metadata.index, term: metadata.term };
      this.entries = [];
    }
    const first = write.entries[0];
    if (first !== undefined) {
      this.entries.length = first.index - this.compacted.index - 1;
      for (const entry of write.entries) this.entries.push(entry);
    }
    this.hardState = shape.hardState;
  }

  compact(snapshot: StoredBody, upTo: Index): void {
    const plan = planCompaction(this.shape(), snapshot.metadata, upTo);
    const term = this.term(plan.upTo);
    // One of our own may be named after a leader's newer one was installed: the newer counts.
    const newest = this.snapshot?.metadata.index ?? 0;
    if (snapshot.metadata.index >= newest) this.snapshot = snapshot;
    this.hardState = { ...this.hardState, commit: plan.commit };
    if (term === undefined) return;
    this.entries.splice(0, plan.upTo - this.compacted.index);
    this.compacted = { index: plan.upTo, term };
  }

  shape(): LogShape {
    const { hardState, compacted, lastIndex } = this;
    return { hardState, compacted, last: { index: lastIndex, term: this.term(lastIndex) ?? 0 } };
  }
}

export class RecordDisk {
  readonly flushed: Image = new Image();
  /** Done but not flushed, oldest first. */
  #unflushed: StorageWrite[] = [];
  #underWay: StorageWrite | undefined;
  /** Milliseconds added to each write. */
  slowMs = 0;
  /** The next write fails. */
  failNext = false;

  begin(write: StorageWrite): void {
    this.#underWay = write;
  }

  get busy(): boolean {
    return this.#underWay !== undefined;
  }

  /** The write under way is done; flushed with all before it when it asks for that. */
  finish(): void {
    const write = this.#underWay;
    if (write === undefined) return;
    this.#underWay = undefined;
    this.#unflushed.push(write);
    if (write.sync) this.#flush(this.#unflushed.length);
  }

  compact(snapshot: StoredBody, upTo: Index): void {
    this.#flush(this.#unflushed.length);
    this.flushed.compact(snapshot, upTo);
  }

  /** The process ends: what was not flushed survives as a prefix, or not. True when a write under way was lost. */
  crash(random: Random, survives: number): boolean {
    const all =
      this.#underWay === undefined ? this.#unflushed : [...this.#unflushed, this.#underWay];
    let kept = 0;
    while (kept < all.length && chance(random, survives)) kept++;
    const lost = this.#underWay !== undefined && kept < all.length;
    this.#unflushed = all;
    this.#underWay = undefined;
    this.#flush(kept);
    this.#unflushed = [];
    this.failNext = false;
    return lost;
  }

  #flush(count: number): void {
    for (const write of this.#unflushed.splice(0, count)) this.flushed.write(write);
  }
}
