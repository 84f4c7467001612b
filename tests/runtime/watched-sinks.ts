import type { OpenedStore, SnapshotSink } from "../../lib/storage/storage.js";

/** The store, with something done to each snapshot that is written into it: `change` gives the methods to replace. */
export function withSinks(
  store: OpenedStore,
  change: (sink: SnapshotSink) => Partial<SnapshotSink>,
): OpenedStore {
  const { snapshots } = store;
  return {
    ...store,
    snapshots: {
      ...snapshots,
      async write(metadata) {
        const sink = await snapshots.write(metadata);
        return { ...sink, ...change(sink) };
      },
    },
  };
}
