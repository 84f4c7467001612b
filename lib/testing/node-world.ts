/**
 * A simulated node as everybody else sees it, what it needs of the world around it, and how its core is set up.
 *
 * Two kinds live in one world's terms: sim-node.ts drives a core by itself over a disk of records, runtime-node.ts is a whole
 * RaftNode over a real store.
 */
import type { Config } from "../core/config.js";
import type { RawNode } from "../core/raw-node.js";
import type { ConfChangeV2, ConfState, Index, NodeId, ReadState, Term } from "../core/types.js";
import type { AnyMachine } from "../machines/machine.js";
import type { Applied, Replica } from "../machines/replica.js";
import type { RaftNodeOptions } from "../runtime/node-options.js";
import type { Observer } from "./observer.js";
import type { Image } from "./record-disk.js";
import type { SimOptions } from "./sim-options.js";

/** One slot of a simulated cluster, whoever drives its core: as clients, faults and the checks see it. */
export interface SimPeer {
  readonly slot: number;
  readonly id: NodeId;
  /** Raised by each start and each crash. */
  readonly life: number;
  /** Undefined while it is down, or has not opened its store yet. */
  readonly core: RawNode | undefined;
  readonly replica: Replica<unknown>;
  readonly applied: Index;
  readonly confState: ConfState;
  readonly disk: SimStorage;
  readonly running: boolean;
  readonly frozen: boolean;
  readonly leads: boolean;
  readonly term: Term;
  /** False: its store was damaged, and the node may yet find out and stop. */
  readonly sound: boolean;
  frozenUntil: number;
  wallOffset: number;
  start(): void;
  /** The process ends without a word. */
  crash(survives: number): void;
  thaw(): void;
  /** An empty store under a new identity takes the slot; it is down. */
  renew(id: NodeId): void;
  receive(from: NodeId, frame: Uint8Array): void;
  /** Puts a command on its way; false when it certainly went nowhere. */
  submit(command: Uint8Array): boolean;
  /** False when no answer will come. */
  readIndex(context: Uint8Array): boolean;
  transfer(to: NodeId): void;
  campaign(): void;
  forgetLeader(): void;
  /** True when it was asked for. */
  requestSnapshot(): boolean;
  /** True when it went into the log. */
  proposeChange(change: ConfChangeV2): boolean;
}

/** A node's disk as the faults and the checks see it. */
export interface SimStorage {
  /** What was acknowledged as durable. */
  readonly flushed: Image;
  /** Milliseconds added to each write. */
  slowMs: number;
  /** The next write fails. */
  failNext: boolean;
}

/** What a node needs of the world around it. */
export interface NodeWorld {
  readonly options: SimOptions;
  readonly machine: AnyMachine;
  readonly observer: Observer;
  now(): number;
  after(ms: number, run: () => void): void;
  /** The second phase has begun: who is down stays down. */
  calm(): boolean;
  send(from: SimPeer, to: NodeId, frame: Uint8Array): boolean;
  /** A line for the log: what happened, to whom, and about what. */
  log(node: SimPeer, what: string, about?: unknown): void;
  applied(node: SimPeer, outcome: Applied, index: Index): void;
  /** The replica's state was replaced, or a read may be served now. */
  progressed(node: SimPeer): void;
  read(node: SimPeer, state: ReadState): void;
  droppedRead(node: SimPeer, context: Uint8Array): void;
}

/** A RaftNode's settings as a seed has drawn them. */
export function nodeSettings(
  options: SimOptions,
): Pick<RaftNodeOptions<Applied>, "timing" | "snapshotPolicy" | "reads"> {
  const { snapshotEntries: entries, trailing: trailingEntries, reads } = options;
  return { timing: options, reads, snapshotPolicy: { entries, bytes: 1 << 20, trailingEntries } };
}

/** The core's settings as a seed has drawn them; what is not here is the node's own. */
export function coreConfig(options: SimOptions): Omit<Config, "id" | "random" | "snapshot"> {
  return {
    electionTicks: options.electionTicks,
    heartbeatTicks: options.heartbeatTicks,
    preVote: options.preVote,
    checkQuorum: true,
    reads: options.reads,
    forwardProposals: false,
    batchAppends: options.batchAppends,
    skipBroadcastCommit: options.skipBroadcastCommit,
    reportCommit: options.reportCommit,
    inflightAppendsMax: options.inflightAppendsMax,
    appendBytesMax: options.appendBytesMax,
    applyBytesMax: 2_000,
    uncommittedBytesMax: options.uncommittedBytesMax,
    applyUnpersisted: { entries: options.applyUnpersisted, roles: "all" },
  };
}
