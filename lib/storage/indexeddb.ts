/**
 * IndexedDB: the browser's default store. One strict transaction per write, acknowledged in `oncomplete` alone.
 *
 * This file opens a database, takes it over and runs transactions; it is the only one that knows `idb`. What lies inside is
 * `indexeddb-records.ts`, the log `indexeddb-log.ts`, the bodies of snapshots `indexeddb-snapshots.ts`.
 *
 * Invariants: whoever opens raises the boot counter first, and every later transaction reads it and aborts when it changed, so
 * there is one writer. An identity is made with the object stores, in one transaction, and made anew in one where a part is
 * gone: a wiped store is another peer. Any error, abort, `close` or `versionchange` breaks the lifeline at once.
 *
 * Not here: which tab may open (Web Locks, room/slot.ts).
 */
import { type IDBPDatabase, wrap } from "idb";
import { isLogboomError, LogboomError } from "../base/errors.js";
import type { Connection, Stores } from "./indexeddb-connection.js";
import { openLog } from "./indexeddb-log.js";
import {
  type FirstLook,
  goneOf,
  headRecord,
  metaMade,
  readBoot,
  readHead,
  readIdentity,
  type StoreName,
  schemaVersion,
  storeNames,
} from "./indexeddb-records.js";
import { openSnapshots } from "./indexeddb-snapshots.js";
import { createLifeline, type Lifeline, storageFailed, takenOver } from "./lifeline.js";
import { emptyShape, type LogShape, storedState } from "./log-shape.js";
import { checkMeta, platformRandomBytes } from "./meta-limits.js";
import { checkNotBelow } from "./not-below.js";
import type { OpenedStore, StoreIdentity, StoreMeta, StoreOpenOptions } from "./storage.js";

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
  const { connection, shape } = await connect(options);
  try {
    if (options.notBelow !== undefined) {
      const { storeId, boot } = connection.identity;
      checkNotBelow({ storeId, boot, state: storedState(shape) }, options.notBelow);
    }
    const snapshots = await openSnapshots(connection);
    const log = openLog(connection, shape, snapshots);
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
): Promise<{ connection: Connection; shape: LogShape }> {
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
    const { identity, shape, strict } = await takeOver(database, options.randomBytes);
    const run = transactions(database, name, lifeline, identity.boot);
    const close = (): void => {
      lifeline.close();
      database.close();
    };
    return { connection: { name, lifeline, identity, strict, close, ...run }, shape };
  } catch (error) {
    lifeline.close();
    database.close();
    throw isLogboomError(error) ? error : storageFailed(`store ${name} cannot be opened`, error);
  }
}

/** A database that lacks an object store is none of ours any more: another takes its place. */
async function openWhole(options: IndexedDbOptions): Promise<IDBPDatabase<unknown>> {
  const database = await openDatabase(options);
  const gone = storeNames.filter((store) => !database.objectStoreNames.contains(store));
  if (gone.length === 0) return database;
  database.close();
  await deleteIndexedDbStore(options.name, options.indexedDB);
  return await openDatabase(options, `the object stores ${gone.join(", ")} were gone`);
}

async function openDatabase(
  options: IndexedDbOptions,
  replaced?: string,
): Promise<IDBPDatabase<unknown>> {
  const { name, randomBytes } = options;
  const request = factory(options.indexedDB).open(name, schemaVersion);
  request.onupgradeneeded = ({ oldVersion }) => {
    const { transaction, result } = request;
    if (transaction === null) return;
    if (oldVersion === 0) {
      for (const store of storeNames) result.createObjectStore(store);
      for (const [store, key, value] of beginning(randomBytes, replaced)) {
        transaction.objectStore(store).put(value, key);
      }
    } else if (oldVersion === 1 && result.objectStoreNames.contains("meta")) {
      transaction.objectStore("meta").put(new Uint8Array(0), metaMade);
    }
  };
  return await new Promise((resolve, reject) => {
    request.onblocked = () => reject(locked(name, "close it and try again"));
    request.onerror = () => reject(openingFailed(name, request.error));
    request.onsuccess = () => resolve(wrap(request.result) as IDBPDatabase<unknown>);
  });
}

/** What a new store begins with. */
function beginning(
  randomBytes: StoreOpenOptions["randomBytes"] = platformRandomBytes,
  replaced?: string,
): readonly (readonly [store: StoreName, key: string, value: unknown])[] {
  const ids = { storeId: randomBytes(16), signSeed: randomBytes(32) };
  return [
    ["state", "identity", replaced === undefined ? ids : { ...ids, replaced }],
    ["state", "boot", 0],
    ["state", "head", headRecord(emptyShape)],
    ["meta", metaMade, new Uint8Array(0)],
  ];
}

/**
 * Raises the boot counter, which is the owner's epoch too, and reads what the database says of itself. Where a part of it is gone, all is
 * made anew in the same transaction.
 */
async function takeOver(
  database: IDBPDatabase<unknown>,
  randomBytes: StoreOpenOptions["randomBytes"],
): Promise<{ identity: StoreIdentity; shape: LogShape; strict: boolean }> {
  const transaction = database.transaction([...storeNames], "readwrite", { durability: "strict" });
  const done = quiet(transaction.done);
  try {
    const stores = quietStores(transaction as unknown as Stores);
    let look = await firstLook(stores);
    const gone = goneOf(look);
    if (gone !== undefined) {
      await Promise.all(storeNames.map((name) => transaction.objectStore(name).clear()));
      const records = beginning(randomBytes, gone);
      await Promise.all(
        records.map(([name, key, value]) => stores.objectStore(name).put(value, key)),
      );
      look = await firstLook(stores);
    }
    const before = readBoot(look.boot);
    const ids = readIdentity(look.identity);
    const shape = readHead(look.head);
    await stores.objectStore("state").put(before + 1, "boot");
    await done;
    const identity = { ...ids, boot: before + 1, created: before === 0 };
    return { identity, shape, strict: transaction.durability === "strict" };
  } catch (error) {
    abort(transaction);
    throw error;
  }
}

async function firstLook(stores: Stores): Promise<FirstLook> {
  const state = stores.objectStore("state");
  const [identity, boot, head, meta, entries, snapshots, chunks] = await Promise.all([
    state.get("identity"),
    state.get("boot"),
    state.get("head"),
    stores.objectStore("meta").get(metaMade),
    stores.objectStore("entries").getAllKeys(null, 1),
    stores.objectStore("snapshots").getAll(),
    stores.objectStore("chunks").getAllKeys(null, 1),
  ]);
  const [hasEntries, hasChunks] = [entries.length > 0, chunks.length > 0];
  return { identity, boot, head, meta, hasEntries, snapshots, hasChunks };
}

function transactions(
  database: IDBPDatabase<unknown>,
  name: string,
  lifeline: Lifeline,
  boot: number,
): Pick<Connection, "write" | "read"> {
  const failed = (what: string, error: unknown): LogboomError => {
    const known = isLogboomError(error) ? error : storageFailed(`store ${name}: ${what}`, error);
    if (known.code === "BAD_INPUT") return known;
    lifeline.fail(known);
    database.close();
    return known;
  };

  const write = async <T>(
    names: readonly StoreName[],
    run: (stores: Stores) => Promise<T>,
  ): Promise<T> => {
    const scope: StoreName[] = ["state", ...names.filter((one) => one !== "state")];
    const transaction = database.transaction(scope, "readwrite", { durability: "strict" });
    const done = transaction.done;
    // Whoever is first to fail is reported; the others must not count as unhandled.
    void quiet(done);
    try {
      const stores = quietStores(transaction as unknown as Stores);
      const owner = stores.objectStore("state").get("boot");
      const result = quiet(run(stores));
      if ((await owner) !== boot) throw takenOver(name);
      const value = await result;
      transaction.commit();
      await done;
      return value;
    } catch (error) {
      abort(transaction);
      throw error;
    }
  };

  return {
    async write(names, run) {
      lifeline.check();
      try {
        return await lifeline.guard(write(names, run));
      } catch (error) {
        throw failed("a transaction failed", error);
      }
    },
    async read(names, run) {
      lifeline.check();
      try {
        const transaction = database.transaction([...names], "readonly");
        void quiet(transaction.done);
        return await lifeline.guard(run(quietStores(transaction as unknown as Stores)));
      } catch (error) {
        throw failed("a reading transaction failed", error);
      }
    },
  };
}

/** A rejection that somebody else reports: an abort rejects every request of its transaction. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function quietStores(stores: Stores): Stores {
  return {
    objectStore(name) {
      const store = stores.objectStore(name);
      return {
        get: (key) => quiet(store.get(key)),
        put: (value, key) => quiet(store.put(value, key)),
        delete: (key) => quiet(store.delete(key)),
        getAll: (range, count) => quiet(store.getAll(range, count)),
        getAllKeys: (range, count) => quiet(store.getAllKeys(range, count)),
      };
    },
  };
}

function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch {
    // It has ended already: there is nothing left to undo.
  }
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

function openingFailed(name: string, cause: DOMException | null): LogboomError {
  if (cause?.name === "VersionError") {
    return storageFailed(`store ${name} was written by a later version of Logboom`, cause);
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
