/**
 * Snapshots: when to take one, and how the log is cut behind it.
 *
 * A snapshot is taken after so many applied entries or bytes since the last, written chunk by chunk beside the log, and only then is
 * the log cut; some entries stay behind it for followers that are a little slow. Dissertation §5.1. While one is being sent it is
 * pinned: it is not dropped, and the log after it stays, or whoever receives it would have to be sent another.
 *
 * Invariant: the log is never cut beyond the newest durable snapshot, nor beyond a pinned one.
 */
import type { Index, NodeId, SnapshotMetadata } from "../core/types.js";
import type { OpenedStore } from "../storage/storage.js";

export interface SnapshotPolicy {
  /** Applied entries after which a snapshot is taken; default 1,000. */
  readonly entries: number;
  /** Bytes of applied commands after which a snapshot is taken; default 4 MiB. */
  readonly bytes: number;
  /** Entries kept behind a snapshot for slow followers; default 200. */
  readonly trailing: number;
}

export const defaultSnapshotPolicy: SnapshotPolicy = {
  entries: 1_000,
  bytes: 4 * 1024 * 1024,
  trailing: 200,
};

export class Snapshots {
  readonly #store: Pick<OpenedStore, "storage" | "snapshots">;
  readonly #pins = new Map<Index, number>();
  policy: SnapshotPolicy;
  #latest: SnapshotMetadata | undefined;
  #entries = 0;
  #bytes = 0;
  #taking = false;
  /** Up to where the core's log was cut. */
  #cutTo: Index = 0;

  constructor(
    store: Pick<OpenedStore, "storage" | "snapshots">,
    latest: SnapshotMetadata | undefined,
    policy: SnapshotPolicy = defaultSnapshotPolicy,
  ) {
    this.#store = store;
    this.#latest = latest;
    this.policy = policy;
  }

  /** The newest durable one. */
  get latest(): SnapshotMetadata | undefined {
    return this.#latest;
  }

  get taking(): boolean {
    return this.#taking;
  }

  /** One more command of `bytes` was applied. */
  count(bytes: number): void {
    this.#entries += 1;
    this.#bytes += bytes;
  }

  get due(): boolean {
    return (
      !this.#taking && (this.#entries >= this.policy.entries || this.#bytes >= this.policy.bytes)
    );
  }

  /** A snapshot came from the leader and is durable. */
  installed(snapshot: SnapshotMetadata): void {
    this.#latest = snapshot;
    this.#entries = 0;
    this.#bytes = 0;
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
   * @throws whatever the store rejects with; the caller stops the node.
   */
  async take(
    metadata: SnapshotMetadata,
    chunks: Iterable<Uint8Array>,
  ): Promise<number | undefined> {
    this.#taking = true;
    this.#entries = 0;
    this.#bytes = 0;
    try {
      await save(this.#store, metadata, chunks);
      if ((this.#latest?.index ?? 0) >= metadata.index) return undefined;
      const previous = this.#latest;
      this.#latest = metadata;
      const upTo = Math.min(metadata.index - this.policy.trailing, ...this.#pins.keys());
      this.#cutTo = Math.max(this.#cutTo, upTo);
      await this.#store.storage.compact(metadata, this.#cutTo);
      await this.#dropOlder(previous);
      return this.#cutTo;
    } finally {
      this.#taking = false;
    }
  }

  /** Keeps the newest, the one before it, and those on their way to somebody. */
  async #dropOlder(previous: SnapshotMetadata | undefined): Promise<void> {
    if (previous === undefined) return;
    const { snapshots } = this.#store;
    for (const metadata of await snapshots.list()) {
      if (metadata.index < previous.index && !this.#pins.has(metadata.index)) {
        await snapshots.drop(metadata);
      }
    }
  }
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
