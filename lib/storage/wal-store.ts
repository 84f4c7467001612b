/**
 * A store in a directory: etcd's log and snapshots under `member/`, as etcd lays them out, and the store's own small file.
 *
 *     store                 identity, boot counter, small values (store-file.ts); made last, so it says that the store exists
 *     member/wal/*.wal      the log; its metadata name the store, so neither half passes for another store's
 *     member/wal/synced     up to where the log was flushed (synced-mark.ts)
 *     member/snap/*.snap    snapshots
 *
 * Opening decides between three: both halves belong together, and the store is opened; there is neither, and it is created;
 * one is missing or another store's, and what is there is set aside and a new store, which is a new peer, takes its place. An
 * identity with somebody else's log, or with none, would be a voter that has forgotten its votes.
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
import { decodeStoreFile, encodeStoreFile, type StoreFile } from "./store-file.js";
import { listSegments, readMetadata } from "./wal-files.js";
import type { WalLimits } from "./wal-log.js";
import { recover } from "./wal-recovery.js";
import { openWalSnapshots } from "./wal-snapshots.js";
import { WalWriter } from "./wal-writer.js";

export const storeFileName = "store";
export const memberFolder = "member";
export const walFolder = "member/wal";
export const snapFolder = "member/snap";

export interface WalStoreOptions extends StoreOpenOptions, Partial<WalLimits> {
  /** Entries below the snapshot that `load` still returns, for followers a little behind. Default 5000, as etcd's catch-up. */
  readonly trailingEntries?: number;
}

export const fileLimits: WalLimits = { segmentBytes: 64_000_000, segmentsKept: 5 };
export const browserLimits: WalLimits = { segmentBytes: 4_000_000, segmentsKept: 5 };

/**
 * Opens the store in `directory`, which the caller holds exclusively; creates it when there is none.
 *
 * @throws LogboomError `STORAGE_FAILED` (damaged: names file and offset; or the disk failed) · `STORE_WENT_BACK`
 */
export async function openWalStore(
  directory: Directory,
  defaults: WalLimits,
  options: WalStoreOptions = {},
): Promise<OpenedStore> {
  const limits: WalLimits = {
    segmentBytes: options.segmentBytes ?? defaults.segmentBytes,
    segmentsKept: options.segmentsKept ?? defaults.segmentsKept,
  };
  const lifeline = createLifeline(directory.name);
  try {
    const found = await findStore(directory);
    const created = found === undefined;
    const file = found ?? (await createStore(directory, limits, options));
    // The boot counter is durable before anybody acts under this identity.
    const current = created ? file : { ...file, boot: file.boot + 1 };
    if (!created) await replaceFile(directory, "", storeFileName, encodeStoreFile(current));
    const snapshots = await openWalSnapshots(directory, snapFolder, lifeline);
    const metadata = walMetadata(current.storeId);
    const setup = { directory, path: walFolder, lifeline, snapshots, limits, metadata };
    const { log, loaded } = await recover(setup, options.trailingEntries ?? 5000);
    snapshots.rules = () => ({ shape: log.shape, named: log.named });
    if (options.notBelow !== undefined) {
      checkNotBelow({ ...current, state: storedState(log.shape) }, options.notBelow);
    }
    let first: Loaded | undefined = loaded;
    let closing: Promise<void> | undefined;
    const { storeId, signSeed, boot } = current;
    const closeAll = async (): Promise<void> => {
      try {
        await log.close();
      } finally {
        lifeline.close();
        await directory.release();
      }
    };
    return {
      identity: { storeId, signSeed, boot, created },
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

/** The store that is there, if its halves belong together; what is left of one that is not whole is set aside. */
async function findStore(directory: Directory): Promise<StoreFile | undefined> {
  const names = await directory.list("");
  const file = names.includes(storeFileName) ? await readStoreFile(directory) : undefined;
  const segments = await listSegments(directory, walFolder);
  if (file !== undefined && segments[0] !== undefined) {
    const metadata = await readMetadata(directory, walFolder, segments[0]);
    const owner = metadata === undefined ? undefined : storeIdOf(metadata);
    if (owner === undefined || equalBytes(owner, file.storeId)) return file;
  }
  if (names.includes(storeFileName)) {
    await directory.remove(storeFileName);
    await directory.sync("");
  }
  if (names.includes(memberFolder)) await directory.setAside(memberFolder);
  return undefined;
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
  options: StoreOpenOptions,
): Promise<StoreFile> {
  const randomBytes = options.randomBytes ?? platformRandomBytes;
  const file = { storeId: randomBytes(16), signSeed: randomBytes(32), boot: 1, meta: new Map() };
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
