/** Status of a running node, as plain copies; and the same as hashicorp/raft's Stats has it, for dashboards that know those names. */
import type { PeerStatus } from "../core/raw-node.js";
import type { Index, NodeId, Role, SnapshotMetadata, Term } from "../core/types.js";
import type { BareNode } from "./bare-node.js";
import type { MemberedMachine } from "./membered-machine.js";
import { bodyVersion, type Configuration, memberIds } from "./members.js";
import type { Metrics } from "./metrics.js";

export interface NodeStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  /** 0: none is known. */
  readonly leader: NodeId;
  readonly leaderAddress: string | undefined;
  readonly commit: Index;
  /** In the machine. */
  readonly applied: Index;
  readonly lastIndex: Index;
  readonly lastTerm: Term;
  /** Bytes of the log in memory; at most `snapshotPolicy.logBytesMax`. */
  readonly logBytes: number;
  /** Committed entries that wait to be applied. */
  readonly backlog: number;
  readonly configuration: Configuration;
  /** The machine version that is active, and the highest that this node's code can be. */
  readonly machineVersion: number;
  readonly machineSupports: number;
  /** Milliseconds that leaders have led, as of the last command applied here. */
  readonly logTime: number;
  readonly snapshot: SnapshotMetadata | undefined;
  /** Milliseconds since the leader was heard; 0 on a leader, undefined where none ever was. */
  readonly lastContactMs: number | undefined;
  /** What a leader knows of each member; empty on others. */
  readonly peers: ReadonlyMap<NodeId, PeerStatus>;
  readonly proposals: number;
  readonly reads: number;
  readonly forwarded: number;
  readonly sendingSnapshots: number;
  /** Frames and messages that were refused: malformed, foreign, in another's name. */
  readonly refused: number;
  readonly halted: boolean;
}

/** The part of a status that the node itself and its machine know. */
export function statusOfNode(
  bare: BareNode<unknown>,
  machine: MemberedMachine<unknown>,
  leaderHeardMs: number | undefined,
): Omit<
  NodeStatus,
  "configuration" | "proposals" | "reads" | "forwarded" | "sendingSnapshots" | "refused" | "halted"
> {
  const { id, role, term, leader, commit, lastIndex, logBytes, peers } = bare.fullStatus();
  return {
    id,
    role,
    term,
    leader,
    leaderAddress: machine.addresses.get(leader),
    commit,
    applied: bare.applied,
    lastIndex,
    lastTerm: bare.lastTerm,
    logBytes,
    backlog: bare.backlog,
    machineVersion: machine.version,
    machineSupports: machine.supports,
    logTime: machine.times.logTime,
    snapshot: bare.snapshots.latest,
    lastContactMs: role === "leader" ? 0 : leaderHeardMs,
    peers,
  };
}

/** hashicorp/raft's Stats: its names, its texts. Its protocol version is the machine version here: what all members must understand. */
export function statsOf(status: NodeStatus): Readonly<Record<string, string>> {
  const { configuration, snapshot, lastContactMs, role } = status;
  const { confState, addresses, index } = configuration;
  const peers = [...memberIds(confState)];
  const voters = new Set([...confState.voters, ...confState.votersOutgoing]);
  const servers = peers.map((id) => {
    const suffrage = voters.has(id) ? "Voter" : "Nonvoter";
    return `{Suffrage:${suffrage} ID:${id} Address:${addresses.get(id) ?? ""}}`;
  });
  return {
    state: {
      follower: "Follower",
      preCandidate: "Candidate",
      candidate: "Candidate",
      leader: "Leader",
    }[role],
    term: String(status.term),
    last_log_index: String(status.lastIndex),
    last_log_term: String(status.lastTerm),
    commit_index: String(status.commit),
    applied_index: String(status.applied),
    fsm_pending: String(status.backlog),
    last_snapshot_index: String(snapshot?.index ?? 0),
    last_snapshot_term: String(snapshot?.term ?? 0),
    protocol_version: String(status.machineVersion),
    protocol_version_min: "1",
    protocol_version_max: String(status.machineSupports),
    snapshot_version_min: String(bodyVersion),
    snapshot_version_max: String(bodyVersion),
    latest_configuration_index: String(index),
    latest_configuration: `[${servers.join(" ")}]`,
    num_peers: String(peers.filter((id) => id !== status.id && voters.has(id)).length),
    last_contact:
      lastContactMs === undefined ? "never" : lastContactMs === 0 ? "0" : `${lastContactMs}ms`,
  };
}

export function publishGauges(metrics: Metrics, status: NodeStatus): void {
  metrics.gauge("raft_peers", memberIds(status.configuration.confState).size);
  metrics.gauge("raft_term", status.term);
  metrics.gauge("raft_commit_index", status.commit);
  metrics.gauge("raft_applied_index", status.applied);
  metrics.gauge("raft_last_index", status.lastIndex);
  metrics.gauge("raft_fsm_pending", status.backlog);
  metrics.gauge("raft_is_leader", status.role === "leader" ? 1 : 0);
}
