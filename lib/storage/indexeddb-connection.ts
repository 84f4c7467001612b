/** An opened database as the log and the snapshots see it: transactions that are ours, or break. */
import type { StoreName } from "./indexeddb-records.js";
import type { Lifeline } from "./lifeline.js";
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
  /** Whether the browser confirms that a completed transaction has been flushed. */
  readonly strict: boolean;
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
