/**
 * IndexedDB: the browser's default store. One strict transaction per write, acknowledged in `oncomplete` alone.
 *
 * This file opens a database and takes it over. Its transactions are `indexeddb-connection.ts`, what lies inside is
 * `indexeddb-records.ts`, the log `indexeddb-log.ts`, the bodies of snapshots `indexeddb-snapshots.ts`.
 *
 * Invariants: there is one writer. Whoever opens raises the boot counter and puts a record of its own where the former owner's next one
 * would go, in one transaction; a later write of that owner finds the place taken and aborts, and what is no write to the log
 * reads the counter and aborts when it changed. An identity is made with the object stores, in one transaction: a wiped database is another
 * peer, and so is one of which a part is gone: it is made anew, which ends every connection to it. Any error, abort, `close` or `versionchange`
 * breaks the lifeline at once.
 *
 * Not here: which tab may open (Web Locks, room/slot.ts).
 */
import { type IDBPDatabase, wrap } from "idb";
import { isLogboomError, LogboomError } from "../base/errors.js";
import { type Connection, quiet, type Takeover, transactions } from "./indexeddb-connection.js";
import { openLog } from "./indexeddb-log.js";
import {
  damaged,
  goneOf,
  metaMade,
  readBoot,
  readIdentity,
  readRecord,
  renewal,
  schemaVersion,
  storeNames,
} from "./indexeddb-records.js";
import { openSnapshots } from "./indexeddb-snapshots.js";
import { createLifeline, storageFailed } from "./lifeline.js";
import { encodeRecord, type LogRecord } from "./log-record.js";
import { emptyShape, storedState } from "./log-shape.js";
import { checkMeta, platformRandomBytes } from "./meta-limits.js";
import { checkNotBelow } from "./not-below.js";
import type {
  Acknowledged,
  OpenedStore,
  StoreIdentity,
  StoreMeta,
  StoreOpenOptions,
} from "./storage.js";

export interface IndexedDbOptions extends StoreOpenOptions {
  /** The database's name: one store per database. */
  readonly name: string;
  /** Default: the global one. */
  readonly indexedDB?: IDBFactory;
}

/**
 * Opens the store `name`, creating it if need be; an earlier opening of it that still lives loses it.
 *
 * @throws LogboomError `NO_STORAGE` (no IndexedDB here) · `STORAGE_FAILED` (damaged, of a later version, or the browser refuses) ·
 *         `STORAGE_LOCKED` (another page holds an older version open) · `STORE_WENT_BACK` (below `notBelow`)
 */
export async function openIndexedDbStore(options: IndexedDbOptions): Promise<OpenedStore> {
  const { connection, takeover } = await connect(options);
  try {
    const snapshots = await openSnapshots(connection);
    const log = openLog(connection, takeover, snapshots);
    return {
      storage: log.storage,
      snapshots: snapshots.store,
      identity: connection.identity,
      meta: openMeta(connection),
      onLost: connection.lifeline.onLost,
      acknowledged: log.acknowledged,
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Deletes a store with everything in it. Open stores of that name are lost to their owners.
 *
 * @throws LogboomError `STORAGE_LOCKED` when a page holds it and does not answer; it is deleted once that page is gone
 */
export async function deleteIndexedDbStore(name: string, indexedDB?: IDBFactory): Promise<void> {
  const request = factory(indexedDB).deleteDatabase(name);
  await new Promise<void>((resolve, reject) => {
    request.onsuccess = () => resolve();
    request.onerror = () => reject(storageFailed(`store ${name} cannot be deleted`, request.error));
    request.onblocked = () => reject(locked(name, "it is deleted once that page is gone"));
  });
}

/** Names of the stores that begin with `prefix`, ascending. @throws LogboomError `NOT_SUPPORTED` where a browser cannot tell */
export async function listIndexedDbStores(
  prefix: string,
  indexedDB?: IDBFactory,
): Promise<readonly string[]> {
  const databases = factory(indexedDB);
  if (typeof databases.databases !== "function") {
    throw new LogboomError("NOT_SUPPORTED", "this browser does not list its databases");
  }
  const names = (await databases.databases()).map((database) => database.name ?? "");
  return names.filter((name) => name.startsWith(prefix)).sort();
}

async function connect(
  options: IndexedDbOptions,
): Promise<{ connection: Connection; takeover: Takeover }> {
  const { name } = options;
  const database = await openWhole(options);
  const lifeline = createLifeline(name);
  const lost = (what: string) => () => {
    lifeline.fail(storageFailed(`store ${name}: ${what}`));
    database.close();
  };
  database.addEventListener("close", lost("the browser closed its database"));
  database.addEventListener("versionchange", lost("another page deletes or upgrades its database"));
  try {
    const { identity, ...takeover } = await takeOver(database, options.notBelow);
    const run = transactions(database, name, lifeline, identity.boot);
    const close = (): void => {
      lifeline.close();
      database.close();
    };
    return { connection: { name, lifeline, identity, close, ...run }, takeover };
  } catch (error) {
    lifeline.close();
    database.close();
    throw isLogboomError(error) ? error : storageFailed(`store ${name} cannot be opened`, error);
  }
}

/** The store that is there; where a part of it is gone, a new one in its place. */
async function openWhole(options: IndexedDbOptions): Promise<IDBPDatabase<unknown>> {
  const { name } = options;
  const database = await openDatabase(options);
  let gone: string | undefined;
  try {
    gone = await goneFrom(database);
  } catch (error) {
    database.close();
    throw isLogboomError(error) ? error : storageFailed(`store ${name} cannot be opened`, error);
  }
  if (gone === undefined) return database;
  // As a new version of the database: an owner that sleeps elsewhere loses it and cannot wake up in the new store, and old and new change
  // places in one transaction, so that it is never forgotten why.
  const { version } = database;
  database.close();
  return await openVersion(options, version + renewal, gone);
}

async function goneFrom(database: IDBPDatabase<unknown>): Promise<string | undefined> {
  const absent = storeNames.filter((store) => !database.objectStoreNames.contains(store));
  if (absent.length > 0) return `the object stores ${absent.join(", ")} were gone`;
  const transaction = database.transaction([...storeNames], "readonly");
  void quiet(transaction.done);
  const state = transaction.objectStore("state");
  const [identity, boot, newest, meta, snapshots, chunks] = await Promise.all([
    state.get("identity"),
    state.get("boot"),
    transaction.objectStore("log").openCursor(null, "prev"),
    transaction.objectStore("meta").get(metaMade),
    transaction.objectStore("snapshots").getAll(),
    transaction.objectStore("chunks").getAllKeys(null, 1),
  ]);
  const last = newest === null ? undefined : readRecord(newest.key, newest.value);
  // Until it has ended the database is not closed, and could not be deleted.
  await transaction.done;
  return goneOf({ identity, boot, last, meta, snapshots, hasChunks: chunks.length > 0 });
}

async function openDatabase(options: IndexedDbOptions): Promise<IDBPDatabase<unknown>> {
  try {
    return await openVersion(options, schemaVersion);
  } catch (error) {
    const newer = isLogboomError(error) && isNamed(error.cause, "VersionError");
    if (!newer) throw error;
    // A store that took another's place, or a later layout.
    const database = await openVersion(options, undefined);
    if (database.version % renewal === schemaVersion) return database;
    database.close();
    throw error;
  }
}

/**
 * @param version  undefined: the one it has
 * @param replaced  what of the store that is there was gone: it is made anew
 */
async function openVersion(
  options: IndexedDbOptions,
  version: number | undefined,
  replaced?: string,
): Promise<IDBPDatabase<unknown>> {
  const { name } = options;
  const request = factory(options.indexedDB).open(name, version);
  let earlier = false;
  request.onupgradeneeded = ({ oldVersion }) => {
    const { transaction, result } = request;
    if (transaction === null) return;
    if (oldVersion !== 0 && replaced === undefined) {
      // What an earlier layout holds is left as it is.
      earlier = true;
      transaction.abort();
      return;
    }
    if (replaced !== undefined) {
      for (const store of [...result.objectStoreNames]) result.deleteObjectStore(store);
    }
    makeStore(result, transaction, options, replaced);
  };
  return await new Promise((resolve, reject) => {
    request.onblocked = () => reject(locked(name, "close it and try again"));
    request.onerror = () => reject(openingFailed(name, earlier, request.error));
    request.onsuccess = () => resolve(wrap(request.result) as IDBPDatabase<unknown>);
  });
}

function makeStore(
  database: IDBDatabase,
  transaction: IDBTransaction,
  { randomBytes = platformRandomBytes }: IndexedDbOptions,
  replaced: string | undefined,
): void {
  for (const store of storeNames) database.createObjectStore(store);
  const state = transaction.objectStore("state");
  const ids = { storeId: randomBytes(16), signSeed: randomBytes(32) };
  state.put(replaced === undefined ? ids : { ...ids, replaced }, "identity");
  state.put(0, "boot");
  transaction.objectStore("meta").put(new Uint8Array(0), metaMade);
}

/**
 * Raises the boot counter, which is the owner's epoch too, and puts a record where the former owner's next one would go. That record stays for
 * good: the former owner may be a page that was frozen, and may wake at any time. What must not go back is looked at in the same transaction, so
 * that a store which is refused, or whose opening is cut short, is as it was.
 */
async function takeOver(
  database: IDBPDatabase<unknown>,
  notBelow: Acknowledged | undefined,
): Promise<Takeover & { identity: StoreIdentity }> {
  const transaction = database.transaction(["state", "log"], "readwrite", { durability: "strict" });
  const state = transaction.objectStore("state");
  const log = transaction.objectStore("log");
  const [identity, counter, newest] = await Promise.all([
    state.get("identity"),
    state.get("boot"),
    log.openCursor(null, "prev"),
  ]);
  const before = readBoot(counter);
  const ids = readIdentity(identity);
  const last = newest === null ? undefined : readRecord(newest.key, newest.value);
  if (last?.boot !== (before === 0 ? undefined : before)) {
    throw damaged(`the log: it ends in boot ${last?.boot ?? 0}, the boot counter says ${before}`);
  }
  const boot = before + 1;
  const number = ((newest?.key as number | undefined) ?? 0) + 1;
  const { from, shape } = last ?? { from: number, shape: emptyShape };
  if (notBelow !== undefined) {
    checkNotBelow({ storeId: ids.storeId, boot, state: storedState(shape) }, notBelow);
  }
  const record: LogRecord = { takesOver: true, boot, from, shape, entries: [] };
  const requests = [state.put(boot, "boot"), log.add(encodeRecord(record), number)];
  await Promise.all([...requests, transaction.done]);
  return {
    identity: { ...ids, boot, created: before === 0 },
    number,
    record,
  };
}

function openMeta({ write, read }: Connection): StoreMeta {
  return {
    async get(key) {
      const value: unknown = await read(["meta"], (stores) => stores.objectStore("meta").get(key));
      if (value === undefined || value instanceof Uint8Array) return value;
      throw storageFailed(`the store is damaged at meta value ${key}: no bytes`);
    },
    async set(key, value) {
      checkMeta(key, value);
      await write(["meta"], async (stores) => {
        const meta = stores.objectStore("meta");
        await (value === undefined ? meta.delete(key) : meta.put(value.slice(), key));
      });
    },
  };
}

function factory(given: IDBFactory | undefined): IDBFactory {
  try {
    const found = given ?? globalThis.indexedDB;
    if (found !== undefined && found !== null) return found;
  } catch (cause) {
    throw new LogboomError("NO_STORAGE", "this page may not use IndexedDB", { cause });
  }
  throw new LogboomError("NO_STORAGE", "there is no IndexedDB here");
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof DOMException && error.name === name;
}

function openingFailed(name: string, earlier: boolean, cause: DOMException | null): LogboomError {
  if (isNamed(cause, "VersionError")) {
    return storageFailed(`store ${name} was written by a later version of Logboom`, cause);
  }
  if (earlier) {
    return storageFailed(
      `store ${name} was written by an earlier version of Logboom, whose layout this one does not read: delete it`,
      cause,
    );
  }
  return storageFailed(`store ${name} cannot be opened`, cause);
}

function locked(name: string, advice: string): LogboomError {
  return new LogboomError(
    "STORAGE_LOCKED",
    `another page holds store ${name} open and does not give way: ${advice}`,
    { outcome: "unknown" },
  );
}
