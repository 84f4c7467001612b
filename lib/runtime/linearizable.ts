/**
 * Linearizable: reads waiting for ReadIndex, then for apply (dissertation §6.4).
 *
 * A read may be answered from this node's state once everything is applied that was committed when the read began. The core tells
 * that index, after a leader has confirmed that it still leads. Reads that begin while one question is under way share the next
 * one; a question that is lost, by a message or with its leader, is asked again with a new context.
 *
 * Invariant: a read is confirmed only by a question asked after it began.
 */
import type { Cancel, Clock } from "../base/clock.js";
import { LogboomError } from "../base/errors.js";
import type { Index, NodeId, ReadState } from "../core/types.js";
import { aborted } from "./proposals.js";

export interface LinearizableOptions {
  readonly self: NodeId;
  readonly clock: Clock;
  /** After so long without an answer the question is asked again. */
  retryMs(): number;
  /** Random bits of this life: contexts must be unique in the whole cluster, also after a restart. */
  readonly salt: number;
  /** Puts the question to the core; false when there is nobody to answer it now. */
  ask(context: Uint8Array): boolean;
  applied(): Index;
}

interface Waiting {
  resolve(index: Index): void;
  reject(error: LogboomError): void;
}

/** Reads waiting at this node; more are refused. */
export const readsMax = 100_000;

export class Linearizable {
  readonly #options: LinearizableOptions;
  #attempts = 0;
  /** Begun, not yet part of a question. */
  #next = new Set<Waiting>();
  #asked = new Set<Waiting>();
  #context: Uint8Array | undefined;
  /** Confirmed at an index that is not applied yet. */
  readonly #confirmed = new Map<Waiting, Index>();
  #retry: Cancel | undefined;

  constructor(options: LinearizableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#next.size + this.#asked.size + this.#confirmed.size;
  }

  /** Resolves with the index at which reading is linearizable, once that index is applied here. */
  readIndex(signal?: AbortSignal): Promise<Index> {
    if (this.size >= readsMax) {
      const reason = "tooManyReads";
      const text = `${readsMax} reads are waiting`;
      return Promise.reject(new LogboomError("PROPOSAL_DROPPED", text, { reason }));
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        for (const set of [this.#next, this.#asked, this.#confirmed]) set.delete(waiting);
        waiting.reject(aborted(signal, "none"));
      };
      const waiting: Waiting = {
        resolve(index) {
          signal?.removeEventListener("abort", abort);
          resolve(index);
        },
        reject(error) {
          signal?.removeEventListener("abort", abort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", abort);
      this.#next.add(waiting);
      if (this.#context === undefined) this.#ask();
    });
  }

  /** The core answered. */
  answered({ index, context }: ReadState): void {
    if (!this.#isCurrent(context)) return;
    for (const waiting of this.#asked) this.#confirmed.set(waiting, index);
    this.#asked = new Set();
    this.#context = undefined;
    this.progressed();
    if (this.#next.size > 0) this.#ask();
    else this.#stopRetry();
  }

  /** The core will not answer: leadership moved. The retry asks again. */
  dropped(context: Uint8Array): void {
    if (this.#isCurrent(context)) this.#context = undefined;
  }

  /** There is a leader to ask. */
  leaderKnown(): void {
    if (this.#context === undefined && this.#next.size + this.#asked.size > 0) this.#ask();
  }

  /** Something was applied. */
  progressed(): void {
    if (this.#confirmed.size === 0) return;
    const applied = this.#options.applied();
    for (const [waiting, index] of this.#confirmed) {
      if (index > applied) continue;
      this.#confirmed.delete(waiting);
      waiting.resolve(index);
    }
  }

  close(error: LogboomError): void {
    this.#stopRetry();
    const all = [...this.#next, ...this.#asked, ...this.#confirmed.keys()];
    this.#next.clear();
    this.#asked.clear();
    this.#confirmed.clear();
    for (const waiting of all) waiting.reject(error);
  }

  #ask(): void {
    for (const waiting of this.#next) this.#asked.add(waiting);
    this.#next = new Set();
    if (this.#asked.size === 0) {
      this.#context = undefined;
      this.#stopRetry();
      return;
    }
    const context = this.#freshContext();
    this.#context = context;
    this.#retry ??= this.#options.clock.every(this.#options.retryMs(), () => this.#ask());
    if (!this.#options.ask(context) && this.#context === context) this.#context = undefined;
  }

  #isCurrent(context: Uint8Array): boolean {
    const current = this.#context;
    return (
      current !== undefined &&
      current.length === context.length &&
      current.every((byte, at) => byte === context[at])
    );
  }

  #freshContext(): Uint8Array {
    const context = new Uint8Array(24);
    const view = new DataView(context.buffer);
    view.setFloat64(0, this.#options.self);
    view.setFloat64(8, this.#options.salt);
    view.setFloat64(16, ++this.#attempts);
    return context;
  }

  #stopRetry(): void {
    this.#retry?.();
    this.#retry = undefined;
  }
}
