/**
 * The vocabulary of consensus: entries, messages, states and what a node hands to its surroundings.
 *
 * Names are etcd/raft's and the dissertation's. One message record serves every type, with the same fields in the same
 * order, so that the hot path sees one hidden class; `messages.ts` has one constructor per type, whose parameters carry the
 * precise names (`prevIndex`, `prevTerm` …). Compare etcd/raft raftpb/raft.proto.
 */

/** A leader's period of office: a safe integer, 0 before the first election. */
export type Term = number;
/** A position in the log: 1-based, a safe integer; 0 is "before the first entry". */
export type Index = number;
/** A peer's name: an integer in [1, 2^53−1]. 0 is "none"; negative ids are local threads and never travel. Never used again. */
export type NodeId = number;

export const noNode: NodeId = 0;
/** The storage threads of etcd's asynchronous form; they exist between a node and itself alone. */
export const localAppendThread: NodeId = -1;
export const localApplyThread: NodeId = -2;

export type EntryType = "EntryNormal" | "EntryConfChange" | "EntryConfChangeV2";

export interface Entry {
  readonly term: Term;
  readonly index: Index;
  readonly type: EntryType;
  /** Empty for the entry with which a leader opens its term and for the change that leaves a joint configuration. */
  readonly data: Uint8Array;
  /** Fields of a later schema, kept to be written again as they were read. */
  readonly unknown: Uint8Array | undefined;
}

/** What must survive a crash beside the log (dissertation §3.8, "persisted state"). */
export interface HardState {
  readonly term: Term;
  readonly vote: NodeId;
  readonly commit: Index;
}

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** What a crash may forget. */
export interface SoftState {
  readonly leader: NodeId;
  readonly role: Role;
}

/** A membership configuration; every list ascending. `votersOutgoing` is empty unless joint (dissertation §4.3). */
export interface ConfState {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learnersNext: readonly NodeId[];
  readonly autoLeave: boolean;
}

export interface SnapshotMetadata {
  readonly index: Index;
  readonly term: Term;
  readonly confState: ConfState;
}

/** A state machine's state as of `metadata.index`. `data` is the body, or empty where a `SnapshotStore` holds it. */
export interface Snapshot {
  readonly metadata: SnapshotMetadata;
  readonly data: Uint8Array;
  readonly unknown: Uint8Array | undefined;
}

export type ConfChangeType =
  | "ConfChangeAddNode"
  | "ConfChangeRemoveNode"
  | "ConfChangeUpdateNode"
  | "ConfChangeAddLearnerNode";

export type ConfChangeTransition = "auto" | "jointImplicit" | "jointExplicit";

export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  readonly nodeId: NodeId;
}

/** The V1 form: one change. `context` is the application's and rides along. */
export interface ConfChange {
  readonly id: number;
  readonly type: ConfChangeType;
  readonly nodeId: NodeId;
  readonly context: Uint8Array;
  readonly unknown: Uint8Array | undefined;
}

/** The V2 form: any number of changes. No changes and `auto` leaves a joint configuration. */
export interface ConfChangeV2 {
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  readonly context: Uint8Array;
  readonly unknown: Uint8Array | undefined;
}

export type MessageType =
  | "MsgHup"
  | "MsgBeat"
  | "MsgProp"
  | "MsgApp"
  | "MsgAppResp"
  | "MsgVote"
  | "MsgVoteResp"
  | "MsgSnap"
  | "MsgHeartbeat"
  | "MsgHeartbeatResp"
  | "MsgUnreachable"
  | "MsgSnapStatus"
  | "MsgCheckQuorum"
  | "MsgTransferLeader"
  | "MsgTimeoutNow"
  | "MsgReadIndex"
  | "MsgReadIndexResp"
  | "MsgPreVote"
  | "MsgPreVoteResp"
  | "MsgStorageAppend"
  | "MsgStorageAppendResp"
  | "MsgStorageApply"
  | "MsgStorageApplyResp"
  | "MsgForgetLeader";

/**
 * One message. What `index` and `logTerm` speak of depends on the type: the entry before `entries` in MsgApp, the last
 * entry of the candidate's log in a request for votes, the acknowledged index or the rejected one (with the term at
 * `rejectHint`) in MsgAppResp, the read index in MsgReadIndexResp. The constructors in `messages.ts` name each.
 */
export interface Message {
  readonly type: MessageType;
  readonly to: NodeId;
  readonly from: NodeId;
  /** 0 in messages that carry none: MsgProp, MsgReadIndex and local ones. */
  readonly term: Term;
  readonly logTerm: Term;
  readonly index: Index;
  readonly entries: readonly Entry[];
  readonly commit: Index;
  /** raft-rs: the term at `commit`, in requests for votes and their rejections (commit fast-forward). */
  readonly commitTerm: Term;
  readonly snapshot: Snapshot | undefined;
  readonly reject: boolean;
  readonly rejectHint: Index;
  /** Heartbeat: position of the latest read; vote request: `CampaignTransfer`. Echoed byte for byte. */
  readonly context: Uint8Array;
  /** raft-rs: a follower asks for a snapshot at least this new (MsgAppResp); 0 = no. */
  readonly requestSnapshot: Index;
  /** raft-rs: the candidate's election priority. */
  readonly priority: number;
}

/** Answers a request to read at `index`; `context` is the caller's, as given to `readIndex`. */
export interface ReadState {
  readonly index: Index;
  readonly context: Uint8Array;
}

/** What must be durable before anybody may hear of it. Numbered 1, 2, 3 …; write them in that order. */
export interface Write {
  readonly id: number;
  /** Term, vote or commit moved. */
  readonly hardState: HardState | undefined;
  /** Replaces all before it; precedes `entries`, may come with them. */
  readonly snapshot: Snapshot | undefined;
  /** Contiguous; first drop what is stored at or above `entries[0].index`. */
  readonly entries: readonly Entry[];
  /** False: no flush of its own (commit index, or only messages waiting). Done once earlier writes are; rides with the next. */
  readonly sync: boolean;
}

/** Everything new since the last `ready()`. Accepted by being returned. */
export interface Ready {
  /** May leave now, before the disk answers (dissertation §10.2.1). */
  readonly messages: readonly Message[];
  /** To storage, then `persisted()`. */
  readonly write: Write | undefined;
  /** To the state machine, in order; then `applied()`. */
  readonly committedEntries: readonly Entry[];
  readonly readStates: readonly ReadState[];
  /**
   * Contexts of our own reads that will not be answered: leadership moved, or two election timeouts have passed since the leader was
   * asked. Ask again, with a new context.
   */
  readonly droppedReads: readonly Uint8Array[];
  /** Role or leader changed. */
  readonly softState: SoftState | undefined;
}

export const noBytes: Uint8Array = new Uint8Array(0);
export const emptyHardState: HardState = { term: 0, vote: noNode, commit: 0 };
export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};
