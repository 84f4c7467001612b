/**
 * Snapshots: taking them when the policy says so, and cutting the log behind them.
 *
 * When, how far and which older ones stay is `storage/snapshot-policy.ts`; here is what it asks of a log that grows: how many bytes lie
 * where. A snapshot is written chunk by chunk beside the log, and only then is the log cut; some entries stay behind it for followers
 * that are a little slow. Dissertation §5.1. While one is being sent it is pinned: it is not dropped, and the log after it stays, or
 * whoever receives it would have to be sent another; but not where memory is short.
 *
 * Invariant: the log is never cut beyond the newest durable snapshot, nor beyond a pinned one unless memory is short.
 */
import type { Entry, Index, NodeId, SnapshotMetadata } from "../core/types.js";
import { AppliedBytes } from "../storage/applied-bytes.js";
import {
  compactionPoint,
  defaultSnapshotPolicy,
  type SnapshotPolicy,
  snapshotDue,
  snapshotsToDrop,
} from "../storage/snapshot-policy.js";
import type { Loaded, OpenedStore } from "../storage/storage.js";

/** What is not given is the default. */
export function completePolicy(policy: Partial<SnapshotPolicy> = {}): SnapshotPolicy {
  return { ...defaultSnapshotPolicy, ...policy };
}

type Stores = Pick<OpenedStore, "storage" | "snapshots">;

export class Snapshots {
  readonly #store: Stores;
  readonly #pins = new Map<Index, number>();
  policy: SnapshotPolicy;
  #latest: SnapshotMetadata | undefined;
  /** Of the applied entries in memory. */
  #bytes: AppliedBytes;
  /** Bytes up to the last snapshot. */
  #bytesBefore: number;
  #taking = false;
  /** Up to where the core's log was cut. */
  #cutTo: Index;

  /** @param loaded  what the core was started from */
  constructor(store: Stores, loaded: Loaded, policy: SnapshotPolicy = defaultSnapshotPolicy) {
    this.#store = store;
    this.#latest = loaded.snapshot;
    this.policy = policy;
    this.#cutTo = loaded.compacted.index;
    this.#bytes = countFrom(loaded.compacted.index, policy);
    const index = loaded.snapshot?.index ?? 0;
    for (const entry of loaded.entries) if (entry.index <= index) this.#bytes.add(entry);
    this.#bytesBefore = this.#bytes.total;
  }

  /** The newest durable one. */
  get latest(): SnapshotMetadata | undefined {
    return this.#latest;
  }

  get taking(): boolean {
    return this.#taking;
  }

  /** One more entry was applied. */
  applied(entry: Entry): void {
    this.#bytes.add(entry);
  }

  /** Why one is due, when the log has `logBytes` in memory. */
  due(logBytes: number): ReturnType<typeof snapshotDue> {
    if (this.#taking) return undefined;
    const { index: applied, total, kept } = this.#bytes;
    const snapshotIndex = this.#latest?.index ?? 0;
    const bytesSinceSnapshot = total - this.#bytesBefore;
    const log = { applied, snapshotIndex, bytesSinceSnapshot, appliedBytes: kept, logBytes };
    return snapshotDue(log, this.policy);
  }

  /** Whether a log that grew to `logBytes` would be too large, and a snapshot would make room. */
  full(logBytes: number): boolean {
    return logBytes > this.policy.logBytesMax && this.#bytes.kept > 0;
  }

  /** A snapshot came from the leader and is durable. */
  installed(snapshot: SnapshotMetadata): void {
    this.#latest = snapshot;
    this.#cutTo = snapshot.index;
    this.#bytes = countFrom(snapshot.index, this.policy);
    this.#bytesBefore = 0;
  }

  /** The newest durable snapshot that `to` can use: it holds `atLeast` and knows of `to`, who must refuse it otherwise. */
  usableFor(to: NodeId, atLeast: Index): SnapshotMetadata | undefined {
    const latest = this.#latest;
    if (latest === undefined || latest.index < atLeast) return undefined;
    const { voters, learners, votersOutgoing, learnersNext } = latest.confState;
    const named = [voters, learners, votersOutgoing, learnersNext].some((ids) => ids.includes(to));
    return named ? latest : undefined;
  }

  /** Keeps `snapshot`, and the log after it, until the returned function is called. */
  pin({ index }: SnapshotMetadata): () => void {
    this.#pins.set(index, (this.#pins.get(index) ?? 0) + 1);
    let pinned = true;
    return () => {
      if (!pinned) return;
      pinned = false;
      const left = (this.#pins.get(index) ?? 1) - 1;
      if (left === 0) this.#pins.delete(index);
      else this.#pins.set(index, left);
    };
  }

  /**
   * Writes a snapshot and cuts the stored log. Resolves with the index up to which the core may forget its log, or undefined
   * when a newer snapshot was installed meanwhile.
   * @param forced  memory is short: nothing stays behind it
   * @throws whatever the store rejects with; the caller stops the node.
   */
  async take(
    metadata: SnapshotMetadata,
    chunks: Iterable<Uint8Array>,
    forced = false,
  ): Promise<Index | undefined> {
    this.#taking = true;
    const bytes = this.#bytes;
    const { total } = bytes;
    try {
      await save(this.#store, metadata, chunks);
      // What was counted since belongs to another log.
      if (bytes !== this.#bytes) return undefined;
      this.#latest = metadata;
      this.#bytesBefore = total;
      return await this.#cut(metadata, total, forced);
    } finally {
      this.#taking = false;
    }
  }

  /** Drops the entries that were kept behind the newest snapshot: memory is short. Resolves and throws as `take`. */
  async cutAll(): Promise<Index | undefined> {
    if (this.#latest === undefined || this.#taking) return undefined;
    this.#taking = true;
    try {
      return await this.#cut(this.#latest, this.#bytesBefore, true);
    } finally {
      this.#taking = false;
    }
  }

  /** @param total  bytes up to the snapshot */
  async #cut(metadata: SnapshotMetadata, total: number, forced: boolean): Promise<Index> {
    const { storage, snapshots } = this.#store;
    const { policy } = this;
    const bytes = this.#bytes;
    const list = (await snapshots.list()).filter(({ index }) => index <= metadata.index);
    const drops = snapshotsToDrop(list, this.#cutTo, policy);
    const kept = list.filter((one) => !drops.includes(one));
    const bytesAfter = (index: Index): number => total - bytes.totalAt(index);
    const point = compactionPoint(metadata, kept, bytesAfter, forced, policy);
    const pins = forced ? [] : this.#pins.keys();
    const upTo = Math.max(this.#cutTo, Math.min(point, ...pins));
    await storage.compact(metadata, upTo);
    for (const one of snapshotsToDrop(list, upTo, policy)) {
      if (!this.#pins.has(one.index)) await snapshots.drop(one);
    }
    if (bytes !== this.#bytes) return this.#cutTo;
    this.#cutTo = upTo;
    bytes.forget(upTo);
    return upTo;
  }
}

function countFrom(begin: Index, { trailingBytes }: SnapshotPolicy): AppliedBytes {
  return new AppliedBytes(begin, trailingBytes / 1024);
}

/** What was loaded, without the entries behind the snapshot that the policy does not keep: a store may hold more of them. */
export async function trimmed(
  loaded: Loaded,
  { snapshots }: Pick<OpenedStore, "snapshots">,
  policy: SnapshotPolicy,
): Promise<Loaded> {
  const { snapshot, compacted, entries } = loaded;
  if (snapshot === undefined || snapshot.index === compacted.index) return loaded;
  const kept = (await snapshots.list()).filter(
    ({ index }) => index >= compacted.index && index <= snapshot.index,
  );
  const bytes = countFrom(compacted.index, policy);
  for (const entry of entries) if (entry.index <= snapshot.index) bytes.add(entry);
  const bytesAfter = (index: Index): number => bytes.total - bytes.totalAt(index);
  const drops = snapshotsToDrop(kept, 0, policy);
  const stay = kept.filter((one) => !drops.includes(one));
  const upTo = compactionPoint(snapshot, stay, bytesAfter, false, policy);
  const at = entries.find(({ index }) => index === upTo);
  if (at === undefined) return loaded;
  return {
    ...loaded,
    compacted: { index: at.index, term: at.term },
    entries: entries.filter(({ index }) => index > upTo),
  };
}

/** Writes `chunks` as the body of `metadata`, one after the other as fast as the store takes them. */
export async function save(
  { snapshots }: Pick<OpenedStore, "snapshots">,
  metadata: SnapshotMetadata,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const sink = await snapshots.write(metadata);
  try {
    for await (const chunk of chunks) await sink.write(chunk);
    await sink.finish();
  } catch (error) {
    await sink.abort().catch(() => {});
    throw error;
  }
}

/** A generator does nothing before its first step: that is taken now, so that what it copies first is of this moment. */
export function begun(chunks: Iterable<Uint8Array>): Iterable<Uint8Array> {
  const iterator = chunks[Symbol.iterator]();
  let next: IteratorResult<Uint8Array> | undefined = iterator.next();
  return {
    [Symbol.iterator]: () => ({
      next() {
        const result = next ?? iterator.next();
        next = undefined;
        return result;
      },
    }),
  };
}
