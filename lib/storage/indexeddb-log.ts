/**
 * The log in IndexedDB: batches of entries under the index of their first, and one head record put with every write.
 *
 * Batches are kept disjoint: a write that cuts the log deletes the batches above the cut and shortens the one it goes
 * through, in its own transaction, so that nothing that was replaced can come back. A commit-only write waits in memory for
 * the next one, for it promises nothing that a crash could break.
 */
import { must } from "../base/assert.js";
import { isLogboomError } from "../base/errors.js";
import type { Entry, HardState, Index, SnapshotMetadata } from "../core/types.js";
import { encodeBatch } from "./entry-batch.js";
import type { Connection, Stores } from "./indexeddb-connection.js";
import {
  damaged,
  headRecord,
  readBatch,
  type StoreName,
  valueBytesMax,
} from "./indexeddb-records.js";
import type { IndexedDbSnapshots } from "./indexeddb-snapshots.js";
import { afterWrite, type LogShape, planCompaction, storedState } from "./log-shape.js";
import { noBody, wrongTerm } from "./snapshot-names.js";
import type { Acknowledged, Loaded, Storage, StorageWrite } from "./storage.js";

/** At least what a batch needs for an entry beside its data: lengths, type, term and index. */
const entryOverhead = 32;

/** Batches read per request while loading: at most some 3 MiB at a time. */
const batchesPerRead = 64;

export interface IndexedDbLog {
  readonly storage: Storage;
  acknowledged(): Acknowledged;
}

/** A log while it is open. */
interface Log {
  readonly connection: Connection;
  readonly snapshots: IndexedDbSnapshots;
  /** What the database holds once everything begun so far has completed, and a commit index that waits. */
  shape: LogShape;
  /** Where the batches begin, ascending; filled by `load`. */
  firsts: Index[] | undefined;
  /** A commit index waits for the next write. */
  commitWaits: boolean;
  acked: LogShape;
  readonly unanswered: LogShape[];
  tail: Promise<unknown>;
}

export function openLog(
  connection: Connection,
  opened: LogShape,
  snapshots: IndexedDbSnapshots,
): IndexedDbLog {
  const log: Log = {
    connection,
    snapshots,
    shape: opened,
    firsts: undefined,
    commitWaits: false,
    acked: opened,
    unanswered: [],
    tail: Promise.resolve(),
  };
  snapshots.shape = () => log.shape;
  return {
    acknowledged: () => ({
      storeId: connection.identity.storeId,
      boot: connection.identity.boot,
      states: [log.acked, ...log.unanswered].map(storedState),
    }),
    storage: {
      async load() {
        connection.lifeline.check();
        const { loaded, begins } = await load(connection, log.shape, snapshots);
        log.firsts = begins;
        return loaded;
      },
      async append(write) {
        connection.lifeline.check();
        const content = write.entries.length > 0 || write.snapshot !== undefined;
        if (write.sync || content || binds(log.shape.hardState, write.hardState)) {
          await append(log, write);
          return;
        }
        log.shape = afterWrite(log.shape, write);
        log.commitWaits = true;
        await log.tail;
        connection.lifeline.check();
      },
      async compact(snapshot, upTo) {
        connection.lifeline.check();
        await compact(log, snapshot, upTo);
      },
      async close() {
        if (!connection.lifeline.broken) await flush(log);
        await log.tail;
        connection.close();
      },
    },
  };
}

async function append(log: Log, write: StorageWrite): Promise<void> {
  const { snapshots, shape } = log;
  const { snapshot, entries } = write;
  const after = afterWrite(shape, write);
  const inline = (snapshot?.data.length ?? 0) > 0 ? snapshot?.data : undefined;
  if (snapshot !== undefined && inline === undefined && !snapshots.has(snapshot.metadata)) {
    throw noBody(snapshot.metadata);
  }
  const before = batches(log);
  const cut = snapshot === undefined ? entries[0]?.index : 0;
  // Plain appending, the common case, must not cost a walk over all batches.
  const cuts = cut !== undefined && cut <= shape.last.index;
  const kept = cuts ? before.filter((first) => first < cut) : before;
  // A batch that begins below the cut and reaches beyond it has to be shortened.
  const through = cuts && !before.includes(cut) ? kept.at(-1) : undefined;
  const drops = kept.length < before.length;
  const packed = packEntries(entries);
  const scope: StoreName[] =
    snapshot === undefined ? ["entries"] : ["entries", "snapshots", "chunks"];
  let remember = (): void => {};
  for (const { first } of packed) kept.push(first);
  log.firsts = kept;
  await track(log, after, scope, async (stores) => {
    const target = stores.objectStore("entries");
    const requests: Promise<unknown>[] = [];
    if (drops) {
      requests.push(target.delete(IDBKeyRange.lowerBound(cut)));
    }
    if (snapshot !== undefined) {
      remember = await snapshots.install(stores, snapshot.metadata, inline);
    }
    if (cut !== undefined && through !== undefined) await shorten(stores, through, cut);
    for (const { first, bytes } of packed) requests.push(target.put(bytes, first));
    await Promise.all(requests);
  });
  remember();
}

async function compact(log: Log, snapshot: SnapshotMetadata, upTo: Index): Promise<void> {
  const { snapshots, connection } = log;
  const plan = planCompaction(log.shape, snapshot, upTo);
  if (!snapshots.has(snapshot)) throw noBody(snapshot);
  const [termAtPoint, termAtSnapshot] = await findTerms(connection, batches(log), [
    plan.upTo,
    snapshot.index,
  ]);
  if (termAtSnapshot !== undefined && termAtSnapshot !== snapshot.term) {
    throw wrongTerm(snapshot, termAtSnapshot);
  }
  // From here on nothing is awaited before the transaction begins: other writes may have been begun during the reading.
  const { shape } = log;
  const after: LogShape = {
    ...shape,
    hardState: { ...shape.hardState, commit: Math.max(shape.hardState.commit, plan.commit) },
    compacted: { index: plan.upTo, term: termAtPoint ?? shape.compacted.term },
  };
  // The last batch that begins at or below the first kept entry may hold it; those before it go.
  const begin = batches(log)
    .filter((first) => first <= plan.upTo + 1)
    .at(-1);
  log.firsts = batches(log).filter((first) => begin === undefined || first >= begin);
  let remember = (): void => {};
  await track(log, after, ["entries", "snapshots", "chunks"], async (stores) => {
    remember = await snapshots.install(stores, snapshot);
    if (begin === undefined) return;
    await stores.objectStore("entries").delete(IDBKeyRange.upperBound(begin, true));
  });
  remember();
}

/** Writes a commit index that waits. */
async function flush(log: Log): Promise<void> {
  if (log.commitWaits) await track(log, log.shape, [], async () => {});
}

/** Runs one transaction that takes the log to `after`, and keeps the account of what was acknowledged. */
async function track(
  log: Log,
  after: LogShape,
  scope: readonly StoreName[],
  run: (stores: Stores) => Promise<void>,
): Promise<void> {
  log.shape = after;
  log.commitWaits = false;
  log.unanswered.push(after);
  const work = log.connection.write(scope, async (stores) => {
    await Promise.all([stores.objectStore("state").put(headRecord(after), "head"), run(stores)]);
  });
  log.tail = work.catch(() => {});
  await work;
  log.acked = after;
  log.unanswered.splice(0, log.unanswered.indexOf(after) + 1);
}

function batches(log: Log): Index[] {
  return must(log.firsts, "load() comes before the first append(): it finds the batches");
}

/** Term or vote moved: a crash must not take that back. */
function binds(before: HardState, after: HardState | undefined): boolean {
  return after !== undefined && (after.term !== before.term || after.vote !== before.vote);
}

/** One write's entries as batches of a bounded size each. */
function packEntries(entries: readonly Entry[]): { first: Index; bytes: Uint8Array }[] {
  const packed: { first: Index; bytes: Uint8Array }[] = [];
  let from = 0;
  let size = 0;
  const end = (to: number): void => {
    const part = entries.slice(from, to);
    const first = part[0]?.index;
    if (first !== undefined) packed.push({ first, bytes: encodeBatch(part) });
    from = to;
    size = 0;
  };
  for (const [n, { data }] of entries.entries()) {
    if (n > from && size + data.length > valueBytesMax) end(n);
    size += data.length + entryOverhead;
  }
  end(entries.length);
  return packed;
}

/** Shortens the batch that begins at `first` and reaches beyond `cut`, within the transaction that cuts the log. */
async function shorten(stores: Stores, first: Index, cut: Index): Promise<void> {
  const entries = stores.objectStore("entries");
  const whole = readBatch(first, await entries.get(first));
  await entries.put(encodeBatch(whole.filter((entry) => entry.index < cut)), first);
}

/** The terms of the entries at `indexes`, undefined where the log does not hold them any more. */
async function findTerms(
  connection: Connection,
  firsts: readonly Index[],
  indexes: readonly Index[],
): Promise<(number | undefined)[]> {
  return await connection.read(["entries"], async (stores) => {
    const terms: (number | undefined)[] = [];
    for (const index of indexes) {
      const first = firsts.filter((one) => one <= index).at(-1);
      if (first === undefined) terms.push(undefined);
      else {
        const batch = readBatch(first, await stores.objectStore("entries").get(first));
        terms.push(batch[index - first]?.term);
      }
    }
    return terms;
  });
}

async function load(
  connection: Connection,
  shape: LogShape,
  snapshots: IndexedDbSnapshots,
): Promise<{ loaded: Loaded; begins: Index[] }> {
  const { compacted, last } = shape;
  const { entries, begins } = await readEntries(connection, shape);
  if (entries.length !== last.index - compacted.index) {
    throw connection.lifeline.fail(
      damaged(
        `the entries: they end at ${compacted.index + entries.length}, the head record says ${last.index}`,
      ),
    );
  }
  const { found, damaged: passedOver } = await snapshots.newestUsable(compacted.index);
  if (found === undefined && compacted.index > 0) {
    throw connection.lifeline.fail(
      damaged(
        `the snapshots: entries up to ${compacted.index} are compacted and no snapshot of them can be read`,
        passedOver[0],
      ),
    );
  }
  const commit = Math.max(shape.hardState.commit, found?.index ?? 0);
  return {
    loaded: { hardState: { ...shape.hardState, commit }, snapshot: found, entries, compacted },
    begins,
  };
}

async function readEntries(
  connection: Connection,
  { compacted }: LogShape,
): Promise<{ entries: Entry[]; begins: Index[] }> {
  const entries: Entry[] = [];
  const begins: Index[] = [];
  let next: Index | undefined;
  let term = compacted.term;
  for (;;) {
    const after = begins.at(-1);
    const range = after === undefined ? null : IDBKeyRange.lowerBound(after, true);
    const [keys, values] = await connection.read(["entries"], (stores) => {
      const store = stores.objectStore("entries");
      return Promise.all([
        store.getAllKeys(range, batchesPerRead),
        store.getAll(range, batchesPerRead),
      ]);
    });
    for (const [n, key] of keys.entries()) {
      const batch = readChecked(connection, key, values[n]);
      for (const entry of batch) {
        next ??= Math.min(entry.index, compacted.index + 1);
        if (entry.index !== next || (entry.index > compacted.index && entry.term < term)) {
          throw connection.lifeline.fail(
            damaged(`entry ${next}: found entry ${entry.index} of term ${entry.term} there`),
          );
        }
        next++;
        if (entry.index <= compacted.index) continue;
        term = entry.term;
        entries.push(entry);
      }
      begins.push(key as Index);
    }
    if (keys.length < batchesPerRead) return { entries, begins };
  }
}

function readChecked(connection: Connection, key: unknown, value: unknown): Entry[] {
  try {
    return readBatch(key, value);
  } catch (error) {
    throw isLogboomError(error) ? connection.lifeline.fail(error) : error;
  }
}
