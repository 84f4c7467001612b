/**
 * A store that is watched: the account of what it acknowledged is kept, and what it gives back is held against it.
 *
 * I14: what was acknowledged is there after any crash. I36: what is read back was once written. The account moves before the
 * runtime hears of the acknowledgement, so that whatever it says thereupon is held against it.
 */
import { isLogboomError } from "../base/errors.js";
import { type Index, noBytes, type SnapshotMetadata } from "../core/types.js";
import type { Loaded, OpenedStore, StorageWrite } from "../storage/storage.js";
import { lacking } from "./atlas.js";
import { storedWasWritten } from "./invariants.js";
import type { Ledger } from "./ledger.js";
import { Image } from "./record-disk.js";
import type { SimMedium } from "./sim-medium.js";
import { demand } from "./violation.js";

export interface StoreWatch {
  readonly ledger: Ledger;
  readonly medium: SimMedium;
  /** Of the node, for messages. */
  readonly id: number;
  /** Whether what happens in this store still matters: its process is the node's. */
  current(): boolean;
  loaded(loaded: Loaded): void;
  /** A write failed: the runtime hears of it now. */
  failed(): void;
  /** It lacks what it had acknowledged, for a reason. */
  wentBack(): void;
  /** A leader's snapshot is durable. */
  installed(metadata: SnapshotMetadata): void;
  /** A body is begun: our own, or one on its way in. */
  bodyBegun(metadata: SnapshotMetadata): void;
  /** Runs a check; what it throws ends the simulation. */
  check(run: () => void): void;
}

export function watchStore(store: OpenedStore, watch: StoreWatch): OpenedStore {
  const { medium } = watch;
  const { storage, snapshots } = store;
  let opening = 0;
  /** No later opening has read the store: what we write now, it may find. */
  const latest = (): boolean => medium.openings === opening;
  const account = async (work: Promise<void>, done: (image: Image) => void): Promise<void> => {
    try {
      await work;
    } catch (error) {
      if (watch.current() && isLogboomError(error) && error.code === "STORAGE_FAILED")
        watch.failed();
      throw error;
    }
    if (!watch.current()) return;
    watch.check(() => done(medium.flushed));
    medium.acknowledged = store.acknowledged();
  };
  return {
    ...store,
    storage: {
      async load() {
        const loaded = await storage.load();
        opening = ++medium.openings;
        watch.check(() => {
          medium.flushed = checkLoaded(watch, loaded);
          watch.loaded(loaded);
        });
        medium.acknowledged = store.acknowledged();
        return loaded;
      },
      async append(write) {
        const begun = { freeFrom: freeFrom(write) };
        const work = storage.append(write);
        if (latest()) {
          medium.underWay.add(begun);
          medium.acknowledged = store.acknowledged();
        }
        await account(work, (image) => {
          medium.underWay.delete(begun);
          image.write(write);
          if (write.snapshot !== undefined) watch.installed(write.snapshot.metadata);
        });
      },
      async compact(metadata, upTo) {
        await account(storage.compact(metadata, upTo), (image) =>
          image.compact({ metadata, data: noBytes }, upTo),
        );
      },
      close: () => storage.close(),
    },
    snapshots: {
      ...snapshots,
      write(metadata) {
        watch.check(() => watch.bodyBegun(metadata));
        return snapshots.write(metadata);
      },
    },
  };
}

/** From this index on a write may replace what the log held. */
function freeFrom({ entries, snapshot }: StorageWrite): Index {
  return snapshot !== undefined ? 1 : (entries[0]?.index ?? Number.POSITIVE_INFINITY);
}

/** What the store gives back, held against what it acknowledged and against everything that was ever written. */
function checkLoaded({ ledger, medium, id, wentBack }: StoreWatch, loaded: Loaded): Image {
  const image = imageOf(loaded);
  const begun = [...medium.underWay].map(({ freeFrom }) => freeFrom);
  const lost = lacking(medium.flushed, image, Math.min(...begun, Number.POSITIVE_INFINITY));
  if (lost === undefined) medium.suspect = undefined;
  else {
    const why = medium.suspect;
    demand(why !== undefined, "I14", () => `the store of node ${id} acknowledged ${lost}`);
    ledger.note(`a store went back, unnoticed, by ${why}`);
    wentBack();
  }
  medium.underWay.clear();
  for (const entry of loaded.entries) storedWasWritten(ledger, id, entry);
  return image;
}

function imageOf({ hardState, snapshot, entries, compacted }: Loaded): Image {
  const image = new Image();
  image.hardState = hardState;
  image.compacted = compacted;
  image.entries = [...entries];
  if (snapshot !== undefined) image.snapshot = { metadata: snapshot, data: noBytes };
  return image;
}
