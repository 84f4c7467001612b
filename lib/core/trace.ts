/**
 * Trace: the events of the state machine, in the form that etcd's TLA+ specification checks (tla/Traceetcdraft.tla).
 *
 * Written as lines of JSON, the events of a run can be validated by etcd's tools as a behaviour of its model. Pre-votes, proposals, reads
 * and transfers are not part of it. Compare etcd/raft state_trace.go.
 */
import type { Configuration } from "./confchange.js";
import { describeRole } from "./describe.js";
import type { ConfChangeType, ConfChangeV2, Index, Message, NodeId, Role, Term } from "./types.js";

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

/** Ids are decimal text: they may not fit a number in the tools that read them. */
export interface TraceMessage {
  readonly type: string;
  readonly term: Term;
  readonly from: string;
  readonly to: string;
  /** How many; in a MsgSnap the snapshot's index, as if it were that many entries from the first on. */
  readonly entries: number;
  readonly logTerm: Term;
  readonly index: Index;
  readonly commit: Index;
  readonly vote: string;
  readonly reject: boolean;
  readonly rejectHint: Index;
}

export interface TraceConfChange {
  readonly changes?: readonly { readonly nid: string; readonly action: string }[];
  readonly newconf?: readonly string[];
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
  readonly prop?: Readonly<Record<string, unknown>>;
}

export type TraceListener = (event: TraceEvent) => void;

/** What an event tells of a node. */
interface Traced {
  readonly id: NodeId;
  readonly term: Term;
  readonly vote: NodeId;
  readonly role: Role;
  readonly log: { readonly committed: Index; readonly lastIndex: Index };
  readonly tracker: { readonly configuration: Configuration };
}

type Property = TraceEvent["prop"];

function texts(ids: readonly NodeId[]): readonly string[] {
  return ids.map(String);
}

export function traceEvent(
  name: TraceName,
  node: Traced,
  message?: Message,
  prop?: Property,
): TraceEvent {
  const { incoming, outgoing } = node.tracker.configuration;
  return {
    name,
    nid: String(node.id),
    state: { term: node.term, vote: String(node.vote), commit: node.log.committed },
    role: describeRole(node.role),
    log: node.log.lastIndex,
    conf: [texts(incoming), texts(outgoing)],
    ...(message === undefined ? {} : { msg: traceMessage(message) }),
    ...(prop === undefined ? {} : { prop }),
  };
}

function traceMessage(m: Message): TraceMessage {
  const snapshot = m.type === "MsgSnap" ? m.snapshot : undefined;
  return {
    type: m.type,
    term: m.term,
    from: String(m.from),
    to: String(m.to),
    entries: snapshot === undefined ? m.entries.length : snapshot.metadata.index,
    logTerm: m.logTerm,
    index: m.index,
    commit: m.commit,
    vote: "0",
    reject: m.reject,
    rejectHint: m.rejectHint,
  };
}

/** The event's name for a message sent or received; undefined for those the model does not know. */
export function traceNameOf(verb: "Send" | "Receive", { type }: Message): TraceName | undefined {
  switch (type) {
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      return `${verb}AppendEntriesRequest`;
    case "MsgAppResp":
    case "MsgHeartbeatResp":
      return `${verb}AppendEntriesResponse`;
    case "MsgVote":
      return `${verb}RequestVoteRequest`;
    case "MsgVoteResp":
      return `${verb}RequestVoteResponse`;
    default:
      return undefined;
  }
}

const actions: Partial<Record<ConfChangeType, string>> = {
  ConfChangeAddNode: "AddNewServer",
  ConfChangeRemoveNode: "RemoveServer",
  ConfChangeAddLearnerNode: "AddLearner",
};

/** What is proposed; undefined if it changes nobody's place. */
export function traceProposedChange(change: ConfChangeV2): Property {
  const changes = change.changes.flatMap(({ type, nodeId }) => {
    const action = actions[type];
    return action === undefined ? [] : [{ nid: String(nodeId), action }];
  });
  return changes.length === 0 ? undefined : { cc: { changes } satisfies TraceConfChange };
}

/** What the configuration is about to become. */
export function traceNewConfiguration({ incoming }: Configuration): Property {
  const cc: TraceConfChange = incoming.length === 0 ? {} : { newconf: texts(incoming) };
  return { cc };
}
