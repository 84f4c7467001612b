/**
 * How an opening takes a database over, within one transaction over all object stores: what is there is looked at, and where a part of it is
 * gone, a new store with a new identity is put in its place.
 *
 * Each opening leaves a record in the log, so a log without records was wiped; `meta` has a mark for the same purpose.
 */
import type { Stores, Takeover } from "./indexeddb-connection.js";
import {
  damaged,
  metaMade,
  readBoot,
  readIdentity,
  readRecord,
  readSnapshotRecord,
  type StoreIds,
  type StoreName,
  storeNames,
} from "./indexeddb-records.js";
import { encodeRecord, type LogRecord } from "./log-record.js";
import { emptyShape } from "./log-shape.js";
import { platformRandomBytes } from "./meta-limits.js";
import type { StoreIdentity, StoreOpenOptions } from "./storage.js";

type RandomBytes = NonNullable<StoreOpenOptions["randomBytes"]>;

export function newIds(
  randomBytes: RandomBytes = platformRandomBytes,
  replaced?: string,
): StoreIds {
  const ids = { storeId: randomBytes(16), signSeed: randomBytes(32) };
  return replaced === undefined ? ids : { ...ids, replaced };
}

/** What a new store begins with. */
export function beginning(
  ids: StoreIds,
): readonly (readonly [store: StoreName, key: string, value: unknown])[] {
  return [
    ["state", "identity", ids],
    ["state", "boot", 0],
    ["meta", metaMade, new Uint8Array(0)],
  ];
}

/**
 * Raises the boot counter, which is the owner's epoch too, and puts a record where the former owner's next one would go. That record stays for
 * good: the former owner may be a page that was frozen, and may wake at any time.
 *
 * @throws LogboomError `STORAGE_FAILED` (damaged)
 */
export async function takeStoresOver(
  stores: Stores,
  randomBytes: RandomBytes = platformRandomBytes,
): Promise<Takeover & { identity: StoreIdentity }> {
  const look = await firstLook(stores);
  const gone = goneOf(look);
  const { ids, boots, last, next } =
    gone === undefined ? footingOf(look) : await beginAnew(stores, look, gone, randomBytes);
  const boot = boots + 1;
  const { from, shape } = last ?? { from: next, shape: emptyShape };
  const record: LogRecord = { takesOver: true, boot, from, shape, entries: [] };
  await Promise.all([
    stores.objectStore("state").put(boot, "boot"),
    stores.objectStore("log").add(encodeRecord(record), next),
  ]);
  return { identity: { ...ids, boot, created: boots === 0 }, number: next, record };
}

/** What a database says of itself when it is opened, as it was read. */
interface FirstLook {
  readonly identity: unknown;
  readonly boot: unknown;
  /** The value under `metaMade`. */
  readonly meta: unknown;
  /** The record with the highest number. */
  readonly newest: { readonly key: unknown; readonly value: unknown } | undefined;
  readonly snapshots: readonly unknown[];
  readonly hasChunks: boolean;
}

/** What an opening goes on from. */
interface Footing {
  readonly ids: StoreIds;
  /** How often the store was opened before. */
  readonly boots: number;
  /** The last record there is. */
  readonly last: LogRecord | undefined;
  /** Where the former owner's next record would go. */
  readonly next: number;
}

/** What of a store is gone; undefined when nothing is. @throws LogboomError `STORAGE_FAILED` for what is there and damaged */
function goneOf(look: FirstLook): string | undefined {
  if (look.identity === undefined) return "the identity was gone";
  if (look.boot === undefined) return "the boot counter was gone";
  if (look.meta === undefined) return "the small values were gone";
  const { newest } = look;
  // Every opening leaves a record.
  if (newest === undefined) return readBoot(look.boot) > 0 ? "the log was gone" : undefined;
  const { compacted } = readRecord(newest.key, newest.value).shape;
  // A log that begins at its first entry needs no snapshot.
  if (compacted.index === 0) return undefined;
  const before = `, and the log before entry ${compacted.index + 1}`;
  if (look.snapshots.length === 0) return `all snapshots were gone${before}`;
  const bodies = look.snapshots.map((record) => readSnapshotRecord("at the opening", record));
  if (look.hasChunks || bodies.some(({ chunks }) => chunks === 0)) return undefined;
  return `the bodies of all snapshots were gone${before}`;
}

/** Of a store of which nothing is gone. @throws LogboomError `STORAGE_FAILED` */
function footingOf({ identity, boot, newest }: FirstLook): Footing {
  const boots = readBoot(boot);
  const ids = readIdentity(identity);
  if (newest === undefined) return { ids, boots, last: undefined, next: 1 };
  const last = readRecord(newest.key, newest.value);
  if (last.boot !== boots) {
    throw damaged(`the log: it ends in boot ${last.boot}, the boot counter says ${boots}`);
  }
  return { ids, boots, last, next: (newest.key as number) + 1 };
}

async function firstLook(stores: Stores): Promise<FirstLook> {
  const state = stores.objectStore("state");
  const [identity, boot, meta, newest, snapshots, chunks] = await Promise.all([
    state.get("identity"),
    state.get("boot"),
    stores.objectStore("meta").get(metaMade),
    stores.objectStore("log").openCursor(null, "prev"),
    stores.objectStore("snapshots").getAll(),
    stores.objectStore("chunks").getAllKeys(null, 1),
  ]);
  return {
    identity,
    boot,
    meta,
    newest: newest ?? undefined,
    snapshots,
    hasChunks: chunks.length > 0,
  };
}

/** Takes away what is left of a store and puts a new one in its place. */
async function beginAnew(
  stores: Stores,
  { newest }: FirstLook,
  gone: string,
  randomBytes: RandomBytes,
): Promise<Footing> {
  const ids = newIds(randomBytes, gone);
  await Promise.all(storeNames.map((name) => stores.objectStore(name).clear()));
  await Promise.all(
    beginning(ids).map(([name, key, value]) => stores.objectStore(name).put(value, key)),
  );
  // A former owner may still write. Without its log its next number is unknown, so ours are ones it does not get to.
  const far = (): number => randomBytes(6).reduce((number, byte) => number * 256 + byte, 1);
  const next = typeof newest?.key === "number" ? newest.key + 1 : far();
  return { ids, boots: 0, last: undefined, next };
}
