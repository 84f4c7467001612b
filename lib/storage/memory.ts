/**
 * A store in memory: for tests, and for nodes that may forget everything.
 *
 * Its contents belong to a medium that the caller holds, so that a store can be closed, or abandoned as in a crash, and
 * opened again. Everything is "durable" at once, commit-only writes included.
 *
 * Not here: lost, torn and slow writes (testing/disk.ts).
 */
import { LogboomError } from "../base/errors.js";
import type { Entry, SnapshotMetadata } from "../core/types.js";
import { createLifeline, type Lifeline, takenOver } from "./lifeline.js";
import {
  afterWrite,
  emptyShape,
  type LogShape,
  type Position,
  planCompaction,
  storedState,
} from "./log-shape.js";
import { checkMeta, platformRandomBytes } from "./meta-limits.js";
import { checkNotBelow } from "./not-below.js";
import {
  checkDroppable,
  newestFirst,
  noBody,
  noSnapshot,
  sameSnapshot,
  wrongTerm,
} from "./snapshot-names.js";
import type {
  Acknowledged,
  OpenedStore,
  SnapshotSink,
  SnapshotStore,
  Storage,
  StoreIdentity,
  StoreMeta,
  StoreOpenOptions,
} from "./storage.js";

/** What a memory store holds. Opaque: made by `createMemoryMedium`, given to `openMemoryStore`. */
export interface MemoryMedium {
  identity: { storeId: Uint8Array; signSeed: Uint8Array } | undefined;
  /** Also the owner's epoch: each opening takes the store over from the one before. */
  boot: number;
  shape: LogShape;
  entries: Entry[];
  snapshots: readonly StoredSnapshot[];
  meta: Map<string, Uint8Array>;
}

interface StoredSnapshot {
  readonly metadata: SnapshotMetadata;
  readonly chunks: readonly Uint8Array[];
  /** Named by `append` or `compact`: `load` may start from it. */
  readonly named: boolean;
}

export function createMemoryMedium(): MemoryMedium {
  return {
    identity: undefined,
    boot: 0,
    shape: emptyShape,
    entries: [],
    snapshots: [],
    meta: new Map(),
  };
}

/**
 * Opens `medium` (default: a fresh one). An earlier opening of it that still lives loses it.
 *
 * @throws LogboomError `STORE_WENT_BACK` when it is below `notBelow`
 */
export async function openMemoryStore(
  options: StoreOpenOptions & { readonly medium?: MemoryMedium } = {},
): Promise<OpenedStore> {
  const medium = options.medium ?? createMemoryMedium();
  const randomBytes = options.randomBytes ?? platformRandomBytes;
  const created = medium.identity === undefined;
  medium.identity ??= { storeId: randomBytes(16), signSeed: randomBytes(32) };
  const identity: StoreIdentity = { ...medium.identity, boot: medium.boot + 1, created };
  if (options.notBelow !== undefined) {
    const state = storedState(medium.shape);
    checkNotBelow({ ...identity, state }, options.notBelow);
  }
  medium.boot = identity.boot;
  const lifeline = createLifeline("in memory");
  const check = (): void => {
    lifeline.check();
    if (medium.boot !== identity.boot) throw lifeline.fail(takenOver("in memory"));
  };
  return {
    storage: memoryStorage(medium, lifeline, check),
    snapshots: memorySnapshots(medium, check),
    identity,
    meta: memoryMeta(medium, check),
    onLost: lifeline.onLost,
    acknowledged: (): Acknowledged => ({
      storeId: identity.storeId,
      boot: identity.boot,
      states: [storedState(medium.shape)],
    }),
  };
}

function memoryStorage(medium: MemoryMedium, lifeline: Lifeline, check: () => void): Storage {
  return {
    async load() {
      check();
      const { shape, entries } = medium;
      const snapshot = medium.snapshots.find((stored) => stored.named)?.metadata;
      // A copy: appends go on in the medium's own.
      const loaded = { hardState: shape.hardState, snapshot, entries: [...entries] };
      return { ...loaded, compacted: shape.compacted };
    },
    async append(write) {
      check();
      const after = afterWrite(medium.shape, write);
      if (write.snapshot !== undefined) {
        const { metadata, data } = write.snapshot;
        if (data.length > 0) keep(medium, { metadata, chunks: [data], named: true });
        else name(medium, metadata);
        medium.entries = [];
      }
      const first = write.entries[0]?.index;
      if (first !== undefined) {
        const last = medium.entries.at(-1)?.index ?? 0;
        if (first <= last) medium.entries = medium.entries.filter((entry) => entry.index < first);
        for (const entry of write.entries) medium.entries.push(entry);
      }
      medium.shape = after;
    },
    async compact(snapshot, upTo) {
      check();
      const plan = planCompaction(medium.shape, snapshot, upTo);
      checkTerm(medium.entries, snapshot);
      name(medium, snapshot);
      const { hardState, compacted, last } = medium.shape;
      const at = medium.entries.find((entry) => entry.index === plan.upTo);
      const moved: Position = at === undefined ? compacted : { index: at.index, term: at.term };
      medium.entries = medium.entries.filter((entry) => entry.index > plan.upTo);
      medium.shape = {
        hardState: { ...hardState, commit: plan.commit },
        compacted: moved,
        last,
      };
    },
    async close() {
      lifeline.close();
    },
  };
}

function memorySnapshots(medium: MemoryMedium, check: () => void): SnapshotStore {
  return {
    async write(metadata): Promise<SnapshotSink> {
      check();
      const chunks: Uint8Array[] = [];
      let open = true;
      const checkOpen = (): void => {
        check();
        if (!open) throw new LogboomError("CLOSED", "this snapshot was finished or given up");
      };
      return {
        async write(chunk) {
          checkOpen();
          chunks.push(chunk.slice());
        },
        async finish() {
          checkOpen();
          open = false;
          keep(medium, { metadata, chunks, named: false });
        },
        async abort() {
          open = false;
        },
      };
    },
    async *read(metadata) {
      check();
      const found = medium.snapshots.find((stored) => sameSnapshot(stored.metadata, metadata));
      if (found === undefined) throw noSnapshot(metadata);
      for (const chunk of found.chunks) {
        check();
        yield chunk;
      }
    },
    async list() {
      check();
      return medium.snapshots.map((stored) => stored.metadata);
    },
    async drop(metadata) {
      check();
      checkDroppable(
        medium.shape,
        medium.snapshots.filter((stored) => stored.named).map((stored) => stored.metadata),
        metadata,
      );
      medium.snapshots = medium.snapshots.filter(
        (stored) => !sameSnapshot(stored.metadata, metadata),
      );
    },
  };
}

function memoryMeta(medium: MemoryMedium, check: () => void): StoreMeta {
  return {
    async get(key) {
      check();
      return medium.meta.get(key)?.slice();
    },
    async set(key, value) {
      check();
      checkMeta(key, value);
      if (value === undefined) medium.meta.delete(key);
      else medium.meta.set(key, value.slice());
    },
  };
}

/** Adds a body in its place; one under the same name gives way, but what was named stays so. */
function keep(medium: MemoryMedium, added: StoredSnapshot): void {
  const before = medium.snapshots.find((stored) => sameSnapshot(stored.metadata, added.metadata));
  const others = medium.snapshots.filter((stored) => stored !== before);
  const named = added.named || before?.named === true;
  medium.snapshots = [...others, { ...added, named }].sort((a, b) =>
    newestFirst(a.metadata, b.metadata),
  );
}

function name(medium: MemoryMedium, metadata: SnapshotMetadata): void {
  const found = medium.snapshots.find((stored) => sameSnapshot(stored.metadata, metadata));
  if (found === undefined) throw noBody(metadata);
  keep(medium, { ...found, named: true });
}

function checkTerm(entries: readonly Entry[], snapshot: SnapshotMetadata): void {
  const at = entries.find((entry) => entry.index === snapshot.index);
  if (at !== undefined && at.term !== snapshot.term) throw wrongTerm(snapshot, at.term);
}
