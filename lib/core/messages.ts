/**
 * One constructor per message type, with the names the dissertation gives to what `index` and `logTerm` mean in it.
 *
 * All of them end in `record`, so that every message has one hidden class and every field a value.
 * Compare etcd/raft raftpb/raft.proto (Message), raft-rs eraftpb.
 */
import {
  type Entry,
  type Index,
  localAppendThread,
  type Message,
  type MessageType,
  type NodeId,
  noBytes,
  type Snapshot,
  type Term,
} from "./types.js";

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

const noEntries: readonly Entry[] = [];

/** The context of a vote request that a leader asked for by MsgTimeoutNow; such a request may break a lease. */
export const campaignTransfer: Uint8Array = Uint8Array.from("CampaignTransfer", (c) =>
  c.charCodeAt(0),
);

function record(
  type: MessageType,
  envelope: Envelope,
  logTerm: Term,
  index: Index,
  entries: readonly Entry[],
  commit: Index,
  commitTerm: Term,
  snapshot: Snapshot | undefined,
  reject: boolean,
  rejectHint: Index,
  context: Uint8Array,
  requestSnapshot: Index,
  priority: number,
): Message {
  return {
    type,
    to: envelope.to,
    from: envelope.from,
    term: envelope.term,
    logTerm,
    index,
    entries,
    commit,
    commitTerm,
    snapshot,
    reject,
    rejectHint,
    context,
    requestSnapshot,
    priority,
  };
}

/** A message with nothing but an envelope. */
export function bareMessage(type: MessageType, m: Envelope): Message {
  return record(type, m, 0, 0, noEntries, 0, 0, undefined, false, 0, noBytes, 0, 0);
}

/**
 * Replicates `entries`, which follow the entry (`prevTerm`, `prevIndex`). §3.5
 *
 * This and its answer take their parameters one by one: they are nearly all messages there are, and an object made to carry the
 * parameters costs half as much as the message.
 */
export function appendMessage(
  from: NodeId,
  to: NodeId,
  term: Term,
  prevIndex: Index,
  prevTerm: Term,
  entries: readonly Entry[],
  commit: Index,
): Message {
  return {
    type: "MsgApp",
    to,
    from,
    term,
    logTerm: prevTerm,
    index: prevIndex,
    entries,
    commit,
    commitTerm: 0,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: noBytes,
    requestSnapshot: 0,
    priority: 0,
  };
}

/** Everything up to `index` is durable here and equal to the leader's. `commit` is the sender's own (0: not reported). */
export function appendAccepted(
  from: NodeId,
  to: NodeId,
  term: Term,
  index: Index,
  commit: Index,
): Message {
  return {
    type: "MsgAppResp",
    to,
    from,
    term,
    logTerm: 0,
    index,
    entries: noEntries,
    commit,
    commitTerm: 0,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: noBytes,
    requestSnapshot: 0,
    priority: 0,
  };
}

/** No entry like the leader's at `rejected`; the logs may meet at (`hintTerm`, `hintIndex`). */
export function appendRejected(
  m: Envelope & {
    readonly rejected: Index;
    readonly hintIndex: Index;
    readonly hintTerm: Term;
    readonly commit: Index;
    /** At least this new a snapshot is wanted; 0 = none. */
    readonly requestSnapshot: Index;
  },
): Message {
  return record(
    "MsgAppResp",
    m,
    m.hintTerm,
    m.rejected,
    noEntries,
    m.commit,
    0,
    undefined,
    true,
    m.hintIndex,
    noBytes,
    m.requestSnapshot,
    0,
  );
}

/** Asks for a vote, or in MsgPreVote whether one would be given. §3.4, §9.6 */
export function voteRequest(
  type: "MsgVote" | "MsgPreVote",
  m: Envelope & {
    readonly lastIndex: Index;
    readonly lastTerm: Term;
    readonly commit: Index;
    readonly commitTerm: Term;
    readonly context: Uint8Array;
    readonly priority: number;
  },
): Message {
  return record(
    type,
    m,
    m.lastTerm,
    m.lastIndex,
    noEntries,
    m.commit,
    m.commitTerm,
    undefined,
    false,
    0,
    m.context,
    0,
    m.priority,
  );
}

/** A grant carries the request's term, a refusal the voter's own, with its commit index (0, 0: not reported). */
export function voteResponse(
  type: "MsgVoteResp" | "MsgPreVoteResp",
  m: Envelope & { readonly reject: boolean; readonly commit: Index; readonly commitTerm: Term },
): Message {
  return record(
    type,
    m,
    0,
    0,
    noEntries,
    m.commit,
    m.commitTerm,
    undefined,
    m.reject,
    0,
    noBytes,
    0,
    0,
  );
}

/** `commit` is at most what the receiver has acknowledged; `context` the position of the latest read. */
export function heartbeatMessage(
  m: Envelope & { readonly commit: Index; readonly context: Uint8Array },
): Message {
  return record(
    "MsgHeartbeat",
    m,
    0,
    0,
    noEntries,
    m.commit,
    0,
    undefined,
    false,
    0,
    m.context,
    0,
    0,
  );
}

/** Echoes the heartbeat's `context` byte for byte. `commit` is the sender's own (0: not reported). */
export function heartbeatResponse(
  m: Envelope & { readonly context: Uint8Array; readonly commit: Index },
): Message {
  return record(
    "MsgHeartbeatResp",
    m,
    0,
    0,
    noEntries,
    m.commit,
    0,
    undefined,
    false,
    0,
    m.context,
    0,
    0,
  );
}

export function snapshotMessage(m: Envelope & { readonly snapshot: Snapshot }): Message {
  return record("MsgSnap", m, 0, 0, noEntries, 0, 0, m.snapshot, false, 0, noBytes, 0, 0);
}

/** Entries to append; their terms and indexes are the leader's to assign. `from` is the proposer. */
export function proposalMessage(m: {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly entries: readonly Entry[];
}): Message {
  return record(
    "MsgProp",
    { from: m.from, to: m.to, term: 0 },
    0,
    0,
    m.entries,
    0,
    0,
    undefined,
    false,
    0,
    noBytes,
    0,
    0,
  );
}

/** A request to read; its context is the data of its one entry. `from` is the reader. §6.4 */
export function readIndexMessage(m: {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly entries: readonly Entry[];
}): Message {
  return record(
    "MsgReadIndex",
    { from: m.from, to: m.to, term: 0 },
    0,
    0,
    m.entries,
    0,
    0,
    undefined,
    false,
    0,
    noBytes,
    0,
    0,
  );
}

/** The read may be served once the reader has applied `readIndex`. */
export function readIndexResponse(
  m: Envelope & { readonly readIndex: Index; readonly entries: readonly Entry[] },
): Message {
  return record(
    "MsgReadIndexResp",
    m,
    0,
    m.readIndex,
    m.entries,
    0,
    0,
    undefined,
    false,
    0,
    noBytes,
    0,
    0,
  );
}

/** Asks the leader to hand over to `target`, which stands in `from`. §3.10 */
export function transferLeaderMessage(m: {
  readonly target: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}): Message {
  return bareMessage("MsgTransferLeader", { from: m.target, to: m.to, term: m.term });
}

/** Campaign at once: the leader has consented. §3.10 */
export function timeoutNowMessage(m: Envelope): Message {
  return bareMessage("MsgTimeoutNow", m);
}

/** Never travels: what was handed out to storage, up to (`logTerm`, `index`) and `snapshot`, is durable. */
export function storageAppendResponse(m: {
  readonly to: NodeId;
  readonly term: Term;
  readonly index: Index;
  readonly logTerm: Term;
  readonly snapshot: Snapshot | undefined;
}): Message {
  return record(
    "MsgStorageAppendResp",
    { from: localAppendThread, to: m.to, term: m.term },
    m.logTerm,
    m.index,
    noEntries,
    0,
    0,
    m.snapshot,
    false,
    0,
    noBytes,
    0,
    0,
  );
}
