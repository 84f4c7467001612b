/**
 * A store in a directory: etcd's log and snapshots under `member/`, as etcd lays them out, and the store's own small file.
 *
 *     store                 identity, boot counter, small values (store-file.ts); made last, so it says that the store exists;
 *                           first where it takes the place of another, so that it never stands beside the other's log
 *     member/wal/*.wal      the log; its metadata name the store, so neither half passes for another store's
 *     member/wal/synced     up to where the log was flushed (synced-mark.ts)
 *     member/snap/*.snap    snapshots
 *
 * Opening decides between three: the parts belong together, and the store is opened; there is none, and it is created; one
 * is gone or another store's, and what is there is set aside and a new store, which is a new peer, takes its place. An identity
 * with somebody else's log, or with none, would be a voter that has forgotten its votes.
 *
 * Not here: which file system (file.ts, opfs.ts).
 */
import { equalBytes } from "../base/bytes.js";
import { isLogboomError, type LogboomError } from "../base/errors.js";
import { Reader, Writer } from "../base/protobuf.js";
import { type Directory, readFile, replaceFile } from "./directory.js";
import { createLifeline, type Lifeline, storageFailed, takenOver } from "./lifeline.js";
import { storedState } from "./log-shape.js";
import { checkMeta, platformRandomBytes } from "./meta-limits.js";
import { checkNotBelow } from "./not-below.js";
import { SegmentSupply } from "./segment-supply.js";
import type { Loaded, OpenedStore, StoreMeta, StoreOpenOptions } from "./storage.js";
import { decodeStoreFile, encodeStoreFile, type StoreFile, storeFileName } from "./store-file.js";
import { listSegments, readMetadata, readSegments } from "./wal-files.js";
import type { WalLimits } from "./wal-log.js";
import { completeWalOptions } from "./wal-options.js";
import { PartGone, type Recovered, recover, type Trailing } from "./wal-recovery.js";
import { allAfter } from "./wal-replay.js";
import { isSnapshot, openWalSnapshots, type WalSnapshots } from "./wal-snapshots.js";
import { WalWriter } from "./wal-writer.js";

export const memberFolder = "member";
export const walFolder = "member/wal";
export const snapFolder = "member/snap";

export interface WalStoreOptions extends StoreOpenOptions, Partial<WalLimits> {
  /** Entries below the snapshot that `load` still returns, for followers a little behind. Default 5000, as etcd's catch-up. */
  readonly trailingEntries?: number;
  /** Bytes of memory they have at most: data and 128 more for each. Default 24 MiB, as a node's snapshot policy keeps. */
  readonly trailingBytes?: number;
}

export const fileLimits: WalLimits = { segmentBytes: 64_000_000, segmentsKept: 5 };
export const browserLimits: WalLimits = { segmentBytes: 4_000_000, segmentsKept: 5 };

/**
 * Opens the store in `directory`, which the caller holds exclusively; creates it when there is none.
 *
 * @throws LogboomError `BAD_CONFIG` · `STORAGE_FAILED` (damaged: names file and offset; or the disk failed) · `STORE_WENT_BACK`
 */
export async function openWalStore(
  directory: Directory,
  defaults: WalLimits,
  options: WalStoreOptions = {},
): Promise<OpenedStore> {
  const lifeline = createLifeline(directory.name);
  directory.onLost?.((error) => lifeline.fail(error));
  try {
    const { limits, trailing } = completeWalOptions(options, defaults);
    const opened = await openParts(directory, lifeline, limits, trailing, options);
    const { file: current, created, snapshots, log, loaded } = opened;
    snapshots.rules = () => ({ shape: log.shape, named: log.named });
    if (options.notBelow !== undefined) {
      checkNotBelow({ ...current, state: storedState(log.shape) }, options.notBelow);
    }
    // Durable before anybody acts under this identity, and after the check: an opening that ends before it leaves no boot behind, which
    // the next one would take for another owner's.
    if (!created) await replaceFile(directory, "", storeFileName, encodeStoreFile(current));
    let first: Loaded | undefined = loaded;
    let closing: Promise<void> | undefined;
    const { storeId, signSeed, boot, replaced } = current;
    const closeAll = async (): Promise<void> => {
      try {
        await log.close();
      } finally {
        lifeline.close();
        await directory.release();
      }
    };
    return {
      identity: {
        storeId,
        signSeed,
        boot,
        created,
        ...(replaced === undefined ? {} : { replaced }),
      },
      snapshots: snapshots.store,
      meta: openMeta(directory, lifeline, current),
      onLost: lifeline.onLost,
      acknowledged: () => ({ storeId, boot, states: log.states() }),
      storage: {
        async load() {
          lifeline.check();
          if (first === undefined) throw new Error("load() is called once");
          const once = first;
          first = undefined;
          return once;
        },
        async append(write) {
          lifeline.check();
          await log.append(write);
        },
        async compact(snapshot, upTo) {
          lifeline.check();
          await log.compact(snapshot, upTo);
        },
        async close() {
          closing ??= closeAll();
          await closing;
        },
      },
    };
  } catch (error) {
    await directory.release();
    throw asStorageError(directory, error);
  }
}

/** `{ 1: NodeID 0, 2: ClusterID 0, 15: storeId }`: etcd's tools expect the first two. */
export function walMetadata(storeId: Uint8Array): Uint8Array {
  const writer = new Writer(6 + storeId.length);
  writer.number(8, 0);
  writer.number(16, 0);
  writer.lengthDelimited(15 * 8 + 2, storeId);
  return writer.finish();
}

/** Undefined for the metadata of anybody else's log. */
export function storeIdOf(metadata: Uint8Array): Uint8Array | undefined {
  const reader = new Reader(metadata);
  let storeId: Uint8Array | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === 15 * 8 + 2) storeId = reader.lengthDelimited();
    else reader.skip(tag);
  }
  return storeId;
}

interface Parts extends Recovered {
  readonly file: StoreFile;
  readonly created: boolean;
  readonly snapshots: WalSnapshots;
}

/** Opens what is there; where a part of it is gone, or all, makes a new store. `file` has this opening's boot, which only a new store keeps yet. */
async function openParts(
  directory: Directory,
  lifeline: Lifeline,
  limits: WalLimits,
  trailing: Trailing,
  options: StoreOpenOptions,
): Promise<Parts> {
  const open = async (file: StoreFile, created: boolean): Promise<Parts> => {
    const snapshots = await openWalSnapshots(directory, snapFolder, lifeline);
    const metadata = walMetadata(file.storeId);
    const setup = { directory, path: walFolder, lifeline, snapshots, limits, metadata };
    const { log, loaded } = await recover(setup, trailing);
    return { file, created, snapshots, log, loaded };
  };
  const found = await findStore(directory);
  let replaced = found instanceof PartGone ? found.message : undefined;
  if (found !== undefined && !(found instanceof PartGone)) {
    try {
      return await open({ ...found, boot: found.boot + 1 }, false);
    } catch (error) {
      if (!(error instanceof PartGone)) throw error;
      replaced = error.message;
    }
  }
  return await open(await createStore(directory, limits, replaced, options), true);
}

/** The store that is there, if its halves belong together; what of it is gone; undefined where there never was one. */
async function findStore(directory: Directory): Promise<StoreFile | PartGone | undefined> {
  const names = await directory.list("");
  const file = names.includes(storeFileName) ? await readStoreFile(directory) : undefined;
  const segments = await listSegments(directory, walFolder);
  if (file === undefined) return await findOrphans(directory, segments.length);
  const [first] = segments;
  if (first === undefined) return new PartGone("the log was gone");
  const metadata = await readMetadata(directory, walFolder, first);
  const owner = metadata === undefined ? undefined : storeIdOf(metadata);
  if (owner === undefined || equalBytes(owner, file.storeId)) return file;
  return new PartGone("the log was another store's");
}

/** A store is complete when its identity is there; without one, there is a store that lost it, or one that a crash left half-made. */
async function findOrphans(directory: Directory, segments: number): Promise<PartGone | undefined> {
  const gone = new PartGone("the identity was gone");
  if (segments === 0) {
    return (await directory.list(snapFolder)).some(isSnapshot) ? gone : undefined;
  }
  try {
    const { replay } = await readSegments(directory, walFolder, allAfter(Number.POSITIVE_INFINITY));
    const { hardState, runs } = replay;
    return hardState.term === 0 && (runs?.last ?? 0) === 0 ? undefined : gone;
  } catch {
    return gone;
  }
}

async function readStoreFile(directory: Directory): Promise<StoreFile> {
  try {
    return decodeStoreFile(await readFile(directory, storeFileName));
  } catch (error) {
    throw storageFailed(`${directory.name}/${storeFileName} is damaged`, error);
  }
}

async function createStore(
  directory: Directory,
  limits: WalLimits,
  replaced: string | undefined,
  options: StoreOpenOptions,
): Promise<StoreFile> {
  const randomBytes = options.randomBytes ?? platformRandomBytes;
  const file: StoreFile = {
    storeId: randomBytes(16),
    signSeed: randomBytes(32),
    boot: 1,
    ...(replaced === undefined ? {} : { replaced }),
    meta: new Map(),
  };
  // In the place of another the identity comes first: whatever a crash leaves then is seen to lack its log.
  if (replaced !== undefined)
    await replaceFile(directory, "", storeFileName, encodeStoreFile(file));
  if ((await directory.list("")).includes(memberFolder)) await directory.setAside(memberFolder);
  await directory.makeDirectory(walFolder);
  await directory.makeDirectory(snapFolder);
  const writer = new WalWriter(0);
  writer.crcHandOver();
  writer.metadata(walMetadata(file.storeId));
  writer.snapshot({ index: 0, term: 0, confState: undefined });
  const { segmentBytes } = limits;
  const supply = new SegmentSupply({ directory, path: walFolder, segmentBytes });
  const first = await supply.take({ sequence: 0, index: 0 }, writer.take());
  await first.close();
  if (replaced === undefined)
    await replaceFile(directory, "", storeFileName, encodeStoreFile(file));
  return file;
}

function openMeta(directory: Directory, lifeline: Lifeline, opened: StoreFile): StoreMeta {
  let current = opened;
  let tail: Promise<void> = Promise.resolve();
  return {
    async get(key) {
      lifeline.check();
      return current.meta.get(key)?.slice();
    },
    async set(key, value) {
      lifeline.check();
      checkMeta(key, value);
      const meta = new Map(current.meta);
      if (value === undefined) meta.delete(key);
      else meta.set(key, value.slice());
      current = { ...current, meta };
      const bytes = encodeStoreFile(current);
      const work = tail.then(async () => {
        lifeline.check();
        if (!directory.owned()) throw takenOver(directory.name);
        await replaceFile(directory, "", storeFileName, bytes);
      });
      tail = work.catch(() => {});
      try {
        await lifeline.guard(work);
      } catch (error) {
        throw lifeline.fail(asStorageError(directory, error));
      }
    },
  };
}

function asStorageError(directory: Directory, error: unknown): LogboomError {
  return isLogboomError(error) && error.code !== "DECODE"
    ? error
    : storageFailed(`${directory.name} cannot be read or written`, error);
}
