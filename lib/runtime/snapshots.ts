/**
 * Snapshots: when to take one, and how the log is cut behind it.
 *
 * A snapshot is taken after so many applied entries or bytes since the last, written beside the log, and only then is the log
 * cut; some entries stay behind it for followers that are a little slow. Dissertation §5.1.
 *
 * Invariant: the log is never cut beyond the newest durable snapshot.
 */
import { concatBytes } from "../base/bytes.js";
import { noBytes, type SnapshotMetadata } from "../core/types.js";
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
  readonly #policy: SnapshotPolicy;
  #latest: SnapshotMetadata | undefined;
  #entries = 0;
  #bytes = 0;
  #taking = false;

  constructor(
    store: Pick<OpenedStore, "storage" | "snapshots">,
    latest: SnapshotMetadata | undefined,
    policy: SnapshotPolicy = defaultSnapshotPolicy,
  ) {
    this.#store = store;
    this.#latest = latest;
    this.#policy = policy;
  }

  /** One more command of `bytes` was applied. */
  count(bytes: number): void {
    this.#entries += 1;
    this.#bytes += bytes;
  }

  get due(): boolean {
    return (
      !this.#taking && (this.#entries >= this.#policy.entries || this.#bytes >= this.#policy.bytes)
    );
  }

  /** A snapshot came from the leader and is durable. */
  installed(snapshot: SnapshotMetadata): void {
    this.#latest = snapshot;
    this.#entries = 0;
    this.#bytes = 0;
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
      const data = concatBytes(...chunks);
      await save(this.#store, metadata, data);
      if ((this.#latest?.index ?? 0) >= metadata.index) return undefined;
      const previous = this.#latest;
      this.#latest = metadata;
      const upTo = Math.max(0, metadata.index - this.#policy.trailing);
      await this.#store.storage.compact(metadata, upTo);
      await dropOlder(this.#store, previous);
      return upTo;
    } finally {
      this.#taking = false;
    }
  }
}

/** Writes `data` as the body of `metadata`. */
async function save(
  { snapshots }: Pick<OpenedStore, "snapshots">,
  metadata: SnapshotMetadata,
  data: Uint8Array,
): Promise<void> {
  const sink = await snapshots.write(metadata);
  await sink.write(data);
  await sink.finish();
}

/** The body of `metadata`, whole. */
export async function readBody(
  { snapshots }: Pick<OpenedStore, "snapshots">,
  metadata: SnapshotMetadata,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of snapshots.read(metadata)) chunks.push(chunk);
  return chunks.length === 0 ? noBytes : concatBytes(...chunks);
}

/** Keeps the newest and the one before it. */
async function dropOlder(
  { snapshots }: Pick<OpenedStore, "snapshots">,
  previous: SnapshotMetadata | undefined,
): Promise<void> {
  if (previous === undefined) return;
  for (const metadata of await snapshots.list()) {
    if (metadata.index < previous.index) await snapshots.drop(metadata);
  }
}
