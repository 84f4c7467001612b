/**
 * raftpb's schema: the number and wire type of every field, the number of every enum value.
 *
 * A tag is field number × 8 + wire type: 0x08 is field 1 as a number, 0x0a is field 1 as bytes (a record, packed numbers).
 * Names on the left are ours, in comments raftpb's where they differ. Sources: etcd/raft 3.7 raftpb/raft.proto; raft-rs
 * eraftpb.proto for the fields above 12 of Message.
 *
 * Not here: how the fields are read and written (raftpb-log.ts, raftpb.ts); configuration changes (core/confchange-codec.ts).
 */
import type { EntryType, MessageType } from "../core/types.js";

export const entryTag = {
  type: 0x08,
  term: 0x10,
  index: 0x18,
  data: 0x22,
} as const;

export const hardStateTag = { term: 0x08, vote: 0x10, commit: 0x18 } as const;

/** Lists of ids: etcd writes one field per id, raft-rs one packed field for all. */
export const confStateTag = {
  voters: 0x08,
  learners: 0x10,
  votersOutgoing: 0x18, // voters_outgoing
  learnersNext: 0x20, // learners_next
  autoLeave: 0x28, // auto_leave
  packedVoters: 0x0a,
  packedLearners: 0x12,
  packedVotersOutgoing: 0x1a,
  packedLearnersNext: 0x22,
} as const;

export const snapshotMetadataTag = {
  confState: 0x0a, // conf_state
  index: 0x10,
  term: 0x18,
} as const;

export const snapshotTag = { data: 0x0a, metadata: 0x12 } as const;

/** Fields 13 and 14 mean one thing to etcd and another to raft-rs: told apart by message type and by wire type. */
export const messageTag = {
  type: 0x08,
  to: 0x10,
  from: 0x18,
  term: 0x20,
  logTerm: 0x28,
  index: 0x30,
  entries: 0x3a,
  commit: 0x40,
  snapshot: 0x4a,
  reject: 0x50,
  rejectHint: 0x58,
  context: 0x62,
  /** raft-rs in MsgAppResp; etcd's `vote` in MsgStorageAppend, which is local. */
  requestSnapshot: 0x68,
  /** raft-rs before it had field 16: read where that is absent, never written. */
  deprecatedPriority: 0x70,
  /** etcd, local messages only. */
  responses: 0x72,
  commitTerm: 0x78, // commit_term
  priority: 0x80,
} as const;

/** Enum values in the order of their numbers. */
export const entryTypes: readonly EntryType[] = [
  "EntryNormal",
  "EntryConfChange",
  "EntryConfChangeV2",
];

/** By number; undefined: never legitimately between two nodes. */
export const wireMessageTypes: readonly (MessageType | undefined)[] = [
  undefined, // MsgHup
  undefined, // MsgBeat
  "MsgProp",
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgSnap",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  undefined, // MsgUnreachable
  undefined, // MsgSnapStatus
  undefined, // MsgCheckQuorum
  "MsgTransferLeader",
  "MsgTimeoutNow",
  "MsgReadIndex",
  "MsgReadIndexResp",
  "MsgPreVote",
  "MsgPreVoteResp",
];
