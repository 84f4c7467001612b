/**
 * OPFS: etcd's log in the origin's private file system, whose files a dedicated worker writes and flushes.
 *
 * Faster than IndexedDB, and it loses nothing when the browser is killed where IndexedDB's backing store may be thrown
 * away whole. The log's code is shared with Node's files (wal-store.ts) and runs in the page: what comes to the worker is bytes and where they go
 * (opfs-link.ts). A worker that fails ends the store. Exclusive by nature: the second opener is refused with `STORAGE_LOCKED`.
 */
import { deleteRemotely, linkDirectory } from "./opfs-link.js";
import type { OpenedStore } from "./storage.js";
import { browserLimits, openWalStore, type WalStoreOptions } from "./wal-store.js";

export interface OpfsOptions extends WalStoreOptions {
  readonly name: string;
  /**
   * Starts the worker, `logboom/opfs-worker`, for apps that place the file themselves. Default: a module worker from the file
   * beside this one, which bundlers recognise.
   */
  readonly worker?: () => Worker;
}

/**
 * Opens the store `name`, creating it when there is none.
 *
 * @throws LogboomError `STORAGE_LOCKED` · `NO_STORAGE` · `STORAGE_FAILED` · `STORE_WENT_BACK` · `NOT_SUPPORTED` (the worker's file is
 *         another version's)
 */
export async function openOpfsStore({
  name,
  worker,
  ...options
}: OpfsOptions): Promise<OpenedStore> {
  const directory = await linkDirectory(name, worker?.() ?? startWorker());
  return await openWalStore(directory, browserLimits, options);
}

/** Deletes a store with everything in it. @throws LogboomError `STORAGE_LOCKED` while a page has it open */
export async function deleteOpfsStore(name: string, worker?: () => Worker): Promise<void> {
  await deleteRemotely(name, worker?.() ?? startWorker());
}

function startWorker(): Worker {
  return new Worker(new URL("./opfs-worker.bundle.js", import.meta.url), { type: "module" });
}
