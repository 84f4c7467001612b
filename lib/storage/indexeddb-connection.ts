/** An opened database as the log and the snapshots see it: transactions that are ours, or break. */
import { type IDBPDatabase, unwrap } from "idb";
import { isLogboomError, type LogboomError } from "../base/errors.js";
import type { StoreName } from "./indexeddb-records.js";
import { type Lifeline, storageFailed, takenOver } from "./lifeline.js";
import type { LogRecord } from "./log-record.js";
import type { StoreIdentity } from "./storage.js";

/** One object store within one transaction. Values read back are unknown until checked. */
export interface ObjectStore {
  get(key: IDBValidKey): Promise<unknown>;
  put(value: unknown, key: IDBValidKey): Promise<unknown>;
  /** Aborts the transaction where `key` is taken. */
  add(value: unknown, key: IDBValidKey): Promise<unknown>;
  delete(key: IDBValidKey | IDBKeyRange): Promise<void>;
  getAll(range?: IDBKeyRange | null, count?: number): Promise<unknown[]>;
  getAllKeys(range?: IDBKeyRange | null, count?: number): Promise<IDBValidKey[]>;
}

export interface Stores {
  objectStore(name: StoreName): ObjectStore;
}

/** The record by which this opening took the log over, and its number. */
export interface Takeover {
  readonly number: number;
  readonly record: LogRecord;
}

/** Runs transactions on an opened database. */
export interface Connection {
  readonly name: string;
  readonly lifeline: Lifeline;
  readonly identity: StoreIdentity;
  /**
   * A strict transaction that does nothing but add records to the log, from `number` on: what most writes are. That it is still
   * ours needs no reading: who takes the store over leaves a record where the next one of the former owner would go.
   *
   * @param encode  called once the browser's own process has been told to begin, which it then does meanwhile
   */
  addRecords(number: number, encode: () => readonly Uint8Array[]): Promise<void>;
  /**
   * A strict transaction: resolves once complete and still ours. A rejection has broken the lifeline, unless `run` threw
   * `BAD_INPUT`, which only aborts. `run` may await nothing but requests of its own stores.
   */
  write<T>(names: readonly StoreName[], run: (stores: Stores) => Promise<T>): Promise<T>;
  read<T>(names: readonly StoreName[], run: (stores: Stores) => Promise<T>): Promise<T>;
  close(): void;
}

/** The transactions of whoever opened it in boot `boot`. The first that fails breaks the lifeline and closes the database. */
export function transactions(
  database: IDBPDatabase<unknown>,
  name: string,
  lifeline: Lifeline,
  boot: number,
): Pick<Connection, "addRecords" | "write" | "read"> {
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
    async addRecords(number, encode) {
      lifeline.check();
      try {
        await lifeline.guard(addRecords(unwrap(database), name, number, encode));
      } catch (error) {
        throw failed("a write to the log failed", error);
      }
    },
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

/** By the bare interface: this is the hot path, and needs no promise for each request. */
function addRecords(
  database: IDBDatabase,
  name: string,
  number: number,
  encode: () => readonly Uint8Array[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(["log"], "readwrite", { durability: "strict" });
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => {
      const { error } = transaction;
      reject(error?.name === "ConstraintError" ? takenOver(name) : error);
    };
    const log = transaction.objectStore("log");
    try {
      for (const [n, record] of encode().entries()) {
        log.add(record, number + n);
        letGo(record);
      }
      transaction.commit();
    } catch (error) {
      abort(transaction);
      reject(error);
    }
  });
}

/**
 * Gives memory back at once, where the platform can (ES2024): the next record gets it again, and memory that is touched for the first
 * time costs as much as filling it.
 */
function letGo({ buffer }: Uint8Array): void {
  (buffer as { transfer?(length: number): ArrayBuffer }).transfer?.(0);
}

/** A rejection that somebody else reports: an abort rejects every request of its transaction. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
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
        add: (value, key) => quiet(store.add(value, key)),
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
