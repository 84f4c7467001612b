/**
 * Explored nodes: every state that a node of a small cluster can be in, and what each event makes of it, found out once.
 *
 * The core is deterministic: the same node in the same state given the same input does the same. So a cluster's states are tuples of
 * numbers, and what follows from one is looked up; the core runs only for a (state, input) that was never tried. It cannot be copied: a
 * node is brought into a state by repeating what led there.
 *
 * Two states are one when nothing that the core will ever look at again differs: votes matter to candidates, progress and pending changes to
 * leaders. (tests/sim/explorer.test.ts tries that out.) Writes are durable at once.
 */
import { RawNode, raftOf } from "../core/raw-node.js";
import {
  type ConfChangeV2,
  type ConfState,
  type Entry,
  emptyConfState,
  type HardState,
  type Index,
  type Message,
  type NodeId,
  type Role,
  type Term,
} from "../core/types.js";

/** What may happen to a node: a message by its number, or one of these. Changes count down from `firstChange`. */
export type Input = number;
export const timeout: Input = -1;
export const crash: Input = -2;
export const propose: Input = -3;
export const beat: Input = -4;
export const firstChange: Input = -5;

/** A state of one node, as those who check it see it. */
export interface NodeState {
  readonly id: NodeId;
  readonly term: Term;
  readonly role: Role;
  readonly committed: Index;
  readonly confState: ConfState;
  readonly entries: readonly Entry[];
}

/** What an input makes of a state: another one, and messages by their numbers. */
export interface Step {
  readonly to: number;
  readonly sent: readonly number[];
  /** An assertion of the core broke. */
  readonly error: Error | undefined;
}

interface Store {
  hardState: HardState;
  entries: Entry[];
}

interface Living {
  core: RawNode;
  readonly store: Store;
}

interface Known {
  readonly state: NodeState;
  /** Undefined: where the node starts. */
  readonly before: { readonly at: number; readonly input: Input } | undefined;
  readonly steps: Map<Input, Step>;
  /** In this very state; taken by the next step from it. */
  living: Living | undefined;
}

/** Nodes kept alive, so that a step right after the one that led to it repeats nothing. */
const livingMax = 10_000;
const command = new Uint8Array([1]);

export class ExploredNodes {
  readonly #conf: ConfState;
  readonly #changes: readonly ConfChangeV2[];
  readonly #known: Known[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #messages: Message[] = [];
  readonly #messageByKey = new Map<string, number>();
  readonly #living: number[] = [];

  constructor(voters: readonly NodeId[], changes: readonly ConfChangeV2[]) {
    this.#conf = { ...emptyConfState, voters };
    this.#changes = changes;
  }

  get count(): number {
    return this.#known.length;
  }

  get messageCount(): number {
    return this.#messages.length;
  }

  state(at: number): NodeState {
    return (this.#known[at] as Known).state;
  }

  message(number: number): Message {
    return this.#messages[number] as Message;
  }

  /** The number of a message that is the same in everything. */
  numberOf(message: Message): number {
    const key = messageKey(message);
    let number = this.#messageByKey.get(key);
    if (number === undefined) {
      number = this.#messages.push(message) - 1;
      this.#messageByKey.set(key, number);
    }
    return number;
  }

  /** How a node is before anything has happened to it. */
  start(id: NodeId): number {
    const store: Store = { hardState: { term: 0, vote: 0, commit: 0 }, entries: [] };
    const living = { core: this.#boot(id, store), store };
    settle(living, []);
    return this.#number(living, undefined);
  }

  /** What led to a state, oldest first, and where it began. */
  pathTo(at: number): { readonly start: NodeId; readonly inputs: readonly Input[] } {
    const inputs: Input[] = [];
    let known = this.#known[at] as Known;
    while (known.before !== undefined) {
      inputs.push(known.before.input);
      known = this.#known[known.before.at] as Known;
    }
    return { start: known.state.id, inputs: inputs.reverse() };
  }

  step(at: number, input: Input): Step {
    const known = this.#known[at] as Known;
    let step = known.steps.get(input);
    if (step === undefined) {
      step = this.#try(at, known, input);
      known.steps.set(input, step);
    }
    return step;
  }

  #try(at: number, known: Known, input: Input): Step {
    const living = known.living ?? this.#revive(at);
    known.living = undefined;
    const sent: Message[] = [];
    try {
      this.#act(living, input, sent);
    } catch (error) {
      return { to: at, sent: [], error: error instanceof Error ? error : new Error(String(error)) };
    }
    const to = this.#number(living, { at, input });
    return { to, sent: sent.map((message) => this.numberOf(message)), error: undefined };
  }

  #revive(at: number): Living {
    const { start, inputs } = this.pathTo(at);
    const store: Store = { hardState: { term: 0, vote: 0, commit: 0 }, entries: [] };
    const living = { core: this.#boot(start, store), store };
    settle(living, []);
    for (const input of inputs) this.#act(living, input, []);
    return living;
  }

  #boot(id: NodeId, { hardState, entries }: Store): RawNode {
    return new RawNode(
      {
        id,
        random: { below: () => 0 },
        snapshot: () => undefined,
        preVote: false,
        checkQuorum: false,
      },
      { hardState, confState: this.#conf, compacted: { index: 0, term: 0 }, entries, applied: 0 },
    );
  }

  #act(living: Living, input: Input, sent: Message[]): void {
    const { core, store } = living;
    if (input >= 0) core.step(this.message(input));
    else if (input === timeout) core.campaign();
    else if (input === crash) living.core = this.#boot(core.id, store);
    else if (input === propose) core.propose(command);
    else if (input === beat) core.ping();
    else core.proposeConfChange(this.#changes[firstChange - input] as ConfChangeV2);
    settle(living, sent);
  }

  #number(living: Living, before: Known["before"]): number {
    const key = stateKey(living);
    const there = this.#byKey.get(key);
    if (there !== undefined) return there;
    const at = this.#known.push({ state: stateOf(living), before, steps: new Map(), living }) - 1;
    this.#byKey.set(key, at);
    this.#living.push(at);
    if (this.#living.length > livingMax) {
      for (const old of this.#living.splice(0, livingMax / 2)) {
        (this.#known[old] as Known).living = undefined;
      }
    }
    return at;
  }
}

/** Takes everything out of the core that it has, as the runtime would with a disk that answers at once. */
function settle({ core, store }: Living, sent: Message[]): void {
  while (core.hasReady()) {
    const { messages, write, committedEntries } = core.ready();
    sent.push(...messages);
    if (write !== undefined) {
      if (write.hardState !== undefined) store.hardState = write.hardState;
      const first = write.entries[0];
      if (first !== undefined)
        store.entries = [...store.entries.slice(0, first.index - 1), ...write.entries];
      sent.push(...core.persisted(write));
    }
    for (const entry of committedEntries) {
      if (entry.type !== "EntryNormal") core.applyConfChange(entry);
    }
    const last = committedEntries.at(-1);
    if (last !== undefined) core.applied(last.index);
  }
}

function stateOf({ core, store }: Living): NodeState {
  const { role, term, log } = raftOf(core);
  return {
    id: core.id,
    term,
    role,
    committed: log.committed,
    confState: core.status().confState,
    entries: store.entries,
  };
}

function stateKey({ core, store }: Living): string {
  const raft = raftOf(core);
  const { id, term, vote, role, leader, log, tracker } = raft;
  const parts: (string | number)[] = [id, term, vote, role, leader, log.committed];
  if (role === "candidate") {
    for (const { id: voter } of tracker.peers) parts.push(String(tracker.votes.get(voter)));
  }
  if (role === "leader") {
    parts.push(raft.pendingConfIndex, raft.leadTransferee);
    for (const { id: peer, progress } of tracker.peers) {
      const { match, next, state, paused, sentCommit } = progress;
      parts.push(peer, match, next, state, paused ? 1 : 0, sentCommit);
    }
  }
  return `${parts.join()};${store.entries.map(entryKey).join()}`;
}

function entryKey({ term, type, data }: Entry): string {
  return type === "EntryNormal" ? String(term) : `${term}${type}${data.join(".")}`;
}

function messageKey(m: Message): string {
  const numbers = [m.from, m.to, m.term, m.index, m.logTerm, m.commit, m.commitTerm, m.rejectHint];
  return `${m.type},${numbers.join()},${m.reject},${m.context.join(".")};${m.entries.map(entryKey).join()}`;
}
