/**
 * Snapshots in IndexedDB: bodies in chunks, so that none is ever whole in memory, and a record that makes them exist.
 *
 * Chunks are written first, each few in a strict transaction of their own; the record comes last. A body that goes loses its record
 * first, and its chunks once nobody reads them. Chunks without a record that a crash leaves are deleted at the next opening, as are
 * bodies that nobody named (storage.ts).
 */
import { concatBytes } from "../base/bytes.js";
import { LogboomError } from "../base/errors.js";
import type { SnapshotMetadata } from "../core/types.js";
import { BodyReaders } from "./body-readers.js";
import type { Connection, Stores } from "./indexeddb-connection.js";
import {
  chunkRecord,
  readChunk,
  readSnapshotRecord,
  type SnapshotId,
  type SnapshotRecord,
  valueBytesMax,
} from "./indexeddb-records.js";
import type { LogShape } from "./log-shape.js";
import { checkDroppable, newestFirst, noBody, noSnapshot, sameSnapshot } from "./snapshot-names.js";
import type { SnapshotSink, SnapshotStore } from "./storage.js";

/** Chunks per transaction: a flush for each 768 KiB of a body. */
const chunksPerWrite = 16;

interface Stored extends SnapshotRecord {
  readonly id: SnapshotId;
}

export interface IndexedDbSnapshots {
  readonly store: SnapshotStore;
  /** The newest named one whose whole body reads back, at or above `least`; damaged ones are passed over and named. */
  newestUsable(
    least: number,
  ): Promise<{ readonly found: SnapshotMetadata | undefined; readonly damaged: readonly Error[] }>;
  /** Whether its body is complete. */
  has(metadata: SnapshotMetadata): boolean;
  /** Within a transaction over `snapshots` and `chunks`: names a stored body, or stores an inline one. The result says it is done. */
  install(stores: Stores, metadata: SnapshotMetadata, inline?: Uint8Array): Promise<() => void>;
  /** Set by the log, which knows what may be dropped. */
  shape: () => LogShape;
}

/** Reads the records and removes what earlier lives left unfinished. */
export async function openSnapshots(connection: Connection): Promise<IndexedDbSnapshots> {
  const { boot } = connection.identity;
  const readers = new BodyReaders();
  let stored = await readRecords(connection);
  let counter = 0;
  const nextId = (): SnapshotId => [boot, counter++];
  const find = (metadata: SnapshotMetadata): Stored | undefined =>
    stored.find((one) => sameSnapshot(one.metadata, metadata));
  const put = async (stores: Stores, { id, ...record }: Stored): Promise<void> => {
    await stores.objectStore("snapshots").put(record, [...id]);
  };
  const forget = (gone: Stored): void => {
    stored = stored.filter((one) => one !== gone);
    // Nobody waits for it. Where it fails it has broken the lifeline, and what is left goes at the next opening.
    const sweep = (): Promise<void> =>
      connection.write(["chunks"], (stores) => eraseChunks(stores, gone.id)).catch(() => {});
    if (!readers.afterwards(String(gone.id), sweep)) void sweep();
  };
  const remember = (added: Stored): void => {
    const before = find(added.metadata);
    if (before !== undefined && String(before.id) !== String(added.id)) forget(before);
    const others = stored.filter((one) => one !== before);
    stored = [...others, added].sort((a, b) => newestFirst(a.metadata, b.metadata));
  };
  /** A body that takes another's place: the older one goes, but what was named stays so. */
  const replace = async (stores: Stores, added: Stored): Promise<Stored> => {
    await turn(stores);
    const before = find(added.metadata);
    const kept = { ...added, named: added.named || before?.named === true };
    if (before !== undefined) await eraseRecord(stores, before.id);
    await put(stores, kept);
    return kept;
  };

  const opened: IndexedDbSnapshots = {
    shape: () => {
      throw new LogboomError("CLOSED", "the log is not open yet");
    },
    store: {
      async write(metadata) {
        connection.lifeline.check();
        return openSink(connection, nextId(), async (stores, sums) => {
          const kept = await replace(stores, { ...sums, metadata, named: false });
          return () => remember(kept);
        });
      },
      async *read(metadata) {
        connection.lifeline.check();
        const found = find(metadata);
        if (found === undefined) throw noSnapshot(metadata);
        yield* readers.read(String(found.id), readChunks(connection, found));
      },
      async list() {
        connection.lifeline.check();
        return stored.map((one) => one.metadata);
      },
      async drop(metadata) {
        connection.lifeline.check();
        const found = find(metadata);
        if (found === undefined) return;
        const named = stored.filter((one) => one.named).map((one) => one.metadata);
        checkDroppable(opened.shape(), named, metadata);
        await connection.write(["snapshots"], (stores) => eraseRecord(stores, found.id));
        forget(found);
      },
    },
    async newestUsable(least) {
      const candidates = stored.filter(({ named, metadata }) => named && metadata.index >= least);
      const { found, damaged } = await firstWhole(connection, candidates);
      stored = stored.filter((one) => !damaged.has(one));
      return { found: found?.metadata, damaged: [...damaged.values()] };
    },
    has: (metadata) => find(metadata) !== undefined,
    async install(stores, metadata, inline) {
      if (inline !== undefined) {
        const id = nextId();
        const chunks = await putChunks(stores, id, 0, [...pieces(inline)]);
        const sums = { id, chunks, bytes: inline.length };
        const kept = await replace(stores, { ...sums, metadata, named: true });
        return () => remember(kept);
      }
      await turn(stores);
      const found = find(metadata);
      if (found === undefined) throw noBody(metadata);
      const kept = { ...found, metadata, named: true };
      await put(stores, kept);
      return () => remember(kept);
    },
  };
  return opened;
}

/**
 * Waits until a transaction really runs: those before it have then been remembered. The same snapshot may be on its way in from a leader
 * while our own is named, and who looked it up before its turn would name a body that is gone.
 */
async function turn(stores: Stores): Promise<void> {
  await stores.objectStore("snapshots").getAllKeys(null, 1);
}

async function readRecords(connection: Connection): Promise<Stored[]> {
  return await connection.write(["snapshots", "chunks"], async (stores) => {
    const [ids, values, chunkKeys] = await Promise.all([
      stores.objectStore("snapshots").getAllKeys(),
      stores.objectStore("snapshots").getAll(),
      stores.objectStore("chunks").getAllKeys(),
    ]);
    const all = values.map((value, n) => ({
      ...readSnapshotRecord(ids[n], value),
      id: ids[n] as unknown as SnapshotId,
    }));
    const named = all.filter((one) => one.named);
    const alive = new Set(named.map((one) => String(one.id)));
    const dead = chunkKeys.filter((key) => !alive.has(String((key as number[]).slice(0, 2))));
    await Promise.all([
      ...all.filter((one) => !one.named).map((one) => erase(stores, one.id)),
      ...dead.map((key) => stores.objectStore("chunks").delete(key)),
    ]);
    return named.sort((a, b) => newestFirst(a.metadata, b.metadata));
  });
}

type Finish = (
  stores: Stores,
  sums: { readonly id: SnapshotId; readonly chunks: number; readonly bytes: number },
) => Promise<() => void>;

function openSink(connection: Connection, id: SnapshotId, finish: Finish): SnapshotSink {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let chunks = 0;
  let bytes = 0;
  let open = true;
  const checkOpen = (): void => {
    connection.lifeline.check();
    if (!open) throw new LogboomError("CLOSED", "this snapshot was finished or given up");
  };
  const take = (): Uint8Array[] => {
    const whole = [...pieces(concatBytes(...waiting))];
    waiting = [];
    waitingBytes = 0;
    return whole;
  };
  return {
    async write(chunk) {
      checkOpen();
      for (const piece of pieces(chunk)) {
        waiting.push(piece);
        waitingBytes += piece.length;
        bytes += piece.length;
        if (waitingBytes < chunksPerWrite * valueBytesMax) continue;
        const full = take();
        chunks = await connection.write(["chunks"], (stores) =>
          putChunks(stores, id, chunks, full),
        );
      }
    },
    async finish() {
      checkOpen();
      open = false;
      const rest = take();
      const remember = await connection.write(["snapshots", "chunks"], async (stores) => {
        chunks = await putChunks(stores, id, chunks, rest);
        return await finish(stores, { id, chunks, bytes });
      });
      remember();
    },
    async abort() {
      if (!open) return;
      open = false;
      waiting = [];
      await connection.write(["snapshots", "chunks"], (stores) => erase(stores, id));
    },
  };
}

/** @returns how many chunks the body has now */
async function putChunks(
  stores: Stores,
  [boot, n]: SnapshotId,
  from: number,
  parts: readonly Uint8Array[],
): Promise<number> {
  const chunks = stores.objectStore("chunks");
  await Promise.all(parts.map((part, k) => chunks.put(chunkRecord(part), [boot, n, from + k])));
  return from + parts.length;
}

async function* readChunks(connection: Connection, { id, chunks, bytes }: Stored) {
  let left = bytes;
  for (let n = 0; n < chunks; n++) {
    const chunk = await connection.read(["chunks"], async (stores) =>
      readChunk(id, n, await stores.objectStore("chunks").get([...id, n])),
    );
    left -= chunk.length;
    yield chunk;
  }
  if (left !== 0) throw new LogboomError("STORAGE_FAILED", `snapshot ${String(id)} lacks bytes`);
}

/** The first of `candidates` whose whole body reads back, and what is wrong with those before it. */
async function firstWhole(
  connection: Connection,
  candidates: readonly Stored[],
): Promise<{ found: Stored | undefined; damaged: ReadonlyMap<Stored, Error> }> {
  const damaged = new Map<Stored, Error>();
  for (const one of candidates) {
    const damage = await firstDamage(connection, one);
    if (damage === undefined) return { found: one, damaged };
    damaged.set(one, damage);
  }
  return { found: undefined, damaged };
}

/** Reads a body through without breaking the lifeline over it: an older one may do. */
async function firstDamage(connection: Connection, one: Stored): Promise<Error | undefined> {
  let left = one.bytes;
  for (let n = 0; n < one.chunks; n++) {
    const value = await connection.read(["chunks"], (stores) =>
      stores.objectStore("chunks").get([...one.id, n]),
    );
    try {
      left -= readChunk(one.id, n, value).length;
    } catch (error) {
      return error as Error;
    }
  }
  return left === 0 ? undefined : new Error(`snapshot ${String(one.id)} lacks bytes`);
}

async function erase(stores: Stores, id: SnapshotId): Promise<void> {
  await Promise.all([eraseRecord(stores, id), eraseChunks(stores, id)]);
}

async function eraseRecord(stores: Stores, id: SnapshotId): Promise<void> {
  await stores.objectStore("snapshots").delete([...id]);
}

async function eraseChunks(stores: Stores, [boot, n]: SnapshotId): Promise<void> {
  await stores
    .objectStore("chunks")
    .delete(IDBKeyRange.bound([boot, n, 0], [boot, n, Number.POSITIVE_INFINITY]));
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += valueBytesMax) {
    // A copy: a view would be stored with the whole buffer behind it.
    yield bytes.slice(at, at + valueBytesMax);
  }
}
