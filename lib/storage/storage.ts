/**
 * Storage: what keeps `Ready.write` durable, and the guarantees an adapter makes.
 *
 * Four async methods for the log, and beside them a `SnapshotStore` through which bodies stream. `testing/conformance/storage.ts`
 * is the suite every adapter passes. Dissertation §3.8 (persisted state), §10.2.1; compare etcd server/storage/wal.
 *
 * Guarantees of an adapter:
 * - A resolved `append` or `compact` survives the process's death, and the machine's where the medium can promise it. The one
 *   exception is a write with `sync: false` that moves the commit index alone: it costs no flush, is kept in memory, and is stored with
 *   the next write that is flushed, or by `close`; a crash before takes it back. Entries, a snapshot, a new term and a new vote are
 *   flushed whatever `sync` says.
 * - Calls take effect in call order, also when they are not awaited; what waits for the medium may share one flush.
 * - What a crash leaves of a write that was not answered: all of it or nothing. With a snapshot in it that holds everywhere: snapshot,
 *   entries after it and HardState are there together or none is. Without one, in a log file (files, OPFS), also some of its
 *   first entries, in order and over what they replace, and without its HardState: the term is then that of the last entry if it is
 *   higher than the one stored before, with no vote. Nobody was told of any of them. IndexedDB: one transaction, so never a part.
 * - After the first failure every later call rejects with `STORAGE_FAILED`; nothing is written again from memory. The owner
 *   throws its core away, opens the store anew and builds a core from `load()`.
 * - A write by somebody who is no longer the owner is refused, never merged. The owner's epoch (`ownerEpoch`) is the boot counter: whoever
 *   opens a store raises it durably before anybody gets to see the store, and each write is checked against it, by what the medium offers.
 *   IndexedDB: the opener's record lies where the former owner's next one would go, which the database itself then refuses; other
 *   transactions read the counter. Files: the lock file stands for the epoch: it is the owner's alone, and a look before
 *   and after each flush shows whether it is still there; without it nothing is answered. OPFS: the browser lets one
 *   worker at a time hold the handle on `lock`, so that there is no second opener while the first one lives.
 * - On load, `hardState.commit` is at least the snapshot's index.
 * - What is read back is what was written, or the load is refused by `STORAGE_FAILED` that names the damaged part. Entries that
 *   a later write replaced, or that an installed snapshot made void, never come back.
 * - A write that does not fit the log (a gap, a term that falls, a second vote in a term, a commit beyond the end, a snapshot without
 *   a body) is refused by `BAD_INPUT` before anything is touched.
 */
import type { Entry, HardState, Index, SnapshotMetadata, Write } from "../core/types.js";

/** What a store held when it was opened. */
export interface Loaded {
  readonly hardState: HardState;
  /** Newest usable snapshot; its body is in the `SnapshotStore`. Undefined: the log starts at index 1. */
  readonly snapshot: SnapshotMetadata | undefined;
  /** Contiguous, starting right after the compaction point, which is at or below the snapshot's index. */
  readonly entries: readonly Entry[];
  /** Index and term of the entry before `entries[0]`; both 0 in a log that was never compacted. */
  readonly compacted: { readonly index: Index; readonly term: number };
}

/** The part of a core's `Write` a store needs. */
export type StorageWrite = Pick<Write, "hardState" | "snapshot" | "entries" | "sync">;

export interface Storage {
  /** Everything needed to build a core. Called once, before any `append`. */
  load(): Promise<Loaded>;
  /**
   * Resolves when `write` is durable, as said above.
   *
   * `write.snapshot` replaces the whole log, entries after its index included (a core installs one only where the logs differ). Its
   * body is `data`, or was finished in the `SnapshotStore` before under the same index and term.
   *
   * @throws LogboomError `STORAGE_FAILED` (outcome unknown), `STORAGE_LOCKED` (another owner took the store over), `CLOSED`, `BAD_INPUT`.
   */
  append(write: StorageWrite): Promise<void>;
  /**
   * A durable snapshot (its body is finished) covers the log up to `snapshot.index`: from now on `load` may start from it. Entries up
   * to `upTo` (at most that) may be forgotten; those after it stay for followers that are a little behind, and for an older snapshot
   * to go on from. The commit index becomes at least `snapshot.index`. All of this or, after a crash, nothing.
   *
   * @throws LogboomError as `append`; `BAD_INPUT` when snapshot, log and `upTo` do not fit each other, or the body is not there
   */
  compact(snapshot: SnapshotMetadata, upTo: Index): Promise<void>;
  /** Resolves when everything appended is durable and the medium is released. Idempotent. */
  close(): Promise<void>;
}

/** A snapshot's body on its way in. A crash, or a process that just forgets it, leaves nothing behind. */
export interface SnapshotSink {
  /** Takes `chunk` over when it resolves; the caller may then reuse it. Any size: it is stored in pieces. */
  write(chunk: Uint8Array): Promise<void>;
  /** All or nothing: the body is durable and listed once resolved, and not listed before. */
  finish(): Promise<void>;
  /** Leaves nothing behind. No effect after `finish`. */
  abort(): Promise<void>;
}

/**
 * Bodies of snapshots, each under its index and term. None is ever whole in memory: what is written and what is read passes through in
 * pieces of at most some 768 KiB. A body alone changes nothing about the log: it counts from the `append` or `compact` that names it.
 */
export interface SnapshotStore {
  /**
   * Begins a body. Several may be under way; of two with the same index and term the one that is finished last stays, or, in files, the
   * one that is being read.
   */
  write(metadata: SnapshotMetadata): Promise<SnapshotSink>;
  /**
   * Chunks in order, of the body that stands there at the first: it is read to its end even where another takes its place, or it is
   * dropped, meanwhile. @throws LogboomError `NOT_FOUND`; `STORAGE_FAILED` when damaged, which may be found only at its end.
   */
  read(metadata: SnapshotMetadata): AsyncIterable<Uint8Array>;
  /** Complete ones, newest first. One that neither `compact` nor `append` ever named may be gone after the next opening. */
  list(): Promise<readonly SnapshotMetadata[]>;
  /**
   * Durable once resolved; where it is being read, in files, once its last reader is done. Unknown ones are ignored.
   * @throws LogboomError `BAD_INPUT` for the only one from which the log can still be loaded.
   */
  drop(metadata: SnapshotMetadata): Promise<void>;
}

/**
 * Who a store belongs to: made with it in one transaction, so that a wiped store is a new peer. Bytes are the owner's to interpret.
 *
 * A store has four parts: identity (with the boot counter), log (with the HardState), snapshots, meta. One whose part is gone is no store
 * any more: what is left of it is set aside (files) or removed (browsers), and the opening makes a new one with a new identity and
 * `replaced`. Gone are snapshots only where the log does not begin at its first entry. A part that is there and damaged is refused by
 * `STORAGE_FAILED` instead, and nothing is changed: what else is there may be worth saving; deleting the store begins anew.
 */
export interface StoreIdentity {
  /** 16 random bytes. */
  readonly storeId: Uint8Array;
  /** Ed25519 seed, 32 bytes. */
  readonly signSeed: Uint8Array;
  /** Raised durably at each opening, before this is returned; 1 the first time. */
  readonly boot: number;
  /** True when this opening created the store. */
  readonly created: boolean;
  /** What of an earlier store in this place was gone when this one was made; it stays known. Absent where there was none. */
  readonly replaced?: string;
}

/** What every adapter can be told when a store is opened. */
export interface StoreOpenOptions {
  /**
   * What an earlier opening had acknowledged: the store is refused by `STORE_WENT_BACK` when it has less. It is then as it was, and
   * refused again under the same demand, also where an opening was cut short before it could say so. One that is gone is made
   * anew, and refused as another.
   */
  readonly notBelow?: Acknowledged;
  /** Source of a new store's identity. Default: the platform's. */
  readonly randomBytes?: (length: number) => Uint8Array<ArrayBuffer>;
}

/** One opened store. */
export interface OpenedStore {
  readonly storage: Storage;
  readonly snapshots: SnapshotStore;
  readonly identity: StoreIdentity;
  /** Small durable values beside the log (the room's secret, the founding record). */
  readonly meta: StoreMeta;
  /**
   * Called at most once, with the first failure: one of a call, or the medium being taken away outside of any (`onclose`,
   * `versionchange`). A listener added later is called at once.
   */
  onLost(listener: (error: Error) => void): void;
  /** What this opening acknowledged so far, for `notBelow` at the next one. */
  acknowledged(): Acknowledged;
}

/**
 * What a store acknowledged, so that whoever opens it again can tell whether it went back. Commit is no part of it: it
 * may lag in any store.
 */
export interface Acknowledged {
  readonly storeId: Uint8Array;
  readonly boot: number;
  /** The state after the last acknowledged write, then after each write that was begun and not answered, in order. */
  readonly states: readonly StoredState[];
}

/** The part of a store's state that must never go back. */
export interface StoredState {
  readonly term: number;
  readonly vote: number;
  readonly lastIndex: Index;
  readonly lastTerm: number;
}

/** Keys up to 256 characters, values up to 1 MiB; larger ones are refused by `BAD_INPUT`. */
export interface StoreMeta {
  get(key: string): Promise<Uint8Array | undefined>;
  /** Durable once resolved. */
  set(key: string, value: Uint8Array | undefined): Promise<void>;
}
