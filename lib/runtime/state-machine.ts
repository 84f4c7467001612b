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

/**
 * A command of a RaftNode with what its leader put on it, so that no replica needs a clock or randomness of its own: everything here is
 * the same at every replica and at every replay.
 */
export interface StampedEntry extends AppliedEntry {
  /**
   * Milliseconds since 1970 by the leader's clock, or by the median of the voters' clocks where the leader's is more than a minute off;
   * never lower than an earlier entry's. For display.
   */
  readonly now: number;
  /** Log time: milliseconds that leaders have led so far; never lower than an earlier entry's. For time-outs, leases, expiry. */
  readonly logTime: number;
  /** The machine version that is active; see `NodeMachine.version`. */
  readonly version: number;
  /** A number in [0, 1), the next one at each call. Every member of the cluster can compute it: not for secrets. */
  random(): number;
}

/** A change of membership, after the core took it over. `context` is what was proposed with it. */
export interface AppliedConfChange {
  readonly index: Index;
  readonly confState: ConfState;
  readonly context: Uint8Array;
}

export interface StateMachine<Result = unknown, Command extends AppliedEntry = AppliedEntry> {
  apply(entry: Command): Result;
  /** In place of `apply` where it is given: 1 to 1,024 consecutive commands, as many results, in order. */
  applyBatch?(entries: readonly Command[]): readonly Result[];
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

/** The machine of a RaftNode: its commands are stamped, and it may come in versions. */
export interface NodeMachine<Result = unknown>
  extends Omit<StateMachine<Result, StampedEntry>, "restore" | "restoreFrom"> {
  /**
   * The highest version of itself that this code can be: 1, 2, 3 …; default 1. Raise it when a command or the state changes its meaning.
   * Until every member runs code of at least that version, `entry.version` is lower and commands must be run as that version did. From
   * the entry that activates it on, a node with older code stops with `UPGRADE_NEEDED` instead of diverging.
   */
  readonly version?: number;
  /**
   * Replaces the state by one that `snapshot` gave. @throws DecodeError, leaving the old state; any other exception is taken for one.
   * @param version  of the machine that gave it: below ours where `migrate` is still to come
   */
  restore(body: Uint8Array, version: number): void;
  /** In place of `restore` where it is given: the same body as a stream, cut anywhere. A node whose restore fails halts. */
  restoreFrom?(chunks: AsyncIterable<Uint8Array>, version: number): Promise<void>;
  /** Turns the state of version `to − 1` into that of `to`; at one entry, at every replica alike. An exception halts the node. */
  migrate?(to: number): void;
}

/**
 * What is kept beside a machine that keeps its own state (`appliedIndex`): it is told what that machine knows already from an
 * earlier life and is therefore not given again.
 */
export interface Beside {
  entry(entry: AppliedEntry): void;
  confChange(change: AppliedConfChange): void;
  snapshot(chunks: AsyncIterable<Uint8Array>): Promise<void>;
}
