/**
 * Driver: the loop around a core: send, persist, apply. Read this one first.
 *
 * It knows an order, not a protocol. What may leave at once is sent while the disk works (dissertation §10.2.1); what speaks of
 * unwritten state is handed out by `persisted` when the write is durable; committed entries are applied in order. Everything is
 * synchronous but the disk, so two messages never interleave inside the core.
 *
 * Invariant: after `fail` nothing is sent, written or applied any more.
 * Not here: what commands mean (the machine), when to take a snapshot (snapshots.ts), who is a member (autopilot).
 */

import { InvariantError } from "../base/errors.js";
import { decodeConfChange, decodeConfChangeV2 } from "../codec/raftpb-confchange.js";
import type { RawNode } from "../core/raw-node.js";
import type {
  ConfState,
  Entry,
  Index,
  Message,
  ReadState,
  Snapshot,
  SoftState,
  Term,
  Write,
} from "../core/types.js";
import type { Storage } from "../storage/storage.js";
import type { AppliedConfChange, StateMachine } from "./state-machine.js";
import { createWriter, type Writer } from "./writer.js";

export interface DriverEvents<Result> {
  /** Sends to one peer; false when the message is known to be lost. */
  send(message: Message): boolean;
  /** A command of `bytes` was applied here. */
  applied(index: Index, result: Result, bytes: number): void;
  /** The machine was replaced by a snapshot's state. */
  restored(snapshot: Snapshot): void;
  /** The configuration changed. */
  configured(change: AppliedConfChange): void;
  softState(state: SoftState): void;
  read(state: ReadState): void;
  /** Something was applied or committed in this turn; called once at its end. */
  progressed(): void;
  /** The node stopped for good: broken invariant or failed storage. Called once. */
  failed(error: unknown): void;
}

export interface DriverOptions<Result> {
  readonly core: RawNode;
  readonly storage: Storage;
  readonly machine: StateMachine<Result>;
  /** The configuration at the start and the last applied index, both as of the snapshot restored from. */
  readonly confState: ConfState;
  readonly applied: Index;
  readonly appliedTerm: Term;
  readonly events: DriverEvents<Result>;
}

export class Driver<Result> {
  readonly #core: RawNode;
  readonly #machine: StateMachine<Result>;
  readonly #events: DriverEvents<Result>;
  readonly #writer: Writer;
  #confState: ConfState;
  #applied: Index;
  #appliedTerm: Term;
  #failed = false;
  #pumping = false;

  constructor(options: DriverOptions<Result>) {
    this.#core = options.core;
    this.#machine = options.machine;
    this.#events = options.events;
    this.#confState = options.confState;
    this.#applied = options.applied;
    this.#appliedTerm = options.appliedTerm;
    this.#writer = createWriter({
      save: (write) => options.storage.append(write),
      durable: (write) => this.#turn(() => this.#durable(write)),
      failed: (error) => this.fail(error),
    });
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
  get failed(): boolean {
    return this.#failed;
  }

  /** Runs `input` on the core, then everything that follows from it. A broken invariant stops the node. */
  drive<T>(input: (core: RawNode) => T): T | undefined {
    let result: T | undefined;
    this.#turn(() => {
      result = input(this.#core);
    });
    return result;
  }

  /** Stops for good. */
  fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#writer.stop();
    this.#events.failed(error);
  }

  /** Stops without a reason to report; resolves when the write in flight has ended. */
  async stop(): Promise<void> {
    this.#failed = true;
    this.#writer.stop();
    await this.#writer.idle();
  }

  #turn(work: () => void): void {
    if (this.#failed) return;
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
    } catch (error) {
      this.fail(error);
    }
  }

  #pump(): boolean {
    let progressed = false;
    while (!this.#failed && this.#core.hasReady()) {
      const { messages, write, committedEntries, readStates, softState } = this.#core.ready();
      this.#send(messages);
      if (softState !== undefined) this.#events.softState(softState);
      if (write !== undefined) this.#writer.enqueue(write);
      for (const entry of committedEntries) this.#apply(entry);
      if (committedEntries.length > 0) this.#core.applied(this.#applied);
      for (const state of readStates) this.#events.read(state);
      progressed ||= write?.hardState !== undefined || committedEntries.length > 0;
    }
    const { stopped } = this.#core.basicStatus();
    if (stopped !== undefined) throw stopped;
    return progressed;
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#events.send(message)) continue;
      if (message.type === "MsgSnap") this.#core.reportSnapshot(message.to, "failed");
      else if (message.type === "MsgApp") this.#core.reportUnreachable(message.to);
    }
  }

  #apply(entry: Entry): void {
    if (entry.index !== this.#applied + 1) {
      throw new InvariantError("entries are applied in order", {
        applied: this.#applied,
        next: entry.index,
      });
    }
    if (entry.type !== "EntryNormal") {
      this.#applyConfChange(entry);
      return;
    }
    const { index, term, data } = entry;
    const result = data.length > 0 ? this.#machine.apply({ index, term, data }) : undefined;
    this.#applied = index;
    this.#appliedTerm = term;
    if (result !== undefined) this.#events.applied(index, result, data.length);
  }

  /** The core may send a snapshot to a newcomer meanwhile: `applied`, configuration and machine move together, after it. */
  #applyConfChange(entry: Entry): void {
    const confState = this.#core.applyConfChange(entry);
    const { context } =
      entry.type === "EntryConfChange"
        ? decodeConfChange(entry.data)
        : decodeConfChangeV2(entry.data);
    const change = { index: entry.index, confState, context };
    this.#machine.applyConfChange?.(change);
    this.#confState = confState;
    this.#applied = entry.index;
    this.#appliedTerm = entry.term;
    this.#events.configured(change);
  }

  #durable(write: Write): void {
    if (write.snapshot !== undefined) this.#restore(write.snapshot);
    this.#send(this.#core.persisted(write));
  }

  #restore(snapshot: Snapshot): void {
    this.#machine.restore(snapshot.data);
    this.#confState = snapshot.metadata.confState;
    this.#applied = snapshot.metadata.index;
    this.#appliedTerm = snapshot.metadata.term;
    this.#events.restored(snapshot);
  }
}
