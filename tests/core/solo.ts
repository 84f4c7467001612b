/** One real node with the test as its network, its disk and its state machine. */
import { seededRandom } from "../../lib/base/random.js";
import { encodeConfChange } from "../../lib/core/confchange-codec.js";
import type { Config, RestoredState } from "../../lib/core/config.js";
import { makeEntry } from "../../lib/core/entries.js";
import { bareMessage } from "../../lib/core/messages.js";
import { RawNode } from "../../lib/core/raw-node.js";
import type { StepResult } from "../../lib/core/results.js";
import type {
  ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeV2,
  ConfState,
  Entry,
  HardState,
  Index,
  Message,
  MessageType,
  NodeId,
  ReadState,
  Snapshot,
  Term,
  Write,
} from "../../lib/core/types.js";
import { bytes, confStateOf, text } from "./cluster.js";

export type Start = {
  /** Terms of the entries in the log, from index 1 (or after `compacted`) on. */
  readonly log?: readonly Term[];
  readonly entries?: readonly Entry[];
  readonly hardState?: Partial<HardState>;
  readonly conf?: Partial<ConfState>;
  readonly compacted?: { readonly index: Index; readonly term: Term };
  readonly applied?: Index;
} & Partial<Omit<Config, "id" | "log">>; // `log` is the entries here

/** Entries of the given terms, from `first` on. */
export function entriesOf(terms: readonly Term[], first: Index = 1): Entry[] {
  return terms.map((term, at) =>
    makeEntry(term, first + at, "EntryNormal", bytes(`${term}/${first + at}`)),
  );
}

export const none = new Uint8Array(0);

/** `v1 l2 r3` as a change. */
export function change(steps: string, transition: ConfChangeTransition = "auto"): ConfChangeV2 {
  const types = {
    v: "ConfChangeAddNode",
    l: "ConfChangeAddLearnerNode",
    r: "ConfChangeRemoveNode",
    u: "ConfChangeUpdateNode",
  } as const;
  const changes: ConfChangeSingle[] = steps
    .split(" ")
    .filter((step) => step !== "")
    .map((step) => ({
      type: types[step[0] as keyof typeof types],
      nodeId: Number(step.slice(1)),
    }));
  return { transition, changes, context: none, unknown: undefined };
}

export function changeEntry(term: Term, index: Index, conf: ConfChangeV2): Entry {
  const { type, data } = encodeConfChange(conf);
  return makeEntry(term, index, type, data);
}

export function snapshotOf(
  index: Index,
  term: Term,
  conf: Partial<ConfState> = { voters: [1, 2, 3] },
): Snapshot {
  return {
    metadata: { index, term, confState: { ...confStateOf([]), ...conf } },
    data: none,
    unknown: undefined,
  };
}

/** Node 1 of voters 1, 2, 3 unless told otherwise. */
export class Solo {
  readonly node: RawNode;
  readonly sent: Message[] = [];
  readonly applied: Entry[] = [];
  readonly reads: ReadState[] = [];
  readonly writes: Write[] = [];
  readonly dropped: string[] = [];
  readonly logged: string[] = [];

  constructor(start: Start = {}, id: NodeId = 1) {
    const { log, entries, hardState, conf, compacted, applied, ...config } = start;
    const base = compacted ?? { index: 0, term: 0 };
    const held = entries ?? entriesOf(log ?? [], base.index + 1);
    const restored: RestoredState = {
      hardState: { term: held.at(-1)?.term ?? base.term, vote: 0, commit: 0, ...hardState },
      confState: { ...confStateOf([1, 2, 3]), ...conf },
      compacted: base,
      entries: held,
      applied: applied ?? base.index,
    };
    const full: Config = {
      id,
      random: seededRandom(id),
      electionTicks: 10,
      heartbeatTicks: 1,
      preVote: false,
      checkQuorum: false,
      reportCommit: false,
      snapshot: () => undefined,
      log: (_level, line) => this.logged.push(line()),
      ...config,
    };
    this.node = new RawNode(full, restored);
  }

  get status(): ReturnType<RawNode["status"]> {
    return this.node.status();
  }

  get role(): string {
    return this.node.basicStatus().role;
  }

  peer(id: NodeId): NonNullable<ReturnType<ReturnType<RawNode["status"]>["peers"]["get"]>> {
    const peer = this.status.peers.get(id);
    if (peer === undefined) throw new Error(`no progress of ${id}`);
    return peer;
  }

  /** Takes in a message to us; what is not given is empty, the term is ours. */
  step(type: MessageType, from: NodeId, fields: Partial<Message> = {}): StepResult {
    const { term } = this.node.basicStatus();
    return this.node.step({ ...bareMessage(type, { from, to: this.node.id, term }), ...fields });
  }

  /** Hands everything on at once; what was sent by it. */
  drain(): Message[] {
    const before = this.sent.length;
    while (this.node.hasReady()) {
      const ready = this.node.ready();
      this.sent.push(...ready.messages);
      this.reads.push(...ready.readStates);
      this.dropped.push(...ready.droppedReads.map(text));
      for (const entry of ready.committedEntries) {
        if (entry.type !== "EntryNormal") this.node.applyConfChange(entry);
        this.applied.push(entry);
      }
      if (ready.write !== undefined) {
        this.writes.push(ready.write);
        this.sent.push(...this.node.persisted(ready.write));
      }
      const last = ready.committedEntries.at(-1);
      if (last !== undefined) this.node.applied(last.index);
    }
    return this.sent.slice(before);
  }

  /** Steps, then hands on. */
  tell(type: MessageType, from: NodeId, fields: Partial<Message> = {}): Message[] {
    this.step(type, from, fields);
    return this.drain();
  }

  tick(times = 1): Message[] {
    const before = this.sent.length;
    for (let at = 0; at < times; at++) {
      this.node.tick();
      this.drain();
    }
    return this.sent.slice(before);
  }

  /** Wins an election by the votes of `voters`. */
  lead(voters: readonly NodeId[] = [2, 3]): this {
    this.node.campaign();
    this.drain();
    for (const id of voters) {
      if (this.role === "preCandidate") {
        this.tell("MsgPreVoteResp", id, { term: this.node.basicStatus().term + 1 });
      }
    }
    for (const id of voters) this.tell("MsgVoteResp", id);
    if (this.role !== "leader") throw new Error(`not elected: ${this.role}`);
    return this;
  }

  propose(...commands: string[]): Message[] {
    for (const command of commands) {
      const outcome = this.node.propose(bytes(command));
      if (!outcome.accepted) throw new Error(outcome.reason);
    }
    return this.drain();
  }

  /** The follower has everything we have. */
  ack(from: NodeId, index: Index = this.node.basicStatus().lastIndex): Message[] {
    return this.tell("MsgAppResp", from, { index });
  }

  /** Terms of the log from `first` on. */
  terms(first: Index = this.status.firstIndex): (Term | undefined)[] {
    const terms: (Term | undefined)[] = [];
    for (let at = first; at <= this.status.lastIndex; at++) terms.push(this.node.termAt(at));
    return terms;
  }
}

export function typesOf(messages: readonly Message[]): string[] {
  return messages.map(({ type, to }) => `${type}>${to}`);
}
