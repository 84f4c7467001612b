/**
 * Trace: the state machine's events in the form etcd's TLA+ specification checks (tla/Traceetcdraft.tla).
 *
 * One object per event; written as lines of JSON, the trace of a run can be validated by etcd's tools as a behaviour of its
 * model. Compare etcd/raft state_trace.go.
 */
import type { Index, NodeId, Term } from "./types.js";

export type TraceName =
  | "InitState"
  | "BecomeCandidate"
  | "BecomeFollower"
  | "BecomeLeader"
  | "Commit"
  | "Replicate"
  | "ChangeConf"
  | "ApplyConfChange"
  | "Ready"
  | "SendAppendEntriesRequest"
  | "ReceiveAppendEntriesRequest"
  | "SendAppendEntriesResponse"
  | "ReceiveAppendEntriesResponse"
  | "SendRequestVoteRequest"
  | "ReceiveRequestVoteRequest"
  | "SendRequestVoteResponse"
  | "ReceiveRequestVoteResponse";

export interface TraceMessage {
  readonly type: string;
  readonly term: Term;
  readonly from: string;
  readonly to: string;
  readonly entries: number;
  readonly logTerm: Term;
  readonly index: Index;
  readonly commit: Index;
  readonly vote: string;
  readonly reject: boolean;
  readonly rejectHint: Index;
}

export interface TraceEvent {
  readonly name: TraceName;
  readonly nid: string;
  readonly state: { readonly term: Term; readonly vote: string; readonly commit: Index };
  readonly role: string;
  /** Last index of the log. */
  readonly log: Index;
  /** Voters of the incoming and the outgoing half. */
  readonly conf: readonly [readonly string[], readonly string[]];
  readonly msg?: TraceMessage;
  readonly prop?: unknown;
}

export type TraceListener = (event: TraceEvent) => void;

export function traceId(id: NodeId): string {
  return String(id);
}
