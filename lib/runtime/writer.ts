/**
 * Writer: one write in flight, what waits is joined.
 *
 * While the disk works on one write the core goes on; everything it produces meanwhile becomes the next write (group
 * commit), so a slow disk makes larger writes, never a longer queue. Dissertation §10.2.1.
 *
 * Invariant: `durable` is called in the order of the writes' ids. After the first failure nothing is written any more: a
 * failed flush is never retried.
 */
import type { Write } from "../core/types.js";
import { joinWrites } from "../storage/join-writes.js";

export interface WriterOptions {
  /** Makes one write durable. */
  save(write: Write): Promise<void>;
  /** `write`, and with it every earlier one, is durable. */
  durable(write: Write): void;
  /** The first failure; nothing follows it. */
  failed(error: unknown): void;
}

export interface Writer {
  enqueue(write: Write): void;
  /** Resolves when nothing is in flight and nothing waits (also after a failure or `stop`). */
  idle(): Promise<void>;
  /** Forgets what waits; what is in flight ends unreported. */
  stop(): void;
}

export function createWriter({ save, durable, failed }: WriterOptions): Writer {
  let waiting: Write | undefined;
  let busy = false;
  let stopped = false;
  let rested: (() => void)[] = [];

  const run = async (): Promise<void> => {
    busy = true;
    while (waiting !== undefined && !stopped) {
      const write = waiting;
      waiting = undefined;
      await attempt(write);
    }
    // In the same task as the last look at `waiting`: nothing can be enqueued in between and be forgotten.
    busy = false;
    const listeners = rested;
    rested = [];
    for (const listener of listeners) listener();
  };

  const attempt = async (write: Write): Promise<void> => {
    try {
      await save(write);
    } catch (error) {
      if (stopped) return;
      stopped = true;
      failed(error);
      return;
    }
    if (!stopped) durable(write);
  };

  return {
    enqueue(write) {
      if (stopped) return;
      waiting = waiting === undefined ? write : joinWrites(waiting, write);
      if (!busy) void run();
    },
    idle: () => (busy ? new Promise((resolve) => rested.push(resolve)) : Promise.resolve()),
    stop() {
      stopped = true;
      waiting = undefined;
    },
  };
}
