/** Status: what may be seen of a node, as plain copies. Compare etcd/raft status.go. */
import type { LogboomError } from "../base/errors.js";
import type { Progress } from "./progress.js";
import { confState, type Raft } from "./raft.js";
import { holdsLease } from "./reading.js";
import { hasCommittedInTerm } from "./replication.js";
import type { ConfState, Index, NodeId, Role, Term } from "./types.js";

/** The cheap part of `status()`. */
export interface BasicStatus {
  readonly id: NodeId;
  readonly term: Term;
  readonly vote: NodeId;
  readonly commit: Index;
  readonly applied: Index;
  readonly lastIndex: Index;
  /** Bytes the log occupies in memory, roughly: what `logBytesMax` bounds. */
  readonly logBytes: number;
  readonly role: Role;
  readonly leader: NodeId;
  readonly leadTransferee: NodeId;
  /** Why the node has stopped for good, if it has. */
  readonly stopped: LogboomError | undefined;
}

/** What a leader knows of a peer, as of now. */
export type PeerStatus = Readonly<
  Pick<
    Progress,
    | "match"
    | "next"
    | "state"
    | "recentActive"
    | "isPaused"
    | "isLearner"
    | "pendingSnapshot"
    | "commit"
    | "commitGroup"
  >
> & { readonly inflight: number; readonly inflightBytes: number };

export interface Status extends BasicStatus {
  readonly confState: ConfState;
  /** On a leader: every member, ourselves included, ascending. Empty on others. */
  readonly peers: ReadonlyMap<NodeId, PeerStatus>;
  readonly firstIndex: Index;
  /** An entry of our term is committed: a leader knows what is. */
  readonly committedToTerm: boolean;
  /** An entry of our term is applied: a leader's state machine is as new as what any leader before it acknowledged. */
  readonly appliedToTerm: boolean;
  /** Entries in memory only, so far as we know. */
  readonly unstableCount: number;
  readonly uncommittedBytes: number;
  /** Bytes the windows' own bookkeeping occupies. */
  readonly inflightsBytes: number;
  /** Reads waiting here, as leader or forwarded. */
  readonly pendingReads: number;
  /** A leader that may answer reads without asking, at this moment. */
  readonly inLease: boolean;
}

export function basicStatus(raft: Raft): BasicStatus {
  const { id, term, vote, role, leader, leadTransferee, stopped, log } = raft;
  return {
    id,
    term,
    vote,
    commit: log.committed,
    applied: log.applied,
    lastIndex: log.lastIndex,
    logBytes: log.memory,
    role,
    leader,
    leadTransferee,
    stopped,
  };
}

export function status(raft: Raft): Status {
  const peers = new Map<NodeId, PeerStatus>();
  if (raft.role === "leader") {
    for (const { id, progress } of raft.tracker.peers) peers.set(id, peerStatus(progress));
  }
  return {
    ...basicStatus(raft),
    confState: confState(raft),
    peers,
    firstIndex: raft.log.firstIndex,
    committedToTerm: hasCommittedInTerm(raft),
    appliedToTerm: raft.log.term(raft.log.applied) === raft.term,
    unstableCount: raft.log.unstableCount,
    uncommittedBytes: raft.uncommittedBytes,
    inflightsBytes: raft.tracker.peers.reduce(
      (sum, { progress }) => sum + progress.inflights.footprint,
      0,
    ),
    pendingReads: raft.reads.waiting + raft.forwardedReads.length,
    inLease: holdsLease(raft),
  };
}

function peerStatus(progress: Progress): PeerStatus {
  return {
    match: progress.match,
    next: progress.next,
    state: progress.state,
    recentActive: progress.recentActive,
    isPaused: progress.isPaused,
    isLearner: progress.isLearner,
    pendingSnapshot: progress.pendingSnapshot,
    commit: progress.commit,
    commitGroup: progress.commitGroup,
    inflight: progress.inflights.count,
    inflightBytes: progress.inflights.bytes,
  };
}
