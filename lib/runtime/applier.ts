/**
 * Applier: committed entries on their way into the state machine, in order, and snapshots that replace its state.
 *
 * What is committed waits here until its turn, so that a long backlog is applied in portions with timers in between, and so that a
 * snapshot whose body is read from the store holds back the entries after it. Runs of commands go to `applyBatch` where the machine
 * has one.
 *
 * Invariant: the machine sees each index once, in order; `applied`, configuration and machine move together, because a snapshot
 * may be taken between any two calls. Not here: when to run (driver.ts).
 */
import { concatBytes } from "../base/bytes.js";
import { InvariantError, isLogboomError, LogboomError } from "../base/errors.js";
import { decodeConfChangeV1, decodeConfChangeV2 } from "../core/confchange-codec.js";
import type { ConfState, Entry, Index, Snapshot, SnapshotMetadata, Term } from "../core/types.js";
import type { OpenedStore } from "../storage/storage.js";
import type { AppliedConfChange, Beside, NodeMachine, StateMachine } from "./state-machine.js";

export interface ApplierOptions<Result> {
  readonly machine: StateMachine<Result> & { readonly beside?: Beside };
  /** The configuration at the start and the last applied index, both as of the snapshot restored from. */
  readonly confState: ConfState;
  readonly applied: Index;
  readonly appliedTerm: Term;
  /** The configuration from `entry` on: the core's answer. */
  confStateAfter(entry: Entry): ConfState;
  /** Chunks of a body that did not come with its snapshot. */
  readBody(metadata: SnapshotMetadata): AsyncIterable<Uint8Array>;
  /** Everything up to `index` is applied. */
  appliedTo(index: Index): void;
  readonly events: ApplierEvents<Result>;
}

export interface ApplierEvents<Result> {
  /** An entry was applied; `result` is undefined for what no machine sees, and for what it had applied in a former life. */
  applied(entry: Entry, result: Result | undefined): void;
  configured(change: AppliedConfChange): void;
  restored(snapshot: Snapshot): void;
  /** A body has been read and restored: there may be more to do. */
  resumed(): void;
  failed(error: unknown): void;
}

/** Commands in one call of `applyBatch`. */
const batchMax = 1024;

export class Applier<Result> {
  readonly #options: ApplierOptions<Result>;
  /** Index up to which a machine that keeps its own state had applied before this start. */
  readonly #known: Index;
  #confState: ConfState;
  #applied: Index;
  #appliedTerm: Term;
  #waiting: Entry[] = [];
  /** Position in `waiting`. */
  #next = 0;
  #restoring = false;
  #stopped = false;

  constructor(options: ApplierOptions<Result>) {
    this.#options = options;
    this.#known = options.machine.appliedIndex?.() ?? 0;
    this.#confState = options.confState;
    this.#applied = options.applied;
    this.#appliedTerm = options.appliedTerm;
  }

  get confState(): ConfState {
    return this.#confState;
  }
  get applied(): Index {
    return this.#applied;
  }
  get appliedTerm(): Term {
    return this.#appliedTerm;
  }
  /** Whether the machine shows the state as of `applied`: not while a snapshot is read, nor behind what it kept by itself. */
  get settled(): boolean {
    return !this.#restoring && this.#applied >= this.#known;
  }
  get waiting(): number {
    return this.#waiting.length - this.#next;
  }
  /** Whether `run` would do something. */
  get ready(): boolean {
    return this.waiting > 0 && !this.#restoring && !this.#stopped;
  }

  enqueue(entries: readonly Entry[]): void {
    if (this.waiting === 0) {
      this.#waiting = [...entries];
      this.#next = 0;
    } else {
      for (const entry of entries) this.#waiting.push(entry);
    }
  }

  /** The state becomes `snapshot`'s; entries up to its index are not applied any more. */
  restore(snapshot: Snapshot): void {
    const { index } = snapshot.metadata;
    this.#waiting = this.#waiting.slice(this.#next).filter((entry) => entry.index > index);
    this.#next = 0;
    if (snapshot.data.length > 0) {
      this.#options.machine.restore(snapshot.data);
      this.#moved(snapshot);
      return;
    }
    this.#restoring = true;
    void this.#read(snapshot).catch((error) => {
      if (!this.#stopped) this.#options.events.failed(error);
    });
  }

  /** Applies one portion. */
  run(): void {
    const entry = this.#waiting[this.#next];
    if (entry === undefined || !this.ready) return;
    if (entry.index !== this.#applied + 1) {
      throw new InvariantError("entries are applied in order", {
        applied: this.#applied,
        next: entry.index,
      });
    }
    if (entry.type !== "EntryNormal") {
      this.#next += 1;
      this.#applyConfChange(entry);
    } else if (this.#options.machine.applyBatch === undefined || !this.#isNews(entry)) {
      this.#next += 1;
      this.#done(entry, this.#applyOne(entry));
    } else {
      this.#applyBatch();
    }
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
    this.#options.appliedTo(this.#applied);
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.#next = 0;
  }

  /** Neither empty nor applied by the machine in a former life. */
  #isNews({ index, data }: Entry): boolean {
    return data.length > 0 && index > this.#known;
  }

  #applyOne(entry: Entry): Result | undefined {
    const { machine } = this.#options;
    if (this.#isNews(entry)) return machine.apply(entry);
    if (entry.data.length > 0) machine.beside?.entry(entry);
    return undefined;
  }

  #applyBatch(): void {
    const batch: Entry[] = [];
    for (let at = this.#next; batch.length < batchMax; at++) {
      const entry = this.#waiting[at];
      if (entry === undefined || entry.type !== "EntryNormal" || !this.#isNews(entry)) break;
      batch.push(entry);
    }
    const results = this.#options.machine.applyBatch?.(batch) ?? [];
    if (results.length !== batch.length) {
      throw new InvariantError("applyBatch answers as many results as it was given commands", {
        given: batch.length,
        got: results.length,
      });
    }
    this.#next += batch.length;
    batch.forEach((entry, at) => {
      this.#done(entry, results[at]);
    });
  }

  #done(entry: Entry, result: Result | undefined): void {
    this.#applied = entry.index;
    this.#appliedTerm = entry.term;
    this.#options.events.applied(entry, result);
  }

  /** The core may send a snapshot to a newcomer meanwhile: `applied`, configuration and machine move together, after it. */
  #applyConfChange(entry: Entry): void {
    const { machine, events } = this.#options;
    const confState = this.#options.confStateAfter(entry);
    const { context } =
      entry.type === "EntryConfChange"
        ? decodeConfChangeV1(entry.data)
        : decodeConfChangeV2(entry.data);
    const change = { index: entry.index, confState, context };
    if (entry.index > this.#known) machine.applyConfChange?.(change);
    else machine.beside?.confChange(change);
    this.#confState = confState;
    this.#applied = entry.index;
    this.#appliedTerm = entry.term;
    events.configured(change);
    events.applied(entry, undefined);
  }

  async #read(snapshot: Snapshot): Promise<void> {
    await restoreFrom(this.#options.machine, this.#options.readBody(snapshot.metadata));
    if (this.#stopped) return;
    this.#restoring = false;
    this.#moved(snapshot);
    this.#options.events.resumed();
  }

  #moved(snapshot: Snapshot): void {
    const { index, term, confState } = snapshot.metadata;
    this.#confState = confState;
    this.#applied = index;
    this.#appliedTerm = term;
    this.#options.events.restored(snapshot);
  }
}

/** Restores `machine` from a body in chunks, as a stream where it can take one. */
export async function restoreFrom(
  machine: Pick<NodeMachine, "restore" | "restoreFrom">,
  chunks: AsyncIterable<Uint8Array>,
  version = 1,
): Promise<void> {
  if (machine.restoreFrom !== undefined) {
    await machine.restoreFrom(chunks, version);
    return;
  }
  const whole: Uint8Array[] = [];
  for await (const chunk of chunks) whole.push(chunk);
  machine.restore(concatBytes(...whole), version);
}

/**
 * Gives `machine` the snapshot it starts from. One that keeps its own state may be ahead of it, and is told nothing it does not know.
 *
 * @throws LogboomError `STORAGE_FAILED` (it cannot be read), `UPGRADE_NEEDED`, `DECODE` (the machine does not take it, by whatever exception)
 */
export async function restoreSnapshot(
  machine: StateMachine<unknown> & { readonly beside?: Beside },
  store: Pick<OpenedStore, "snapshots">,
  snapshot: SnapshotMetadata,
): Promise<void> {
  const chunks = store.snapshots.read(snapshot);
  try {
    if (snapshot.index > (machine.appliedIndex?.() ?? 0)) await restoreFrom(machine, chunks);
    else await machine.beside?.snapshot(chunks);
  } catch (cause) {
    if (isLogboomError(cause)) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const text = `the machine did not take the snapshot at index ${snapshot.index}: ${why}`;
    throw new LogboomError("DECODE", text, { cause });
  }
}
