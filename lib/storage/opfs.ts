/**
 * OPFS: etcd's log in the origin's private file system, kept by a dedicated worker.
 *
 * Faster than IndexedDB, and it loses nothing when the browser is killed where IndexedDB's backing store may be thrown
 * away whole. This file is the page's side: every call is a message, and a worker that fails or goes silent breaks the
 * lifeline. Exclusive by nature: the second opener is refused with `STORAGE_LOCKED`.
 */
import { isLogboomError, LogboomError } from "../base/errors.js";
import type { SnapshotMetadata } from "../core/types.js";
import { packEntries } from "./entry-batch.js";
import { createLifeline, type Lifeline } from "./lifeline.js";
import { afterWrite, type LogShape, storedState } from "./log-shape.js";
import type { OpfsCall, OpfsOpen, OpfsReply, PostedError } from "./opfs-protocol.js";
import type {
  Loaded,
  OpenedStore,
  SnapshotStore,
  Storage,
  StorageWrite,
  StoredState,
  StoreIdentity,
} from "./storage.js";
import { prefixStates } from "./wal-log.js";

export interface OpfsOptions extends OpfsOpen {
  /**
   * Starts the worker, `logboom/opfs-worker`, for apps that place the file themselves. Default: a module worker from the file
   * beside this one, which bundlers recognise.
   */
  readonly worker?: () => Worker;
}

/**
 * Opens the store `name`, creating it when there is none.
 *
 * @throws LogboomError `STORAGE_LOCKED` · `NO_STORAGE` · `STORAGE_FAILED` · `STORE_WENT_BACK`
 */
export async function openOpfsStore({ worker, ...options }: OpfsOptions): Promise<OpenedStore> {
  const link = connect(options.name, worker);
  try {
    const identity = (await link.call({ op: "open", options })) as StoreIdentity;
    return pageSide(link, identity);
  } catch (error) {
    link.end();
    throw error;
  }
}

/** Deletes a store with everything in it. @throws LogboomError `STORAGE_LOCKED` while a page has it open */
export async function deleteOpfsStore(name: string, worker?: () => Worker): Promise<void> {
  const link = connect(name, worker);
  try {
    await link.call({ op: "delete", name });
  } finally {
    link.end();
  }
}

interface Link {
  readonly lifeline: Lifeline;
  /** @param given  buffers that are the worker's from then on */
  call(call: OpfsCall, given?: readonly ArrayBuffer[]): Promise<unknown>;
  /** Memory that the worker gave back, once. */
  spare(): ArrayBuffer | undefined;
  end(): void;
}

function connect(name: string, start: (() => Worker) | undefined): Link {
  const lifeline = createLifeline(name);
  const worker = start?.() ?? startWorker();
  const waiting = new Map<number, { done(value: unknown): void; failed(error: Error): void }>();
  let counter = 0;
  let spare: ArrayBuffer | undefined;
  worker.onmessage = ({ data }: MessageEvent<OpfsReply>) => {
    if ("lost" in data) {
      lifeline.fail(revived(data.lost));
      return;
    }
    const asked = waiting.get(data.id);
    waiting.delete(data.id);
    if ("error" in data) asked?.failed(revived(data.error));
    else {
      spare = data.spent ?? spare;
      asked?.done(data.value);
    }
  };
  worker.onerror = (event) => {
    const message = `the storage worker of ${name} failed: ${event.message ?? "it did not start"}`;
    const error = new LogboomError("STORAGE_FAILED", message, { outcome: "unknown" });
    lifeline.fail(error);
    for (const { failed } of waiting.values()) failed(error);
    waiting.clear();
  };
  return {
    lifeline,
    call(call, given = []) {
      const id = counter++;
      return lifeline.guard(
        new Promise((done, failed) => {
          waiting.set(id, { done, failed });
          worker.postMessage({ ...call, id }, [...given]);
        }),
      );
    },
    spare() {
      const taken = spare;
      spare = undefined;
      return taken;
    },
    end() {
      lifeline.close();
      worker.terminate();
    },
  };
}

function startWorker(): Worker {
  return new Worker(new URL("./opfs-worker.bundle.js", import.meta.url), { type: "module" });
}

function pageSide(link: Link, identity: StoreIdentity): OpenedStore {
  const { lifeline } = link;
  const ask = async <T>(call: OpfsCall): Promise<T> => {
    lifeline.check();
    return (await link.call(call)) as T;
  };
  const account = createAccount();
  return {
    identity,
    onLost: lifeline.onLost,
    acknowledged: () => ({
      storeId: identity.storeId,
      boot: identity.boot,
      states: account.states(),
    }),
    meta: {
      get: (key) => ask({ op: "metaGet", key }),
      set: (key, value) => ask({ op: "metaSet", key, value }),
    },
    snapshots: pageSnapshots(ask),
    storage: pageStorage(link, ask, account),
  };
}

type Ask = <T>(call: OpfsCall) => Promise<T>;

function pageStorage(link: Link, ask: Ask, account: Account): Storage {
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    try {
      if (!link.lifeline.broken) await link.call({ op: "close" });
    } finally {
      link.end();
    }
  };
  return {
    async load() {
      const loaded = await ask<Loaded>({ op: "load" });
      account.begin(loaded);
      return loaded;
    },
    async append(write) {
      link.lifeline.check();
      const { done, refused } = account.append(write);
      try {
        await link.call(...appendCall(write, link.spare()));
      } catch (error) {
        if (isLogboomError(error) && error.code === "BAD_INPUT") refused();
        throw error;
      }
      done();
    },
    compact: (snapshot, upTo) => ask({ op: "compact", snapshot, upTo }),
    async close() {
      closing ??= close();
      await closing;
    },
  };
}

function appendCall(
  { hardState, snapshot, entries, sync }: StorageWrite,
  spare: ArrayBuffer | undefined,
): [OpfsCall, ArrayBuffer[]] {
  const packed = entries.length === 0 ? undefined : packEntries(entries, undefined, spare);
  const write = { hardState, snapshot, sync };
  return [{ op: "append", write, packed }, packed === undefined ? [] : [packed.buffer]];
}

function pageSnapshots(ask: Ask): SnapshotStore {
  let counter = 0;
  return {
    async write(metadata) {
      const sink = counter++;
      await ask({ op: "sink", sink, metadata });
      return {
        write: (chunk) => ask({ op: "sinkWrite", sink, chunk }),
        finish: () => ask({ op: "sinkFinish", sink }),
        abort: () => ask({ op: "sinkAbort", sink }),
      };
    },
    read: (metadata) => readChunks(ask, counter++, metadata),
    list: () => ask({ op: "list" }),
    drop: (metadata) => ask({ op: "drop", metadata }),
  };
}

async function* readChunks(ask: Ask, reader: number, metadata: SnapshotMetadata) {
  await ask({ op: "read", reader, metadata });
  try {
    for (;;) {
      const next = await ask<IteratorResult<Uint8Array>>({ op: "readNext", reader });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await ask({ op: "readStop", reader });
  }
}

/** What was acknowledged and what is under way, kept here because a dead worker cannot be asked. */
interface Account {
  begin(loaded: Loaded): void;
  append(write: StorageWrite): { done(): void; refused(): void };
  states(): readonly StoredState[];
}

function createAccount(): Account {
  let shape: LogShape | undefined;
  let acked: StoredState | undefined;
  let unanswered: (() => StoredState[])[] = [];
  return {
    begin({ hardState, compacted, entries }) {
      const { index, term } = entries.at(-1) ?? compacted;
      shape = { hardState, compacted, last: { index, term } };
      acked = storedState(shape);
    },
    append(write) {
      if (shape === undefined) return { done() {}, refused() {} };
      const before = shape;
      const after = afterWrite(before, write);
      shape = after;
      const states = (): StoredState[] => [...prefixStates(before, write), storedState(after)];
      unanswered.push(states);
      const forget = (): void => {
        unanswered = unanswered.filter((one) => one !== states);
      };
      return {
        done() {
          acked = storedState(after);
          forget();
        },
        // The worker knows a rule this side does not: which bodies are there.
        refused() {
          if (shape === after) shape = before;
          forget();
        },
      };
    },
    states: () => [
      ...(acked === undefined ? [] : [acked]),
      ...unanswered.flatMap((states) => states()),
    ],
  };
}

function revived({ code, message, outcome }: PostedError): LogboomError {
  return new LogboomError(code, message, { outcome });
}
