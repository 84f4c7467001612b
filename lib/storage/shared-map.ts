/**
 * SharedMap: a small IndexedDB table that all tabs of a profile read and change.
 *
 * Unlike a store it has no single owner: each change is one strict transaction that reads the old value and writes the new one,
 * so tabs never overwrite each other. For directories, not for logs.
 */
import { LogboomError } from "../base/errors.js";
import { storageFailed } from "./lifeline.js";

export interface SharedMap<V> {
  get(key: string): Promise<V | undefined>;
  /** Every value, in the order of the keys. */
  values(): Promise<readonly V[]>;
  /** Replaces the value by what `change` makes of it; undefined deletes. `change` must be synchronous and may not have effects. */
  update(key: string, change: (old: V | undefined) => V | undefined): Promise<void>;
  close(): void;
}

const table = "map";

/** @throws LogboomError `NO_STORAGE`, `STORAGE_FAILED` */
export async function openSharedMap<V>(name: string): Promise<SharedMap<V>> {
  if (globalThis.indexedDB === undefined) {
    throw new LogboomError("NO_STORAGE", "there is no IndexedDB here");
  }
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(table);
  const database = await result(request, name);
  database.onversionchange = () => database.close();

  return {
    get: (key) => result(database.transaction(table).objectStore(table).get(key), name),
    values: () => result(database.transaction(table).objectStore(table).getAll(), name),
    update: (key, change) =>
      new Promise((resolve, reject) => {
        const transaction = database.transaction(table, "readwrite", { durability: "strict" });
        const values = transaction.objectStore(table);
        let thrown: unknown;
        const read = values.get(key);
        read.onsuccess = () => {
          try {
            const changed = change(read.result as V | undefined);
            if (changed === undefined) values.delete(key);
            else values.put(changed, key);
          } catch (error) {
            thrown = error;
            transaction.abort();
          }
        };
        transaction.oncomplete = () => resolve();
        transaction.onabort = () =>
          reject(thrown ?? storageFailed(`table ${name}: a change failed`, transaction.error));
      }),
    close: () => database.close(),
  };
}

function result<T>(request: IDBRequest<T>, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(storageFailed(`table ${name} cannot be read`, request.error));
  });
}
