/** A store that fails at one call, and from then on at every other, as the interface demands of a store that failed. */
import { LogboomError } from "../../lib/base/errors.js";
import type { OpenedStore, SnapshotSink } from "../../lib/storage/storage.js";

export const storeCalls = [
  "load",
  "append",
  "compact",
  "close",
  "write",
  "sink.write",
  "sink.finish",
  "sink.abort",
  "read",
  "read on",
  "list",
  "drop",
  "meta.get",
  "meta.set",
] as const;
export type StoreCall = (typeof storeCalls)[number];

export interface Breaking {
  wrap(store: OpenedStore): OpenedStore;
  /** How often each was called so far. */
  readonly counts: Map<StoreCall, number>;
  /** Whether it has failed. */
  readonly broken: boolean;
}

/** @param failing  the call that fails, and which one of its kind, from 1 on */
export function breakingStore(failing?: readonly [StoreCall, number]): Breaking {
  const counts = new Map<StoreCall, number>();
  let broken = false;
  const meet = (call: StoreCall): void => {
    const count = (counts.get(call) ?? 0) + 1;
    counts.set(call, count);
    if (failing !== undefined && call === failing[0] && count === failing[1]) broken = true;
    // Closing and giving up come after a failure and must be possible.
    const after = call === "close" || call === "sink.abort";
    const fails = broken && (!after || failing?.[0] === call);
    if (fails) throw new LogboomError("STORAGE_FAILED", `${call} failed`, { outcome: "unknown" });
  };
  const sinkOf = (sink: SnapshotSink): SnapshotSink => ({
    async write(chunk) {
      meet("sink.write");
      await sink.write(chunk);
    },
    async finish() {
      meet("sink.finish");
      await sink.finish();
    },
    async abort() {
      await sink.abort();
      meet("sink.abort");
    },
  });
  const wrap = ({ storage, snapshots, meta, ...store }: OpenedStore): OpenedStore => ({
    ...store,
    storage: {
      async load() {
        meet("load");
        return await storage.load();
      },
      async append(write) {
        meet("append");
        await storage.append(write);
      },
      async compact(...args) {
        meet("compact");
        await storage.compact(...args);
      },
      async close() {
        await storage.close();
        meet("close");
      },
    },
    snapshots: {
      async write(metadata) {
        meet("write");
        return sinkOf(await snapshots.write(metadata));
      },
      async *read(metadata) {
        meet("read");
        for await (const chunk of snapshots.read(metadata)) {
          yield chunk;
          meet("read on");
        }
      },
      async list() {
        meet("list");
        return await snapshots.list();
      },
      async drop(metadata) {
        meet("drop");
        await snapshots.drop(metadata);
      },
    },
    meta: {
      async get(key) {
        meet("meta.get");
        return await meta.get(key);
      },
      async set(key, value) {
        meet("meta.set");
        await meta.set(key, value);
      },
    },
  });
  return {
    wrap,
    counts,
    get broken() {
      return broken;
    },
  };
}
