/**
 * raftpb's schema: the number and wire type of every field, the number of every enum value.
 *
 * A tag is field number × 8 + wire type. Names on the left are ours, in comments raftpb's where they differ. Sources:
 * etcd/raft 3.7 raftpb/raft.proto; raft-rs eraftpb.proto for the fields above 12 of Message.
 *
 * Not here: how the fields are read and written (raftpb-log.ts, raftpb-confchange.ts, raftpb.ts).
 */
import type {
  ConfChangeTransition,
  ConfChangeType,
  EntryType,
  MessageType,
} from "../core/types.js";
import { wireBytes, wireVarint } from "./protobuf.js";

const number = (field: number): number => field * 8 + wireVarint;
const bytes = (field: number): number => field * 8 + wireBytes;

export const entryTag = {
  type: number(1),
  term: number(2),
  index: number(3),
  data: bytes(4),
} as const;

export const hardStateTag = { term: number(1), vote: number(2), commit: number(3) } as const;

/** Lists of ids: etcd writes one field per id, raft-rs one packed field for all. */
export const confStateTag = {
  voters: number(1),
  learners: number(2),
  votersOutgoing: number(3), // voters_outgoing
  learnersNext: number(4), // learners_next
  autoLeave: number(5), // auto_leave
  packedVoters: bytes(1),
  packedLearners: bytes(2),
  packedVotersOutgoing: bytes(3),
  packedLearnersNext: bytes(4),
} as const;

export const snapshotMetadataTag = {
  confState: bytes(1), // conf_state
  index: number(2),
  term: number(3),
} as const;

export const snapshotTag = { data: bytes(1), metadata: bytes(2) } as const;

export const confChangeTag = {
  id: number(1),
  type: number(2),
  nodeId: number(3), // node_id
  context: bytes(4),
} as const;

export const confChangeSingleTag = { type: number(1), nodeId: number(2) } as const;

export const confChangeV2Tag = {
  transition: number(1),
  changes: bytes(2),
  context: bytes(3),
} as const;

/** Fields 13 and 14 mean one thing to etcd and another to raft-rs: told apart by message type and by wire type. */
export const messageTag = {
  type: number(1),
  to: number(2),
  from: number(3),
  term: number(4),
  logTerm: number(5),
  index: number(6),
  entries: bytes(7),
  commit: number(8),
  snapshot: bytes(9),
  reject: number(10),
  rejectHint: number(11),
  context: bytes(12),
  /** raft-rs in MsgAppResp; etcd's `vote` in MsgStorageAppend, which is local. */
  requestSnapshot: number(13),
  /** raft-rs before it had field 16: read where that is absent, never written. */
  deprecatedPriority: number(14),
  /** etcd, local messages only. */
  responses: bytes(14),
  commitTerm: number(15), // commit_term
  priority: number(16),
} as const;

/** Enum values in the order of their numbers. */
export const entryTypes: readonly EntryType[] = [
  "EntryNormal",
  "EntryConfChange",
  "EntryConfChangeV2",
];

export const confChangeTypes: readonly ConfChangeType[] = [
  "ConfChangeAddNode",
  "ConfChangeRemoveNode",
  "ConfChangeUpdateNode",
  "ConfChangeAddLearnerNode",
];

export const confChangeTransitions: readonly ConfChangeTransition[] = [
  "auto",
  "jointImplicit",
  "jointExplicit",
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
