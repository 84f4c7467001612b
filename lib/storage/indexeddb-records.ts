/**
 * What lies in a Logboom database in IndexedDB, and the checks every value passes when it is read back. Pure.
 *
 *     state      "identity" → { storeId, signSeed, replaced? } · "boot" → number, also the owner's epoch
 *     log        number → a record (log-record.ts); numbers ascend without a gap from the first that is needed; below it
 *                nothing is left but the records by which somebody took the store over
 *     snapshots  [boot, n] → SnapshotRecord
 *     chunks     [boot, n, k] → { crc, bytes }, the k-th piece of a body
 *     meta       key → bytes; "", which no owner can use, is put when the store is made
 *
 * Ids begin with the boot that made them, so two lives never write under one id.
 */
import { crc32c } from "../base/crc32c.js";
import type { LogboomError } from "../base/errors.js";
import type { SnapshotMetadata } from "../core/types.js";
import { storageFailed } from "./lifeline.js";
import { decodeRecord, type LogRecord } from "./log-record.js";
import type { StoreIdentity } from "./storage.js";

export const schemaVersion = 2;
/** Added to a database's version each time a new store takes the place of one of which a part was gone. */
export const renewal = 256;
export const storeNames = ["state", "log", "snapshots", "chunks", "meta"] as const;
export type StoreName = (typeof storeNames)[number];

/** A piece of a snapshot's body. */
export const valueBytesMax: number = 48 * 1024;

/**
 * A write's entries go into one record unless they are more than this, or a single one is. Chromium compresses values above 64 KiB, and keeps
 * those that are still larger then as files beside its database, which is slower.
 */
export const recordBytesMax: number = 96 * 1024;

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

export function chunkRecord(bytes: Uint8Array): ChunkRecord {
  return { crc: crc32c(bytes), bytes };
}

export function readIdentity(
  value: unknown,
): Pick<StoreIdentity, "storeId" | "signSeed" | "replaced"> {
  const get = fields("the identity record", value);
  const ids = { storeId: get.bytes("storeId", 16), signSeed: get.bytes("signSeed", 32) };
  const replaced = get.any("replaced");
  return typeof replaced === "string" ? { ...ids, replaced } : ids;
}

/** What a database says of itself when it is opened. */
export interface FirstLook {
  readonly identity: unknown;
  readonly boot: unknown;
  /** The value under `metaMade`. */
  readonly meta: unknown;
  readonly last: LogRecord | undefined;
  readonly snapshots: readonly unknown[];
  readonly hasChunks: boolean;
}

export const metaMade = "";

/** What of a store is gone; undefined when nothing is. @throws LogboomError `STORAGE_FAILED` for what is there and damaged */
export function goneOf(look: FirstLook): string | undefined {
  const { identity, boot, meta, last, snapshots, hasChunks } = look;
  if (identity === undefined) return "the identity was gone";
  if (boot === undefined) return "the boot counter was gone";
  if (meta === undefined) return "the small values were gone";
  // Each opening puts a record before it raises the counter.
  if (last === undefined) return readBoot(boot) > 0 ? "the log was gone" : undefined;
  const { compacted } = last.shape;
  // A log that begins at its first entry needs none.
  if (compacted.index === 0) return undefined;
  const before = `, and the log before entry ${compacted.index + 1}`;
  if (snapshots.length === 0) return `all snapshots were gone${before}`;
  const bodies = snapshots.map((record) => readSnapshotRecord("at the opening", record));
  if (hasChunks || bodies.some(({ chunks }) => chunks === 0)) return undefined;
  return `the bodies of all snapshots were gone${before}`;
}

export function readBoot(value: unknown): number {
  return fields("the boot counter", { boot: value }).count("boot");
}

/** The record stored under `number`. */
export function readRecord(number: unknown, value: unknown): LogRecord {
  const what = `record ${String(number)} of the log`;
  if (!(value instanceof Uint8Array)) throw damaged(`${what}: no bytes`);
  try {
    return decodeRecord(value);
  } catch (error) {
    throw damaged(what, error);
  }
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
