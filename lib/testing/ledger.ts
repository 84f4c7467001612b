/**
 * Ledger: what an all-seeing observer knows of a simulated cluster, against which every node is held.
 *
 * The committed sequence as first seen, every entry that ever was in a log, who led which term, who voted for whom, and the
 * configuration at every committed index. Nodes never see it.
 */
import { decodeConfChange } from "../core/confchange-codec.js";
import {
  type ConfState,
  type Entry,
  emptyConfState,
  type Index,
  type NodeId,
  type Term,
} from "../core/types.js";
import { afterChange } from "./conf-model.js";

/** An entry that some log holds or held, and the term of the entry before it. */
export interface KnownEntry {
  readonly entry: Entry;
  readonly prevTerm: Term;
}

export interface Committed {
  readonly entry: Entry;
  /** Of the leader that committed it. */
  readonly byTerm: Term;
  readonly at: number;
}

/** What a node has promised by a message, whatever becomes of its memory. */
export interface Promised {
  term: Term;
  /** Candidate by term. */
  readonly votes: Map<Term, NodeId>;
  /** The last entry it acknowledged and was not made to drop since; index 0: none. */
  acknowledged: { readonly index: Index; readonly term: Term };
}

export class Ledger {
  /** Of the simulation. */
  clock: { readonly now: number } = { now: 0 };
  /** By index; what the cluster starts with (up to `base`) is absent. */
  readonly committed: Map<Index, Committed> = new Map();
  readonly base: { readonly index: Index; readonly term: Term };
  lastCommitted: Index;
  readonly leaders: Map<Term, NodeId> = new Map();
  /** Votes granted, by term and candidate; sent or cast for oneself. */
  readonly grants: Map<Term, Map<NodeId, Set<NodeId>>> = new Map();
  readonly #known = new Map<Index, KnownEntry[]>();
  readonly #promised = new Map<NodeId, Promised>();
  readonly #confAt: { readonly index: Index; readonly conf: ConfState }[];
  /** Hash of state, sessions and outcome, by index, as first applied. */
  readonly states: Map<Index, { readonly hash: number; readonly by: NodeId }> = new Map();
  readonly outcomes: Map<Index, { readonly hash: number; readonly by: NodeId }> = new Map();
  readonly sometimes: Map<string, number> = new Map();
  /** That were sent. */
  messages = 0;

  constructor(base: { readonly index: Index; readonly term: Term }, conf: ConfState) {
    this.base = base;
    this.lastCommitted = base.index;
    this.#confAt = [{ index: base.index, conf }];
  }

  note(what: string): void {
    this.sometimes.set(what, (this.sometimes.get(what) ?? 0) + 1);
  }

  promised(id: NodeId): Promised {
    let promised = this.#promised.get(id);
    if (promised === undefined) {
      promised = { term: 0, votes: new Map(), acknowledged: { index: 0, term: 0 } };
      this.#promised.set(id, promised);
    }
    return promised;
  }

  known(index: Index, term: Term): KnownEntry | undefined {
    return this.#known.get(index)?.find(({ entry }) => entry.term === term);
  }

  learn(entry: Entry, prevTerm: Term): void {
    const there = this.#known.get(entry.index);
    if (there === undefined) this.#known.set(entry.index, [{ entry, prevTerm }]);
    else there.push({ entry, prevTerm });
  }

  grant(term: Term, candidate: NodeId, voter: NodeId): void {
    let candidates = this.grants.get(term);
    if (candidates === undefined) {
      candidates = new Map();
      this.grants.set(term, candidates);
    }
    let voters = candidates.get(candidate);
    if (voters === undefined) {
      voters = new Set();
      candidates.set(candidate, voters);
    }
    voters.add(voter);
  }

  commit(entry: Entry, byTerm: Term): void {
    this.committed.set(entry.index, { entry, byTerm, at: this.clock.now });
    this.lastCommitted = entry.index;
    if (entry.type === "EntryNormal") return;
    const before = this.latestConf;
    const conf = afterChange(before, decodeConfChange(entry));
    const left = before.votersOutgoing.length > 0 && conf.votersOutgoing.length === 0;
    const entered = this.termAt(this.#confAt.at(-1)?.index ?? 0);
    if (left && before.autoLeave && entered !== entry.term)
      this.note("a later leader left a joint configuration by itself");
    this.#confAt.push({ index: entry.index, conf });
  }

  /** The term of the committed entry at `index`; undefined if nobody has committed it. */
  termAt(index: Index): Term | undefined {
    return index === this.base.index ? this.base.term : this.committed.get(index)?.entry.term;
  }

  get latestConf(): ConfState {
    return this.#confAt[this.#confAt.length - 1]?.conf ?? emptyConfState;
  }

  /** The configuration before the latest one. */
  get previousConf(): ConfState | undefined {
    return this.#confAt[this.#confAt.length - 2]?.conf;
  }

  /** The newest configuration that leaders of earlier terms committed. */
  confBefore(term: Term): ConfState {
    for (let at = this.#confAt.length - 1; at > 0; at--) {
      const known = this.#confAt[at];
      const byTerm = known === undefined ? undefined : this.committed.get(known.index)?.byTerm;
      if (known !== undefined && byTerm !== undefined && byTerm < term) return known.conf;
    }
    return this.#confAt[0]?.conf ?? emptyConfState;
  }

  /**
   * Every configuration that somebody may go by, among those who have applied up to these indexes: the two latest, and all since the
   * least of the indexes. Who lost its commit index in a crash goes by what was before, until it hears of it again.
   */
  confsInUse(applied: readonly Index[]): ConfState[] {
    const from = Math.min(this.lastCommitted, ...applied);
    const later = this.#confAt.filter((known) => known.index > from).map(({ conf }) => conf);
    return [this.previousConf ?? this.latestConf, this.confAt(from), ...later];
  }

  confAt(index: Index): ConfState {
    for (let at = this.#confAt.length - 1; at >= 0; at--) {
      const known = this.#confAt[at];
      if (known !== undefined && known.index <= index) return known.conf;
    }
    return emptyConfState;
  }
}
