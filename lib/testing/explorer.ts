/**
 * The small-scope explorer: every order of events of a small cluster, on the real core.
 *
 * Breadth first over what may happen next: a message is delivered (or stays under way for ever: it is lost), delivered and kept (it comes
 * twice), a node's timer runs out, it crashes and starts again, a command or a change is proposed. States that were seen before are
 * not gone into again. The core cannot be copied, so each state is reached by repeating what led to it.
 *
 * Writes are durable at once: what a slow disk does is the simulator's. In every state: one leader per term, one committed sequence.
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
} from "../core/types.js";
import { hashBytes, hashNumber, hashText } from "./trace-hash.js";
import { Violation } from "./violation.js";

export interface Scope {
  readonly voters: readonly NodeId[];
  /** Nodes with empty stores' configuration equal to the voters', which a change may add. */
  readonly others: readonly NodeId[];
  readonly depthMax: number;
  /** Stops there and says so. */
  readonly statesMax: number;
  /** How often each may happen on one path. */
  readonly timeouts: number;
  readonly crashes: number;
  readonly proposals: number;
  readonly duplicates: number;
  /** Changes that may be proposed, each once, by any leader. */
  readonly changes: readonly ConfChangeV2[];
}

export interface Explored {
  readonly states: number;
  readonly depth: number;
  /** Everything within the scope was seen. */
  readonly complete: boolean;
}

type Action =
  | { readonly kind: "deliver" | "duplicate"; readonly message: number }
  | { readonly kind: "timeout" | "crash" | "propose"; readonly node: NodeId }
  | { readonly kind: "change"; readonly node: NodeId; readonly which: number };

interface Path {
  readonly action: Action | undefined;
  readonly before: Path | undefined;
}

/** @throws Violation with the path that leads to it */
export function explore(scope: Scope): Explored {
  const seen = new Set<string>();
  let frontier: Path[] = [{ action: undefined, before: undefined }];
  seen.add(new World(scope).key());
  let depth = 0;
  for (; depth < scope.depthMax && frontier.length > 0; depth++) {
    const next: Path[] = [];
    for (const path of frontier) {
      for (const action of replay(scope, path).choices()) {
        const after = { action, before: path };
        const key = replay(scope, after).key();
        if (seen.has(key)) continue;
        seen.add(key);
        next.push(after);
        if (seen.size >= scope.statesMax) return { states: seen.size, depth, complete: false };
      }
    }
    frontier = next;
  }
  return { states: seen.size, depth, complete: frontier.length === 0 };
}

function replay(scope: Scope, path: Path): World {
  const actions: Action[] = [];
  for (let at: Path | undefined = path; at?.action !== undefined; at = at.before)
    actions.push(at.action);
  actions.reverse();
  const world = new World(scope);
  try {
    for (const action of actions) world.act(action);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const invariant = error instanceof Violation ? error.invariant : "assertion";
    throw new Violation(
      invariant,
      `${why}; after ${actions.map((one) => JSON.stringify(one)).join(" ")}`,
    );
  }
  return world;
}

interface Store {
  hardState: HardState;
  entries: Entry[];
}

const one = new Uint8Array([1]);

class World {
  readonly #scope: Scope;
  readonly #conf: ConfState;
  readonly #nodes = new Map<NodeId, RawNode>();
  readonly #stores = new Map<NodeId, Store>();
  /** Under way; a delivered one leaves a hole, so that numbers stay. */
  readonly #messages: (Message | undefined)[] = [];
  readonly #used = { timeout: 0, crash: 0, propose: 0, duplicate: 0 };
  readonly #changed = new Set<number>();
  readonly #leaders = new Map<number, NodeId>();
  readonly #committed = new Map<Index, Entry>();

  constructor(scope: Scope) {
    this.#scope = scope;
    this.#conf = { ...emptyConfState, voters: scope.voters };
    for (const id of [...scope.voters, ...scope.others]) {
      this.#stores.set(id, { hardState: { term: 0, vote: 0, commit: 0 }, entries: [] });
      this.#start(id);
    }
  }

  #start(id: NodeId): void {
    const { hardState, entries } = this.#stores.get(id) as Store;
    const node = new RawNode(
      {
        id,
        random: { below: () => 0 },
        snapshot: () => undefined,
        preVote: false,
        checkQuorum: false,
      },
      { hardState, confState: this.#conf, compacted: { index: 0, term: 0 }, entries, applied: 0 },
    );
    this.#nodes.set(id, node);
    this.#settle(id, node);
  }

  choices(): Action[] {
    const { timeouts, crashes, proposals, duplicates, changes } = this.#scope;
    const actions: Action[] = [];
    this.#messages.forEach((message, at) => {
      if (message === undefined) return;
      actions.push({ kind: "deliver", message: at });
      if (this.#used.duplicate < duplicates) actions.push({ kind: "duplicate", message: at });
    });
    for (const [node, core] of this.#nodes) {
      const leads = core.basicStatus().role === "leader";
      if (this.#used.timeout < timeouts && !leads) actions.push({ kind: "timeout", node });
      if (this.#used.crash < crashes) actions.push({ kind: "crash", node });
      if (this.#used.propose < proposals && leads) actions.push({ kind: "propose", node });
      changes.forEach((_, which) => {
        if (leads && !this.#changed.has(which)) actions.push({ kind: "change", node, which });
      });
    }
    return actions;
  }

  act(action: Action): void {
    if ("message" in action) {
      const message = this.#messages[action.message] as Message;
      if (action.kind === "deliver") this.#messages[action.message] = undefined;
      else this.#used.duplicate++;
      this.#with(message.to, (node) => node.step(message));
      return;
    }
    const id = action.node;
    if (action.kind === "change") {
      this.#changed.add(action.which);
      const change = this.#scope.changes[action.which] as ConfChangeV2;
      this.#with(id, (node) => node.proposeConfChange(change));
      return;
    }
    this.#used[action.kind]++;
    if (action.kind === "crash") this.#start(id);
    else if (action.kind === "timeout") this.#with(id, (node) => node.campaign());
    else this.#with(id, (node) => node.propose(one));
  }

  #with(id: NodeId, input: (node: RawNode) => unknown): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    input(node);
    this.#settle(id, node);
  }

  #settle(id: NodeId, node: RawNode): void {
    while (node.hasReady()) {
      const { messages, write, committedEntries } = node.ready();
      this.#messages.push(...messages);
      if (write !== undefined) {
        this.#store(id, write);
        this.#messages.push(...node.persisted(write));
      }
      for (const entry of committedEntries)
        if (entry.type !== "EntryNormal") node.applyConfChange(entry);
      const last = committedEntries.at(-1);
      if (last !== undefined) node.applied(last.index);
      this.#check(id, node, committedEntries);
    }
  }

  #store(
    id: NodeId,
    write: { readonly hardState: HardState | undefined; readonly entries: readonly Entry[] },
  ): void {
    const store = this.#stores.get(id) as Store;
    if (write.hardState !== undefined) store.hardState = write.hardState;
    const first = write.entries[0];
    if (first !== undefined)
      store.entries = [...store.entries.slice(0, first.index - 1), ...write.entries];
  }

  #check(id: NodeId, node: RawNode, applied: readonly Entry[]): void {
    const { role, term } = node.basicStatus();
    if (role === "leader") {
      const known = this.#leaders.get(term) ?? id;
      if (known !== id) throw new Violation("I1", `${known} and ${id} lead term ${term}`);
      this.#leaders.set(term, id);
    }
    for (const entry of applied) {
      const known = this.#committed.get(entry.index) ?? entry;
      if (known.term !== entry.term || known.type !== entry.type) {
        throw new Violation(
          "I18",
          `entry ${entry.index} is of term ${known.term} and, at node ${id}, of ${entry.term}`,
        );
      }
      this.#committed.set(entry.index, entry);
    }
  }

  /** Equal for states from which the same can follow. */
  key(): string {
    let a = 1;
    let b = 2;
    const put = (value: number): void => {
      a = hashNumber(a, value);
      b = hashNumber(b, value + 0x9e37);
    };
    for (const [id, node] of this.#nodes) {
      const raft = raftOf(node);
      for (const value of [
        id,
        raft.term,
        raft.vote,
        raft.leader,
        raft.log.committed,
        raft.log.lastIndex,
        raft.pendingConfIndex,
      ])
        put(value);
      a = hashText(a, raft.role);
      for (const [voter, granted] of raft.tracker.votes) put(granted ? voter : -voter);
      for (const { id: peer, progress } of raft.tracker.peers) {
        for (const value of [
          peer,
          progress.match,
          progress.next,
          progress.paused ? 1 : 0,
          progress.inflights.count,
        ])
          put(value);
        b = hashText(b, progress.state);
      }
      for (const { term, type, data } of this.#stores.get(id)?.entries ?? []) {
        put(term * 4 + (type === "EntryNormal" ? 0 : 1));
        b = hashBytes(b, data);
      }
    }
    // Messages under way are a set: in which order they were sent does not matter.
    let under = 0;
    for (const message of this.#messages)
      if (message !== undefined) under = (under + hashMessage(message)) | 0;
    put(under);
    const { timeout, crash, propose, duplicate } = this.#used;
    for (const value of [timeout, crash, propose, duplicate, ...this.#changed]) put(value);
    for (const [term, leader] of this.#leaders) put(term * 64 + leader);
    return `${a >>> 0}.${b >>> 0}`;
  }
}

function hashMessage(m: Message): number {
  let hash = hashText(7, m.type);
  for (const value of [
    m.from,
    m.to,
    m.term,
    m.index,
    m.logTerm,
    m.commit,
    m.rejectHint,
    m.reject ? 1 : 0,
  ])
    hash = hashNumber(hash, value);
  for (const { term, index, type } of m.entries)
    hash = hashNumber(hashText(hash, type), term * 1_024 + index);
  return hash;
}
