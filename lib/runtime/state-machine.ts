/**
 * StateMachine: what replicated commands do (dissertation §2.1). Deterministic, synchronous, and a value between calls.
 *
 * `apply` is called once for each committed entry, in log order, on every peer alike. It never throws for a bad command: a
 * command it cannot accept is a result. An exception is a defect and halts the node.
 */
import type { ConfState, Index, Term } from "../core/types.js";

export interface AppliedEntry {
  readonly index: Index;
  readonly term: Term;
  /** Empty for a leader's opening entry and for barriers, which are not passed on. */
  readonly data: Uint8Array;
}

/** A change of membership, after the core took it over. `context` is what was proposed with it. */
export interface AppliedConfChange {
  readonly index: Index;
  readonly confState: ConfState;
  readonly context: Uint8Array;
}

export interface StateMachine<Result = unknown> {
  apply(entry: AppliedEntry): Result;
  /** In place of `apply` where it is given: 1 to 1,024 consecutive commands, as many results, in order. */
  applyBatch?(entries: readonly AppliedEntry[]): readonly Result[];
  applyConfChange?(change: AppliedConfChange): void;
  /** The whole state as bytes, in chunks; may be consumed after further `apply`s and then still shows the state at the call. */
  snapshot(): Iterable<Uint8Array>;
  /** Replaces the state by one that `snapshot` gave. @throws DecodeError, leaving the old state. */
  restore(body: Uint8Array): void;
  /** In place of `restore` where it is given: the same body as a stream, cut anywhere. A node whose restore fails halts. */
  restoreFrom?(chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /**
   * For a machine that keeps its state durable by itself: the last index in it, asked for once, when the node is opened. What it has is
   * neither restored nor applied again; its effects and this index must become durable together.
   */
  appliedIndex?(): Index;
}
