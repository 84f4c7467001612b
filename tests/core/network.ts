/**
 * A cluster in memory: real RawNodes, a disk each, and a network between them that a test cuts, filters and repeats.
 *
 * Everything is in one order: messages are delivered first in, first out, nodes work in the order of their ids, and each
 * draws its timeouts from a seed of its own. `settle()` runs until nobody has anything left to say; no time passes
 * meanwhile unless `tick()` lets it.
 */
import { seededRandom } from "../../lib/base/random.js";
import type { Config } from "../../lib/core/config.js";
import { RawNode } from "../../lib/core/raw-node.js";
import {
  type ConfState,
  type Entry,
  emptyConfState,
  emptyHardState,
  type HardState,
  type Index,
  type Message,
  type MessageType,
  type NodeId,
  type ReadState,
  type Role,
  type Snapshot,
  type Term,
} from "../../lib/core/types.js";

/** What a node's disk holds. */
export interface Disk {
  hardState: HardState;
  snapshot: Snapshot | undefined;
  /** The entry before `entries`. */
  compacted: { index: Index; term: Term };
  entries: Entry[];
}

/** What a log consists of, as far as tests compare it. */
export type LogShape = readonly (readonly [index: Index, term: Term])[];

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (data: Uint8Array): string => new TextDecoder().decode(data);

/** Entries 1 … n with these terms. */
export function entriesOf(terms: readonly Term[], first: Index = 1): Entry[] {
  return terms.map((term, i) => ({
    term,
    index: first + i,
    type: "EntryNormal",
    data: bytes(`${first + i}`),
    unknown: undefined,
  }));
}

export function votersOnly(...voters: NodeId[]): ConfState {
  return { ...emptyConfState, voters };
}

/** How a node of a test starts. Left out: an empty disk, and etcd's plain configuration (neither PreVote nor CheckQuorum). */
export interface Start {
  readonly confState: ConfState;
  readonly hardState?: Partial<HardState>;
  /** Terms of entries 1 … n. */
  readonly log?: readonly Term[];
  readonly config?: Partial<Config>;
}

/** One node with its disk. What it wants to send is taken with `take()`. */
export class Member {
  readonly id: NodeId;
  readonly disk: Disk;
  node: RawNode;
  /** Committed entries in the order they were handed out, over all lives. */
  readonly applied: Entry[] = [];
  readonly reads: ReadState[] = [];
  /** While true, writes stay in memory and what waits for them is not said. */
  diskStalls = false;
  private readonly start: Start;
  private outbox: Message[] = [];
  private stalled: Parameters<RawNode["persisted"]>[0][] = [];

  constructor(id: NodeId, start: Start) {
    this.id = id;
    this.start = start;
    this.disk = {
      hardState: { ...emptyHardState, ...start.hardState },
      snapshot: undefined,
      compacted: { index: 0, term: 0 },
      entries: entriesOf(start.log ?? []),
    };
    this.node = this.boot();
  }

  get role(): Role {
    return this.node.basicStatus().role;
  }

  get leader(): NodeId {
    return this.node.basicStatus().leader;
  }

  get term(): Term {
    return this.node.basicStatus().term;
  }

  get commit(): Index {
    return this.node.basicStatus().commit;
  }

  /** What is on disk: the log's last word once `work()` is through. */
  get log(): LogShape {
    return this.disk.entries.map(({ index, term }) => [index, term] as const);
  }

  /** Crashes: what was not written is lost. Starts again from the disk. */
  restart(): void {
    this.outbox = [];
    this.stalled = [];
    this.node = this.boot();
  }

  /** Does everything that is to do, and answers what is to be sent. */
  take(): Message[] {
    this.work();
    const messages = this.outbox;
    this.outbox = [];
    return messages;
  }

  /** Takes a snapshot of what is applied, and forgets the log up to `keep` entries before it. */
  compact(keep: number): void {
    const { applied, confState } = this.node.status();
    const upTo = applied - keep;
    const covered = this.disk.snapshot?.metadata.index ?? 0;
    if (this.diskStalls || applied <= covered || upTo <= this.disk.compacted.index) return;
    const term = this.node.termAt(applied);
    const compactedTerm = this.node.termAt(upTo);
    if (term === undefined || compactedTerm === undefined) return;
    this.disk.snapshot = {
      metadata: { index: applied, term, confState },
      data: bytes(`state at ${applied}`),
      unknown: undefined,
    };
    this.disk.compacted = { index: upTo, term: compactedTerm };
    this.disk.entries = this.disk.entries.filter(({ index }) => index > upTo);
    this.node.compacted(upTo);
  }

  /** The disk answers again. */
  diskRecovers(): void {
    this.diskStalls = false;
    for (const write of this.stalled.splice(0)) this.persist(write);
  }

  private work(): void {
    while (this.node.hasReady()) {
      const { messages, write, committedEntries, readStates } = this.node.ready();
      this.outbox.push(...messages);
      this.reads.push(...readStates);
      if (write !== undefined) {
        if (this.diskStalls) this.stalled.push(write);
        else this.persist(write);
      }
      for (const entry of committedEntries) {
        this.applied.push(entry);
        if (entry.type !== "EntryNormal") this.node.applyConfChange(entry);
      }
      const last = committedEntries.at(-1);
      if (last !== undefined) this.node.applied(last.index);
    }
  }

  private persist(write: Parameters<RawNode["persisted"]>[0]): void {
    const { disk } = this;
    if (write.hardState !== undefined) disk.hardState = write.hardState;
    if (write.snapshot !== undefined) {
      const { index, term } = write.snapshot.metadata;
      disk.snapshot = write.snapshot;
      disk.compacted = { index, term };
      disk.entries = [];
    }
    const first = write.entries[0];
    if (first !== undefined) {
      disk.entries = disk.entries.filter((entry) => entry.index < first.index);
      disk.entries.push(...write.entries);
    }
    this.outbox.push(...this.node.persisted(write));
  }

  private boot(): RawNode {
    const { disk, start } = this;
    const at = disk.snapshot?.metadata;
    return new RawNode(
      {
        id: this.id,
        random: seededRandom(this.id),
        snapshot: () => disk.snapshot,
        electionTicks: 10,
        heartbeatTicks: 1,
        preVote: false,
        checkQuorum: false,
        ...start.config,
      },
      {
        hardState: disk.hardState,
        confState: at?.confState ?? start.confState,
        compacted: disk.compacted,
        entries: disk.entries,
        applied: at?.index ?? 0,
      },
    );
  }
}

/** True where a message is lost. */
export type Loss = (message: Message) => boolean;

export class Network {
  readonly members: ReadonlyMap<NodeId, Member>;
  /** Everything that was delivered, oldest first. */
  readonly delivered: Message[] = [];
  private readonly losses = new Set<Loss>();

  constructor(members: Iterable<Member>) {
    this.members = new Map([...members].map((member) => [member.id, member]));
  }

  /** `size` voters, all alike. */
  static of(size: number, config: Partial<Config> = {}): Network {
    const ids = Array.from({ length: size }, (_, i) => i + 1);
    return new Network(ids.map((id) => new Member(id, { confState: votersOnly(...ids), config })));
  }

  member(id: NodeId): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }

  node(id: NodeId): RawNode {
    return this.member(id).node;
  }

  leaders(): NodeId[] {
    return [...this.members.values()].filter((m) => m.role === "leader").map((m) => m.id);
  }

  /** Loses what `loss` says until the returned function is called. */
  lose(loss: Loss): () => void {
    this.losses.add(loss);
    return () => this.losses.delete(loss);
  }

  /** Loses what goes to and comes from `ids`, among themselves too. */
  isolate(...ids: NodeId[]): () => void {
    return this.lose(({ from, to }) => ids.includes(from) || ids.includes(to));
  }

  /** Loses what crosses from `ids` to the others and back. */
  partition(...ids: NodeId[]): () => void {
    return this.lose(({ from, to }) => ids.includes(from) !== ids.includes(to));
  }

  ignore(...types: MessageType[]): () => void {
    return this.lose(({ type }) => types.includes(type));
  }

  heal(): void {
    this.losses.clear();
  }

  /** `ticks` for everybody (or `ids`), with everything delivered after each. */
  tick(ticks = 1, ids: Iterable<NodeId> = this.members.keys()): void {
    const ticking = [...ids];
    for (let i = 0; i < ticks; i++) {
      for (const id of ticking) this.node(id).tick();
      this.settle();
    }
  }

  campaign(id: NodeId): void {
    this.node(id).campaign();
    this.settle();
  }

  propose(id: NodeId, text: string): void {
    this.node(id).propose(bytes(text));
    this.settle();
  }

  /** Delivers until nobody has anything left to say. */
  settle(): void {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      const sent = [...this.members.values()].flatMap((member) => member.take());
      if (sent.length === 0) return;
      for (const message of sent) this.deliver(message);
    }
    throw new Error("the cluster does not come to rest");
  }

  deliver(message: Message): void {
    for (const loss of this.losses) if (loss(message)) return;
    const receiver = this.members.get(message.to);
    if (receiver === undefined) return;
    this.delivered.push(message);
    receiver.node.step(message);
  }
}
