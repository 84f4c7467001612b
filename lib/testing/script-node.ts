/**
 * One node of a script: a real RawNode, an in-memory log store as etcd has it, and a state machine that appends.
 *
 * The store and the history of snapshots are kept beside the core on purpose: scripts compact and inspect them on their own.
 * Compare etcd/raft storage.go (MemoryStorage) and rafttest/interaction_env.go.
 */
import { assert } from "../base/assert.js";
import { concatBytes } from "../base/bytes.js";
import { decodeConfChange } from "../core/confchange-codec.js";
import type { Config } from "../core/config.js";
import { RawNode } from "../core/raw-node.js";
import {
  type ConfState,
  type Entry,
  emptyConfState,
  emptyHardState,
  type HardState,
  type Index,
  noBytes,
  type Snapshot,
  type Write,
} from "../core/types.js";
import { ScriptError } from "./datadriven.js";
import type { LocalMessage } from "./describe.js";

export const emptySnapshot: Snapshot = {
  metadata: { index: 0, term: 0, confState: emptyConfState },
  data: noBytes,
  unknown: undefined,
};

/** What is durable. */
export class ScriptStore {
  hardState: HardState = emptyHardState;
  #snapshot: Snapshot = emptySnapshot;
  #compacted = { index: 0, term: 0 };
  #entries: Entry[] = [];

  get firstIndex(): Index {
    return this.#compacted.index + 1;
  }

  get lastIndex(): Index {
    return this.#compacted.index + this.#entries.length;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  get compacted(): { readonly index: Index; readonly term: number } {
    return this.#compacted;
  }

  applySnapshot(snapshot: Snapshot): void {
    const stored = this.#snapshot.metadata.index;
    if (stored !== 0 && stored >= snapshot.metadata.index) {
      throw new ScriptError("requested index is older than the existing snapshot");
    }
    this.#snapshot = snapshot;
    const { index, term } = snapshot.metadata;
    this.#compacted = { index, term };
    this.#entries = [];
  }

  append(entries: readonly Entry[]): void {
    const fresh = entries.filter(({ index }) => index >= this.firstIndex);
    const first = fresh[0];
    if (first === undefined) return;
    assert(first.index <= this.lastIndex + 1, "missing log entry", { last: this.lastIndex });
    this.#entries.length = first.index - this.firstIndex;
    this.#entries.push(...fresh);
  }

  compact(index: Index): void {
    if (index <= this.#compacted.index) {
      throw new ScriptError("requested index is unavailable due to compaction");
    }
    assert(index <= this.lastIndex, "compact out of bound", { index, last: this.lastIndex });
    const { term } = this.#entries[index - this.firstIndex] as Entry;
    this.#entries = this.#entries.slice(index - this.#compacted.index);
    this.#compacted = { index, term };
  }

  write({ hardState, snapshot, entries }: Pick<Write, "hardState" | "snapshot" | "entries">): void {
    if (hardState !== undefined) this.hardState = hardState;
    if (snapshot !== undefined) {
      if (entries.length > 0) {
        throw new ScriptError("can't apply snapshot and entries at the same time");
      }
      this.applySnapshot(snapshot);
    } else {
      this.append(entries);
    }
  }
}

/** Work of a storage thread, and the message that etcd would have sent for it. */
export interface StorageWork {
  readonly shown: LocalMessage;
  /** Undefined for work of the apply thread. */
  readonly write: Write | undefined;
}

export class ScriptNode {
  readonly store: ScriptStore = new ScriptStore();
  readonly config: Config;
  readonly async: boolean;
  raw: RawNode;
  /** The state machine's states, the last one current. */
  history: Snapshot[];
  appendWork: StorageWork[] = [];
  applyWork: StorageWork[] = [];
  /** The HardState that was last handed out, to tell what must be flushed. */
  lastHardState: HardState = emptyHardState;
  snapshotAvailable = true;

  constructor(config: Omit<Config, "snapshot">, initial: Snapshot, async: boolean) {
    this.config = { ...config, snapshot: () => this.#provide() };
    this.async = async;
    this.history = [initial];
    if (initial.metadata.index > 0) this.store.applySnapshot(initial);
    this.raw = this.#start();
  }

  get current(): Snapshot {
    return this.history[this.history.length - 1] as Snapshot;
  }

  #provide(): Snapshot | undefined {
    return this.snapshotAvailable ? this.current : undefined;
  }

  #start(): RawNode {
    const { index, confState } = this.current.metadata;
    this.lastHardState = { ...this.store.hardState };
    return new RawNode(this.config, {
      hardState: this.store.hardState,
      confState,
      compacted: this.store.compacted,
      entries: this.store.entries,
      applied: index,
    });
  }

  /** The machine dies with everything that was not written, and starts again from store and state machine. */
  restart(): void {
    this.appendWork = [];
    this.applyWork = [];
    this.raw = this.#start();
  }

  compact(index: Index): void {
    this.store.compact(index);
    this.raw.compacted(index);
  }

  /** Applies `entries` to the state machine, and configuration changes to the node. */
  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const before = this.current;
      let confState: ConfState = before.metadata.confState;
      let update = entry.data;
      if (entry.type !== "EntryNormal") {
        confState = this.raw.applyConfChange(entry);
        update = decodeConfChange(entry).context;
      }
      this.history.push({
        metadata: { index: entry.index, term: entry.term, confState },
        data: concatBytes(before.data, update),
        unknown: undefined,
      });
    }
  }
}
