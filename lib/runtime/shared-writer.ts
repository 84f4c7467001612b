/**
 * Shared writer: the stores of a process's nodes take turns at the disk.
 *
 * Clusters that flush at the same time slow one another down and gain nothing. Here so many writes are under way at once, in the order in
 * which they were asked for; what a node has to write while it waits is joined into its next write (writer.ts). A write that fails
 * fails its own node alone.
 */
import { LogboomError } from "../base/errors.js";
import type { OpenedStore } from "../storage/storage.js";

export interface SharedWriter {
  /** The same store, whose writes wait their turn. */
  share(store: OpenedStore): OpenedStore;
  /** Writes that wait. */
  readonly waiting: number;
}

/** @param atOnce  writes under way together; default 1 @throws LogboomError `BAD_CONFIG` */
export function createSharedWriter(atOnce = 1): SharedWriter {
  if (!Number.isSafeInteger(atOnce) || atOnce < 1) {
    throw new LogboomError("BAD_CONFIG", `atOnce must be a whole number above 0, got ${atOnce}`);
  }
  const queue: (() => void)[] = [];
  let running = 0;
  const turn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running < atOnce) running += 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever is next takes over this place.
      const next = queue.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
  return {
    share: (store) => ({
      ...store,
      storage: {
        load: () => store.storage.load(),
        append: (write) => turn(() => store.storage.append(write)),
        compact: (snapshot, upTo) => turn(() => store.storage.compact(snapshot, upTo)),
        close: () => store.storage.close(),
      },
    }),
    get waiting() {
      return queue.length;
    },
  };
}
