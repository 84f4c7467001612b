/**
 * The log in IndexedDB: one record for each write, in transactions that hold all that waits (group commit).
 *
 * One transaction is under way at a time, and a record's number is never used twice: so the place where a new owner puts its own (`journal.ts`)
 * is the place where a former one would go on. A commit-only write waits in memory for the next one, for it promises nothing that a
 * crash could break.
 */
import { must } from "../base/assert.js";
import { isLogboomError } from "../base/errors.js";
import type { Entry, HardState, SnapshotMetadata } from "../core/types.js";
import type { Connection, Stores, Takeover } from "./indexeddb-connection.js";
import { damaged, readRecord, recordBytesMax, type StoreName } from "./indexeddb-records.js";
import type { IndexedDbSnapshots } from "./indexeddb-snapshots.js";
import { type Journal, JournalReader, spanOf } from "./journal.js";
import { storageFailed } from "./lifeline.js";
import { encodeRecord, type LogRecord } from "./log-record.js";
import { afterWrite, type LogShape, planCompaction, storedState } from "./log-shape.js";
import { noBody, wrongTerm } from "./snapshot-names.js";
import type { Acknowledged, Loaded, Storage, StorageWrite } from "./storage.js";
import { TermRuns } from "./term-runs.js";

/** At least what a record needs for an entry beside its data: lengths, type, term and index. */
const entryOverhead = 32;

/** Records read per request while loading: at most some 6 MiB at a time, unless entries are larger than a record, and those stay in memory anyway. */
const recordsPerRead = 64;

export interface IndexedDbLog {
  readonly storage: Storage;
  acknowledged(): Acknowledged;
}

interface Task {
  /** The number of the first record. */
  readonly number: number;
  encode(): readonly Uint8Array[];
  /** What else is done in the transaction, over `snapshots`, `chunks` and `log`. The result says that it is complete. */
  readonly beside: ((stores: Stores) => Promise<() => void>) | undefined;
  /** The log once this is written. */
  readonly after: LogShape;
  done(): void;
  failed(error: unknown): void;
}

/** A log while it is open. */
interface Log {
  readonly connection: Connection;
  readonly snapshots: IndexedDbSnapshots;
  /** What the database holds once everything begun so far has completed, and a commit index that waits. */
  shape: LogShape;
  /** Set by `load`. */
  journal: Journal | undefined;
  runs: TermRuns;
  /** A commit index waits for the next write. */
  commitWaits: boolean;
  acked: LogShape;
  unanswered: Task[];
  queue: Task[];
  running: Promise<void> | undefined;
}

export function openLog(
  connection: Connection,
  takeover: Takeover,
  snapshots: IndexedDbSnapshots,
): IndexedDbLog {
  const { shape } = takeover.record;
  const log: Log = {
    connection,
    snapshots,
    shape,
    journal: undefined,
    runs: new TermRuns(shape.compacted),
    commitWaits: false,
    acked: shape,
    unanswered: [],
    queue: [],
    running: undefined,
  };
  snapshots.shape = () => log.shape;
  return {
    acknowledged: () => ({
      storeId: connection.identity.storeId,
      boot: connection.identity.boot,
      states: [log.acked, ...log.unanswered.map(({ after }) => after)].map(storedState),
    }),
    storage: {
      async load() {
        connection.lifeline.check();
        return await load(log, takeover);
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
        await log.running;
        connection.lifeline.check();
      },
      async compact(snapshot, upTo) {
        connection.lifeline.check();
        await compact(log, snapshot, upTo);
      },
      async close() {
        if (!connection.lifeline.broken) await flush(log);
        await log.running;
        connection.close();
      },
    },
  };
}

async function append(log: Log, write: StorageWrite): Promise<void> {
  const { snapshots } = log;
  const { snapshot, entries } = write;
  const after = afterWrite(log.shape, write);
  const inline = (snapshot?.data.length ?? 0) > 0 ? snapshot?.data : undefined;
  if (snapshot !== undefined && inline === undefined && !snapshots.has(snapshot.metadata)) {
    throw noBody(snapshot.metadata);
  }
  let beside: Task["beside"];
  if (snapshot !== undefined) {
    log.runs = new TermRuns(after.compacted);
    opened(log).cut(0);
    const release = releasing(log, after);
    beside = async (stores) => {
      await release(stores);
      return await snapshots.install(stores, snapshot.metadata, inline);
    };
  }
  for (const { index, term } of entries) log.runs.set(index, term);
  await run(log, after, entries, beside);
}

async function compact(log: Log, snapshot: SnapshotMetadata, upTo: number): Promise<void> {
  const { snapshots, shape } = log;
  const plan = planCompaction(shape, snapshot, upTo);
  if (!snapshots.has(snapshot)) throw noBody(snapshot);
  const term = log.runs.termAt(snapshot.index);
  if (term !== undefined && term !== snapshot.term) throw wrongTerm(snapshot, term);
  log.runs.compact(plan.upTo);
  const after: LogShape = {
    ...shape,
    hardState: { ...shape.hardState, commit: Math.max(shape.hardState.commit, plan.commit) },
    compacted: log.runs.compacted,
  };
  const release = releasing(log, after);
  await run(log, after, [], async (stores) => {
    await release(stores);
    return await snapshots.install(stores, snapshot);
  });
}

/** Writes a commit index that waits. */
async function flush(log: Log): Promise<void> {
  if (log.commitWaits) await run(log, log.shape, [], undefined);
}

/** Forgets what `shape` does not need; the result deletes it. */
function releasing(log: Log, { compacted }: LogShape): (stores: Stores) => Promise<void> {
  const ranges = opened(log).release(compacted.index);
  return async (stores) => {
    const records = stores.objectStore("log");
    await Promise.all(ranges.map(({ from, to }) => records.delete(IDBKeyRange.bound(from, to))));
  };
}

/** Queues the records that take the log to `after`, and waits until they are durable. */
function run(
  log: Log,
  after: LogShape,
  entries: readonly Entry[],
  beside: Task["beside"],
): Promise<void> {
  const journal = opened(log);
  const { boot } = log.connection.identity;
  const number = journal.next;
  const pieces = inPieces(entries);
  for (const piece of pieces) journal.add(spanOf(piece));
  const { from } = journal;
  const encode = (): Uint8Array[] =>
    pieces.map((piece) =>
      encodeRecord({ takesOver: false, boot, from, shape: after, entries: piece }),
    );
  log.shape = after;
  log.commitWaits = false;
  return new Promise((done, failed) => {
    const task: Task = { number, encode, beside, after, done, failed };
    log.unanswered.push(task);
    log.queue.push(task);
    log.running ??= drain(log);
  });
}

async function drain(log: Log): Promise<void> {
  const { lifeline, name } = log.connection;
  while (log.queue.length > 0) {
    const tasks = log.queue;
    log.queue = [];
    try {
      await write(log.connection, tasks);
      log.acked = tasks[tasks.length - 1]?.after ?? log.acked;
      log.unanswered.splice(0, tasks.length);
      for (const { done } of tasks) done();
    } catch (error) {
      // Also where a rule was broken: the numbers of the records are used up.
      const known =
        isLogboomError(error) && error.code !== "BAD_INPUT"
          ? error
          : storageFailed(`store ${name}: writing failed`, error);
      lifeline.fail(known);
      for (const { failed } of [...tasks, ...log.queue]) failed(known);
      log.queue = [];
    }
  }
  // Here and not in a `finally`: who queues right after the last answer must not find a loop that has ended already.
  log.running = undefined;
}

/** One transaction for all of `tasks`. */
async function write(connection: Connection, tasks: readonly Task[]): Promise<void> {
  const number = must(tasks[0], "there is something to write").number;
  const encode = (): Uint8Array[] => tasks.flatMap((task) => task.encode());
  if (tasks.every(({ beside }) => beside === undefined)) {
    await connection.addRecords(number, encode);
    return;
  }
  const scope: StoreName[] = ["log", "snapshots", "chunks"];
  const remember = await connection.write(scope, async (stores) => {
    const log = stores.objectStore("log");
    const adding = encode().map((record, n) => log.add(record, number + n));
    const complete: (() => void)[] = [];
    for (const { beside } of tasks) if (beside !== undefined) complete.push(await beside(stores));
    await Promise.all(adding);
    return complete;
  });
  for (const one of remember) one();
}

function opened(log: Log): Journal {
  return must(log.journal, "load() comes before the first append(): it finds the records");
}

/** Term or vote moved: a crash must not take that back. */
function binds(before: HardState, after: HardState | undefined): boolean {
  return after !== undefined && (after.term !== before.term || after.vote !== before.vote);
}

/** One write's entries, a record's worth at a time; one without entries is one record too. */
function inPieces(entries: readonly Entry[]): (readonly Entry[])[] {
  const pieces: (readonly Entry[])[] = [];
  let from = 0;
  let size = 0;
  for (let n = 0; n < entries.length; n++) {
    const bytes = (entries[n]?.data.length ?? 0) + entryOverhead;
    if (n > from && size + bytes > recordBytesMax) {
      pieces.push(entries.slice(from, n));
      from = n;
      size = 0;
    }
    size += bytes;
  }
  pieces.push(from === 0 ? entries : entries.slice(from));
  return pieces;
}

async function load(log: Log, { number, record }: Takeover): Promise<Loaded> {
  const { connection, snapshots } = log;
  const { shape } = record;
  const reader = new JournalReader(record.from);
  await readRecords(connection, { from: record.from, to: number }, (one, value) =>
    reader.feed(one, value),
  );
  const { journal, runs, entries } = checked(connection, () => reader.finish(shape));
  const { compacted } = shape;
  const { found, damaged: passedOver } = await snapshots.newestUsable(compacted.index);
  if (found === undefined && compacted.index > 0) {
    throw connection.lifeline.fail(
      damaged(
        `the snapshots: entries up to ${compacted.index} are compacted and no snapshot of them can be read`,
        passedOver[0],
      ),
    );
  }
  log.journal = journal;
  log.runs = runs;
  const commit = Math.max(shape.hardState.commit, found?.index ?? 0);
  return { hardState: { ...shape.hardState, commit }, snapshot: found, entries, compacted };
}

/** Reads the records in a range of numbers, both inclusive. */
async function readRecords(
  connection: Connection,
  { from, to }: { readonly from: number; readonly to: number },
  visit: (number: number, record: LogRecord) => void,
): Promise<void> {
  let next = from;
  while (next <= to) {
    const range = IDBKeyRange.bound(next, to);
    const [keys, values] = await connection.read(["log"], (stores) => {
      const records = stores.objectStore("log");
      return Promise.all([
        records.getAllKeys(range, recordsPerRead),
        records.getAll(range, recordsPerRead),
      ]);
    });
    checked(connection, () => {
      for (const [n, key] of keys.entries()) visit(key as number, readRecord(key, values[n]));
    });
    if (keys.length < recordsPerRead) return;
    next = (keys.at(-1) as number) + 1;
  }
}

/** What cannot be read breaks the lifeline, and says where. */
function checked<T>(connection: Connection, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const known =
      isLogboomError(error) && error.code !== "DECODE" ? error : damaged("the log", error);
    throw connection.lifeline.fail(known);
  }
}
