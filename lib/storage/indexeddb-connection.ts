/** An opened database as the log and the snapshots see it: transactions that are ours, or break. */
import type { StoreName } from "./indexeddb-records.js";
import type { Lifeline } from "./lifeline.js";
import type { StoreIdentity } from "./storage.js";

/** One object store within one transaction. Values read back are unknown until checked. */
export interface ObjectStore {
  get(key: IDBValidKey): Promise<unknown>;
  put(value: unknown, key: IDBValidKey): Promise<unknown>;
  delete(key: IDBValidKey | IDBKeyRange): Promise<void>;
  getAll(range?: IDBKeyRange | null, count?: number): Promise<unknown[]>;
  getAllKeys(range?: IDBKeyRange | null, count?: number): Promise<IDBValidKey[]>;
}

export interface Stores {
  objectStore(name: StoreName): ObjectStore;
}

/** Runs transactions on an opened database. */
export interface Connection {
  readonly name: string;
  readonly lifeline: Lifeline;
  readonly identity: StoreIdentity;
  /** Whether the browser confirms that a completed transaction has been flushed. */
  readonly strict: boolean;
  /**
   * A strict transaction: resolves once complete and still ours. A rejection has broken the lifeline, unless `run` threw
   * `BAD_INPUT`, which only aborts. `run` may await nothing but requests of its own stores.
   */
  write<T>(names: readonly StoreName[], run: (stores: Stores) => Promise<T>): Promise<T>;
  read<T>(names: readonly StoreName[], run: (stores: Stores) => Promise<T>): Promise<T>;
  close(): void;
}
