/**
 * Driver: the loop around a core: send, persist, apply. Read this one first.
 *
 * It knows an order, not a protocol. What may leave at once is sent while the disk works (dissertation §10.2.1); what speaks of
 * unwritten state is handed out by `persisted` when the write is durable; committed entries are applied in order. Everything is
 * synchronous but the disk, so two messages never interleave inside the core. A turn that takes long is cut and goes on in a task of
 * its own, so that timers and heartbeats are never starved. Ticks that only count are given to the core ahead of the next input.
 *
 * A leader whose disk fails hands over before it falls silent: what it still sends needs no disk (handing-over.ts).
 *
 * Invariant: after `fail` nothing is written or applied any more, and nothing is sent that speaks of this node's own log.
 * Not here: what commands mean (the machine), when to take a snapshot (snapshots.ts), who is a member (autopilot).
 */
import type { Clock } from "../base/clock.js";
import { isLogboomError } from "../base/errors.js";
import type { RawNode } from "../core/raw-node.js";
import type {
  ConfState,
  Entry,
  Index,
  Message,
  ReadState,
  Snapshot,
  SnapshotMetadata,
  SoftState,
  Term,
  Write,
} from "../core/types.js";
import type { Storage } from "../storage/storage.js";
import { Applier } from "./applier.js";
import { handOver } from "./handing-over.js";
import { Pacemaker } from "./pacemaker.js";
import type { AppliedConfChange, StateMachine } from "./state-machine.js";
import { createWriter, type Writer } from "./writer.js";

export interface DriverEvents<Result> {
  /** Sends to one peer; false when the message is known to be lost. */
  send(message: Message): boolean;
  /** An entry was applied here; without a result when no machine saw it. */
  applied(entry: Entry, result: Result | undefined): void;
  /** The machine was replaced by a snapshot's state. */
  restored(snapshot: Snapshot): void;
  /** The configuration changed. */
  configured(change: AppliedConfChange): void;
  softState(state: SoftState): void;
  read(state: ReadState): void;
  /** A read that will not be answered: ask again. */
  readDropped(context: Uint8Array): void;
  /** A write of so many entries took `ms` to become durable. */
  stored(entries: number, ms: number): void;
  /** A turn took `ms`, calls of the machine included. No clock is read for it where nobody asks. */
  turned?: ((ms: number) => void) | undefined;
  /** Something was applied or committed in this turn; called once at its end. */
  progressed(): void;
  /** The node stopped for good: broken invariant or failed storage. Called once. */
  failed(error: unknown): void;
}

export interface DriverOptions<Result> {
  readonly core: RawNode;
  readonly storage: Storage;
  readonly machine: StateMachine<Result>;
  readonly clock: Clock;
  /** Milliseconds of one tick. */
  readonly tickMs: number;
  /** The configuration at the start and the last applied index, both as of the snapshot restored from. */
  readonly confState: ConfState;
  readonly applied: Index;
  readonly appliedTerm: Term;
  readBody(metadata: SnapshotMetadata): AsyncIterable<Uint8Array>;
  readonly events: DriverEvents<Result>;
}

/** Milliseconds after which a turn that has more to do gives way to timers and frames. */
const turnMs = 10;
/** Portions between two looks at the clock. */
const portionsPerLook = 64;

export class Driver<Result> {
  readonly #core: RawNode;
  readonly #clock: Clock;
  readonly #events: DriverEvents<Result>;
  readonly #writer: Writer;
  readonly #applier: Applier<Result>;
  readonly #pace: Pacemaker;
  #failed = false;
  #pumping = false;
  #resume: (() => void) | undefined;

  constructor(options: DriverOptions<Result>) {
    const { core, clock, events, storage, tickMs } = options;
    this.#core = core;
    this.#clock = clock;
    this.#events = events;
    this.#writer = createWriter({
      save: async (write) => {
        const from = clock.now();
        await storage.append(write);
        if (write.sync) events.stored(write.entries.length, clock.now() - from);
      },
      durable: (write) => this.#turn(() => this.#durable(write)),
      failed: (error) => this.fail(error, true),
    });
    this.#pace = new Pacemaker(tickMs, {
      clock,
      ticksUntilDue: () => core.ticksUntilDue,
      due: (ticks) => this.#turn(() => this.#tick(ticks)),
    });
    this.#applier = new Applier<Result>({
      ...options,
      confStateAfter: (entry) => core.applyConfChange(entry),
      appliedTo: (index) => core.applied(index),
      events: {
        applied: (entry, result) => events.applied(entry, result),
        configured: (change) => events.configured(change),
        restored: (snapshot) => events.restored(snapshot),
        resumed: () => this.#turn(() => {}),
        failed: (error) => this.fail(error),
      },
    });
  }

  /** Time begins, and what the log already holds as committed is applied. */
  start(): void {
    this.#pace.start();
    this.#turn(() => {});
  }

  /** From now on a tick takes `ms`. */
  setTickMs(ms: number): void {
    this.#pace.setTickMs(ms);
  }

  get confState(): ConfState {
    return this.#applier.confState;
  }
  get applied(): Index {
    return this.#applier.applied;
  }
  get appliedTerm(): Term {
    return this.#applier.appliedTerm;
  }
  /** Whether the machine shows the state as of `applied`. */
  get settled(): boolean {
    return this.#applier.settled;
  }
  /** Committed entries that wait to be applied. */
  get backlog(): number {
    return this.#applier.waiting;
  }
  get failed(): boolean {
    return this.#failed;
  }

  /** Runs `input` on the core, then everything that follows from it. A broken invariant stops the node. */
  drive<T>(input: (core: RawNode) => T): T | undefined {
    let result: T | undefined;
    this.#turn(() => {
      this.#tick(this.#pace.take());
      result = input(this.#core);
    });
    return result;
  }

  #tick(count: number): void {
    for (let n = 0; n < count; n++) this.#core.tick();
  }

  /** Stops for good. A leader whose disk failed, and nothing else, names its successor first. */
  fail(error: unknown, storage: boolean = isStorageFailure(error)): void {
    if (this.#failed) return;
    this.#stop();
    if (storage) this.#handOver();
    this.#events.failed(error);
  }

  /** Stops without a reason to report; resolves when the write in flight has ended. */
  async stop(): Promise<void> {
    this.#stop();
    await this.#writer.idle();
  }

  #stop(): void {
    this.#failed = true;
    this.#pace.stop();
    this.#resume?.();
    this.#resume = undefined;
    this.#writer.stop();
    this.#applier.stop();
  }

  #handOver(): void {
    try {
      handOver(this.#core, (message) => {
        this.#events.send(message);
      });
    } catch {
      // The first failure is the one to report; without a successor the others elect one by themselves.
    }
  }

  #turn(work: () => void): void {
    if (this.#failed) return;
    const { turned } = this.#events;
    const from = turned === undefined || this.#pumping ? 0 : this.#clock.now();
    try {
      work();
      // An event handler may drive the core again: the outer turn carries on with what that left.
      if (this.#pumping) return;
      this.#pumping = true;
      try {
        if (this.#pump()) this.#events.progressed();
      } finally {
        this.#pumping = false;
      }
      this.#pace.look();
      turned?.(this.#clock.now() - from);
    } catch (error) {
      this.fail(error);
    }
  }

  #pump(): boolean {
    let progressed = false;
    const until = this.#clock.now() + turnMs;
    for (let portions = 1; !this.#failed; portions++) {
      if (this.#core.hasReady()) progressed = this.#takeReady() || progressed;
      else if (this.#applier.ready) {
        this.#applier.run();
        progressed = true;
      } else break;
      if (portions % portionsPerLook === 0 && this.#clock.now() >= until) {
        this.#goOnLater();
        break;
      }
    }
    const { stopped } = this.#core;
    if (stopped !== undefined) throw stopped;
    return progressed;
  }

  #takeReady(): boolean {
    const { messages, write, committedEntries, readStates, droppedReads, softState } =
      this.#core.ready();
    this.#send(messages);
    if (softState !== undefined) this.#events.softState(softState);
    if (write !== undefined) this.#writer.enqueue(write);
    this.#applier.enqueue(committedEntries);
    for (const state of readStates) this.#events.read(state);
    for (const context of droppedReads) this.#events.readDropped(context);
    return write?.hardState !== undefined || committedEntries.length > 0;
  }

  #goOnLater(): void {
    this.#resume ??= this.#clock.after(0, () => {
      this.#resume = undefined;
      this.#turn(() => {});
    });
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#events.send(message)) continue;
      if (message.type === "MsgSnap") this.#core.reportSnapshot(message.to, "failed");
      else if (message.type === "MsgApp") this.#core.reportUnreachable(message.to);
    }
  }

  #durable(write: Write): void {
    if (write.snapshot !== undefined) this.#applier.restore(write.snapshot);
    this.#send(this.#core.persisted(write));
  }
}

function isStorageFailure(error: unknown): boolean {
  return (
    isLogboomError(error) && (error.code === "STORAGE_FAILED" || error.code === "STORAGE_LOCKED")
  );
}
