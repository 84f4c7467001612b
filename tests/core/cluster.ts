/** A cluster in one process: real nodes, a network that can drop, and disks that remember. Everything happens when told to. */
import { seededRandom } from "../../lib/base/random.js";
import type { Config, RestoredState } from "../../lib/core/config.js";
import { RawNode } from "../../lib/core/raw-node.js";
import type {
  ConfState,
  Entry,
  HardState,
  Index,
  Message,
  MessageType,
  NodeId,
  ReadState,
  Snapshot,
  Write,
} from "../../lib/core/types.js";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array): string => new TextDecoder().decode(data);

export function confStateOf(
  voters: readonly NodeId[],
  learners: readonly NodeId[] = [],
): ConfState {
  return { voters, learners, votersOutgoing: [], learnersNext: [], autoLeave: false };
}

/** A disk and a state machine that collects commands. */
export class Disk {
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  compacted = { index: 0, term: 0 };
  entries: Entry[] = [];
  confState: ConfState;
  applied: Index = 0;
  commands: string[] = [];

  constructor(confState: ConfState) {
    this.confState = confState;
  }

  write(write: Write): void {
    if (write.hardState !== undefined) this.hardState = write.hardState;
    if (write.snapshot !== undefined) {
      const { index, term, confState } = write.snapshot.metadata;
      this.compacted = { index, term };
      this.entries = [];
      this.confState = confState;
      this.applied = index;
      this.commands = JSON.parse(text(write.snapshot.data)) as string[];
    }
    const first = write.entries[0];
    if (first === undefined) return;
    this.entries.length = first.index - this.compacted.index - 1;
    this.entries.push(...write.entries);
  }

  restored(): RestoredState {
    return { ...this, entries: [...this.entries] };
  }

  compact(index: Index): void {
    const term = this.entries[index - this.compacted.index - 1]?.term ?? 0;
    this.entries = this.entries.slice(index - this.compacted.index);
    this.compacted = { index, term };
  }
}

export type Options = Partial<Omit<Config, "id">>;

export class Peer {
  node: RawNode;
  readonly disk: Disk;
  readonly reads: ReadState[] = [];
  readonly droppedReads: string[] = [];
  /** Writes handed out and not yet durable, while `slowDisk` holds them back. */
  pending: Write[] = [];
  slowDisk = false;
  /** Called with what is durable; undefined = every write at once. */
  readonly config: Config;

  constructor(config: Config, disk: Disk) {
    this.config = config;
    this.disk = disk;
    this.node = new RawNode(config, disk.restored());
  }

  get commands(): readonly string[] {
    return this.disk.commands;
  }
}

/** `size` nodes 1, 2, 3 …, all voters unless `learners` are named, starting from an empty log. */
export class Cluster {
  readonly peers = new Map<NodeId, Peer>();
  inFlight: Message[] = [];
  /** Messages for which this answers true are lost. */
  lose: (message: Message) => boolean = () => false;
  /** Everything that was sent, in order. */
  readonly sent: Message[] = [];

  constructor(
    size: number,
    options: Options = {},
    learners: readonly NodeId[] = [],
    disks: ReadonlyMap<NodeId, Disk> = new Map(),
  ) {
    const ids = Array.from({ length: size }, (_, at) => at + 1);
    const voters = ids.filter((id) => !learners.includes(id));
    for (const id of ids) {
      this.add(id, disks.get(id) ?? new Disk(confStateOf(voters, learners)), options);
    }
  }

  add(id: NodeId, disk: Disk, options: Options = {}): Peer {
    const config: Config = {
      random: seededRandom(id),
      electionTicks: 10,
      heartbeatTicks: 1,
      ...options,
      id,
      snapshot: options.snapshot ?? (() => this.snapshotOf(id)),
    };
    const peer = new Peer(config, disk);
    this.peers.set(id, peer);
    return peer;
  }

  snapshotOf(id: NodeId): Snapshot | undefined {
    const { disk, node } = this.peer(id);
    const term = node.termAt(disk.applied);
    if (disk.applied === 0 || term === undefined) return undefined;
    return {
      metadata: { index: disk.applied, term, confState: disk.confState },
      data: bytes(JSON.stringify(disk.commands)),
      unknown: undefined,
    };
  }

  peer(id: NodeId): Peer {
    const peer = this.peers.get(id);
    if (peer === undefined) throw new Error(`no peer ${id}`);
    return peer;
  }

  node(id: NodeId): RawNode {
    return this.peer(id).node;
  }

  /** The machine dies and starts again from its disk. */
  restart(id: NodeId): void {
    const old = this.peer(id);
    this.add(id, old.disk, old.config);
  }

  /** Takes what each node has ready, once; true if there was anything. */
  pump(): boolean {
    let busy = false;
    for (const peer of this.peers.values()) busy = this.pumpPeer(peer) || busy;
    return busy;
  }

  pumpPeer(peer: Peer): boolean {
    const { node, disk } = peer;
    if (!node.hasReady()) return false;
    const ready = node.ready();
    this.send(ready.messages);
    peer.reads.push(...ready.readStates);
    peer.droppedReads.push(...ready.droppedReads.map(text));
    for (const entry of ready.committedEntries) {
      if (entry.type !== "EntryNormal") disk.confState = node.applyConfChange(entry);
      else if (entry.data.length > 0) disk.commands.push(text(entry.data));
      disk.applied = entry.index;
    }
    if (ready.write !== undefined) peer.pending.push(ready.write);
    if (!peer.slowDisk) this.flush(peer);
    const last = ready.committedEntries.at(-1);
    if (last !== undefined) node.applied(last.index);
    return true;
  }

  /** The disk catches up. */
  flush(peer: Peer): void {
    for (const write of peer.pending.splice(0)) {
      peer.disk.write(write);
      this.send(peer.node.persisted(write));
    }
  }

  send(messages: readonly Message[]): void {
    this.sent.push(...messages);
    this.inFlight.push(...messages.filter((message) => !this.lose(message)));
  }

  deliver(): boolean {
    const messages = this.inFlight;
    this.inFlight = [];
    for (const message of messages) this.peers.get(message.to)?.node.step(message);
    return messages.length > 0;
  }

  /** Runs until nothing is left to do. */
  settle(): void {
    for (let round = 0; round < 10_000; round++) {
      const pumped = this.pump();
      const delivered = this.deliver();
      if (!pumped && !delivered) return;
    }
    throw new Error("the cluster does not settle");
  }

  tick(times = 1, ids: readonly NodeId[] = [...this.peers.keys()]): void {
    for (let at = 0; at < times; at++) {
      for (const id of ids) this.node(id).tick();
      this.settle();
    }
  }

  elect(id: NodeId): void {
    this.node(id).campaign();
    this.settle();
    if (this.node(id).basicStatus().role !== "leader") throw new Error(`${id} was not elected`);
  }

  leaders(): NodeId[] {
    return [...this.peers.values()]
      .filter(({ node }) => node.basicStatus().role === "leader")
      .map(({ node }) => node.id);
  }

  propose(id: NodeId, command: string): void {
    const outcome = this.node(id).propose(bytes(command));
    if (!outcome.accepted) throw new Error(`refused: ${outcome.reason}`);
    this.settle();
  }

  /** Loses everything between `ids` and the others. */
  isolate(...ids: NodeId[]): void {
    this.lose = ({ from, to }) => ids.includes(from) !== ids.includes(to);
  }

  heal(): void {
    this.lose = () => false;
  }

  count(type: MessageType, to?: NodeId): number {
    return this.sent.filter((m) => m.type === type && (to === undefined || m.to === to)).length;
  }
}
