/**
 * What lies in a Logboom database in IndexedDB, and the checks every value passes when it is read back. Pure.
 *
 *     state      "identity" → { storeId, signSeed, replaced? } · "boot" → number, also the owner's epoch · "head" → HeadRecord
 *     entries    index of the first entry → a batch (entry-batch.ts); batches are disjoint, ascending, contiguous
 *     snapshots  [boot, n] → SnapshotRecord
 *     chunks     [boot, n, k] → { crc, bytes }, the k-th piece of a body
 *     meta       key → bytes; "", which no owner can use, is put when the store is made
 *
 * Ids begin with the boot that made them, so two lives never write under one id.
 */
import { crc32c } from "../base/crc32c.js";
import type { LogboomError } from "../base/errors.js";
import type { Entry, SnapshotMetadata } from "../core/types.js";
import { decodeBatch } from "./entry-batch.js";
import { storageFailed } from "./lifeline.js";
import type { LogShape } from "./log-shape.js";
import type { StoreIdentity } from "./storage.js";

/** 2: meta is marked as made, so that it is missed when it is gone. */
export const schemaVersion = 2;
export const storeNames = ["state", "entries", "snapshots", "chunks", "meta"] as const;
export type StoreName = (typeof storeNames)[number];

/**
 * The largest value put at once, unless a single entry is larger. Chromium keeps values above 64 KiB as files beside its
 * database, which is slower and one more thing to lose.
 */
export const valueBytesMax: number = 48 * 1024;

/** HardState and the log's ends: one value, put with every write. */
export interface HeadRecord {
  readonly term: number;
  readonly vote: number;
  readonly commit: number;
  readonly compactedIndex: number;
  readonly compactedTerm: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export type SnapshotId = readonly [boot: number, n: number];

export interface SnapshotRecord {
  readonly metadata: SnapshotMetadata;
  readonly chunks: number;
  readonly bytes: number;
  /** Named by `append` or `compact`. */
  readonly named: boolean;
}

export interface ChunkRecord {
  readonly crc: number;
  readonly bytes: Uint8Array;
}

export function headRecord({ hardState, compacted, last }: LogShape): HeadRecord {
  return {
    ...hardState,
    compactedIndex: compacted.index,
    compactedTerm: compacted.term,
    lastIndex: last.index,
    lastTerm: last.term,
  };
}

export function chunkRecord(bytes: Uint8Array): ChunkRecord {
  return { crc: crc32c(bytes), bytes };
}

export function readHead(value: unknown): LogShape {
  const get = fields("the head record", value);
  const head = {
    term: get.count("term"),
    vote: get.count("vote"),
    commit: get.count("commit"),
    compactedIndex: get.count("compactedIndex"),
    compactedTerm: get.count("compactedTerm"),
    lastIndex: get.count("lastIndex"),
    lastTerm: get.count("lastTerm"),
  };
  if (head.compactedIndex > head.lastIndex || head.commit > head.lastIndex) {
    throw damaged(
      `the head record: commit ${head.commit} and compaction point ${head.compactedIndex} are at most the last index ${head.lastIndex}`,
    );
  }
  return {
    hardState: { term: head.term, vote: head.vote, commit: head.commit },
    compacted: { index: head.compactedIndex, term: head.compactedTerm },
    last: { index: head.lastIndex, term: head.lastTerm },
  };
}

export function readIdentity(
  value: unknown,
): Pick<StoreIdentity, "storeId" | "signSeed" | "replaced"> {
  const get = fields("the identity record", value);
  const ids = { storeId: get.bytes("storeId", 16), signSeed: get.bytes("signSeed", 32) };
  const replaced = get.any("replaced");
  return typeof replaced === "string" ? { ...ids, replaced } : ids;
}

/** What a database says of itself when it is opened, as it was read. */
export interface FirstLook {
  readonly identity: unknown;
  readonly boot: unknown;
  readonly head: unknown;
  /** The value under `metaMade`. */
  readonly meta: unknown;
  readonly hasEntries: boolean;
  readonly snapshots: readonly unknown[];
  readonly hasChunks: boolean;
}

export const metaMade = "";

/** What of a store is gone; undefined when nothing is. @throws LogboomError `STORAGE_FAILED` for what is there and damaged */
export function goneOf(look: FirstLook): string | undefined {
  if (look.identity === undefined) return "the identity was gone";
  if (look.boot === undefined) return "the boot counter was gone";
  if (look.head === undefined) return "the HardState was gone";
  if (look.meta === undefined) return "the small values were gone";
  const { compacted, last } = readHead(look.head);
  if (!look.hasEntries && last.index > compacted.index) return "the log was gone";
  // A log that begins at its first entry needs none.
  if (compacted.index === 0) return undefined;
  const before = `, and the log before entry ${compacted.index + 1}`;
  if (look.snapshots.length === 0) return `all snapshots were gone${before}`;
  const bodies = look.snapshots.map((record) => readSnapshotRecord("at the opening", record));
  if (look.hasChunks || bodies.some(({ chunks }) => chunks === 0)) return undefined;
  return `the bodies of all snapshots were gone${before}`;
}

export function readBoot(value: unknown): number {
  return fields("the boot counter", { boot: value }).count("boot");
}

/** The entries of the batch stored under `key`. */
export function readBatch(key: unknown, value: unknown): Entry[] {
  if (!(value instanceof Uint8Array))
    throw damaged(`the batch of entries at ${String(key)}: no bytes`);
  try {
    const entries = decodeBatch(value);
    if (entries[0]?.index === key) return entries;
  } catch (error) {
    throw damaged(`the batch of entries at ${String(key)}`, error);
  }
  throw damaged(`the batch of entries at ${String(key)}: it is stored under another index`);
}

export function readSnapshotRecord(id: unknown, value: unknown): SnapshotRecord {
  const what = `the snapshot record ${String(id)}`;
  const get = fields(what, value);
  const metadata = fields(what, get.any("metadata"));
  const confState = fields(what, metadata.any("confState"));
  return {
    metadata: {
      index: metadata.count("index"),
      term: metadata.count("term"),
      confState: {
        voters: confState.ids("voters"),
        learners: confState.ids("learners"),
        votersOutgoing: confState.ids("votersOutgoing"),
        learnersNext: confState.ids("learnersNext"),
        autoLeave: confState.flag("autoLeave"),
      },
    },
    chunks: get.count("chunks"),
    bytes: get.count("bytes"),
    named: get.flag("named"),
  };
}

export function readChunk(id: SnapshotId, n: number, value: unknown): Uint8Array {
  const what = `chunk ${n} of snapshot ${String(id)}`;
  if (value === undefined) throw damaged(`${what}: it is missing`);
  const get = fields(what, value);
  const bytes = get.bytes("bytes");
  if (crc32c(bytes) !== get.count("crc")) throw damaged(`${what}: its checksum does not match`);
  return bytes;
}

export function damaged(what: string, cause?: unknown): LogboomError {
  return storageFailed(`the store is damaged at ${what}`, cause);
}

/** Typed access to the fields of a value that was read back. */
function fields(what: string, value: unknown) {
  if (typeof value !== "object" || value === null) throw damaged(`${what}: it is missing`);
  const record = value as Readonly<Record<string, unknown>>;
  const wrong = (name: string, rule: string): LogboomError =>
    damaged(`${what}: ${name} is ${rule}, got ${String(record[name])}`);
  const isCount = (one: unknown): one is number => Number.isSafeInteger(one) && Number(one) >= 0;
  return {
    any: (name: string): unknown => record[name],
    count(name: string): number {
      const one = record[name];
      if (!isCount(one)) throw wrong(name, "a safe integer of at least 0");
      return one;
    },
    flag(name: string): boolean {
      const one = record[name];
      if (typeof one !== "boolean") throw wrong(name, "a boolean");
      return one;
    },
    ids(name: string): readonly number[] {
      const one = record[name];
      if (!Array.isArray(one) || !one.every(isCount)) throw wrong(name, "a list of ids");
      return one;
    },
    bytes(name: string, length?: number): Uint8Array {
      const one = record[name];
      if (!(one instanceof Uint8Array) || (length !== undefined && one.length !== length)) {
        throw wrong(name, length === undefined ? "bytes" : `${length} bytes`);
      }
      return one;
    },
  };
}
