/** What the storage suite's cases are written with: the medium under test, and short ways to make and show what lies in a store. */
import type { Random } from "../../base/random.js";
import type { ConfState, Entry, HardState, Snapshot, SnapshotMetadata } from "../../core/types.js";
import type {
  Loaded,
  OpenedStore,
  SnapshotStore,
  StorageWrite,
  StoreOpenOptions,
} from "../../storage/storage.js";

/** One medium under test. */
export interface StorageTarget {
  /** Opens it; the first time creates it. */
  open(options?: StoreOpenOptions): Promise<OpenedStore>;
  /**
   * Leaves an opened store as a killed process would, without `close`. Default: nothing, for adapters whose next opening takes
   * over.
   */
  abandon?(store: OpenedStore): Promise<void>;
}

export interface StorageCase {
  readonly name: string;
  run(target: StorageTarget): Promise<void>;
}

/** Entries `from` to `to`, both included, of one term. */
export function entries(from: number, to: number, term: number, bytes = 5): Entry[] {
  const made: Entry[] = [];
  for (let index = from; index <= to; index++) {
    const data = new Uint8Array(bytes).fill((index * 7 + term) % 256);
    made.push({ term, index, type: "EntryNormal", data, unknown: undefined });
  }
  return made;
}

export function write(
  parts: Partial<StorageWrite> & { readonly entries?: readonly Entry[] },
): StorageWrite {
  return { hardState: undefined, snapshot: undefined, entries: [], sync: true, ...parts };
}

export function hard(term: number, vote: number, commit: number): HardState {
  return { term, vote, commit };
}

export const confState: ConfState = {
  voters: [1, 2, 2 ** 53 - 1],
  learners: [4],
  votersOutgoing: [1, 2],
  learnersNext: [5],
  autoLeave: true,
};

export function metadata(index: number, term: number): SnapshotMetadata {
  return { index, term, confState };
}

export function snapshot(
  index: number,
  term: number,
  data: Uint8Array = new Uint8Array([1, 2, 3]),
): Snapshot {
  return { metadata: metadata(index, term), data, unknown: undefined };
}

export async function store(
  target: StorageTarget,
): Promise<{ opened: OpenedStore; loaded: Loaded }> {
  const opened = await target.open();
  return { opened, loaded: await opened.storage.load() };
}

export async function reopen(
  target: StorageTarget,
  opened: OpenedStore,
): Promise<{ opened: OpenedStore; loaded: Loaded }> {
  await opened.storage.close();
  return await store(target);
}

export async function crash(
  target: StorageTarget,
  opened: OpenedStore,
): Promise<{ opened: OpenedStore; loaded: Loaded }> {
  await target.abandon?.(opened);
  return await store(target);
}

export async function writeBody(
  snapshots: SnapshotStore,
  about: SnapshotMetadata,
  chunks: readonly Uint8Array[],
): Promise<void> {
  const sink = await snapshots.write(about);
  for (const chunk of chunks) await sink.write(chunk);
  await sink.finish();
}

export async function body(snapshots: SnapshotStore, about: SnapshotMetadata): Promise<number[]> {
  const bytes: number[] = [];
  for await (const chunk of snapshots.read(about)) for (const byte of chunk) bytes.push(byte);
  return bytes;
}

/** Everything a load says, with entries as `index/term`. */
export function shown(loaded: Loaded): unknown {
  return {
    hardState: loaded.hardState,
    snapshot: loaded.snapshot?.index,
    compacted: loaded.compacted,
    entries: loaded.entries.map((entry) => `${entry.index}/${entry.term}`),
  };
}

export function positions(from: number, to: number, term: number): string[] {
  return entries(from, to, term).map((entry) => `${entry.index}/${entry.term}`);
}

export function noise(random: Random, size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(size).map(() => random.below(256));
}

export function bytes(...values: number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values);
}
