/**
 * Tracker: every peer's progress, the votes of the election under way, and the active configuration.
 *
 * Dissertation §3.4 (votes), §3.6.2 (commitment); compare etcd/raft tracker/tracker.go.
 * Not here: changing the configuration (confchange.ts), acting on what is counted (election.ts, replication.ts).
 */
import {
  ascending,
  type Configuration,
  emptyConfiguration,
  type Membership,
} from "./confchange.js";
import type { Progress } from "./progress.js";
import {
  type Acknowledged,
  jointCommittedIndex,
  jointGroupCommittedIndex,
  jointVoteResult,
  type VoteResult,
} from "./quorum.js";
import type { Index, NodeId } from "./types.js";

/** A peer and what is known of it. */
export interface Peer {
  readonly id: NodeId;
  readonly progress: Progress;
}

const fewPeers = 8;

export class Tracker implements Membership {
  configuration: Configuration = emptyConfiguration;
  progress: ReadonlyMap<NodeId, Progress> = new Map();
  /** All members, ascending by id: whatever is sent to everybody goes out in this order. */
  peers: readonly Peer[] = [];
  readonly votes: Map<NodeId, boolean> = new Map();
  /** Voters of either half, ascending. */
  voters: readonly NodeId[] = [];
  groupCommit: boolean;

  readonly #match: Acknowledged = (id) => this.find(id)?.match ?? 0;
  readonly #group = (id: NodeId): number => this.find(id)?.commitGroup ?? 0;

  constructor(groupCommit: boolean) {
    this.groupCommit = groupCommit;
  }

  install({ configuration, progress }: Membership): void {
    this.configuration = configuration;
    this.progress = progress;
    this.peers = ascending(progress.keys()).map((id) => ({
      id,
      progress: progress.get(id) as Progress,
    }));
    this.voters = ascending(new Set([...configuration.incoming, ...configuration.outgoing]));
  }

  /** What is known of `id`; undefined for a stranger. Among few, looking at each is faster than a map. */
  find(id: NodeId): Progress | undefined {
    const { peers } = this;
    if (peers.length > fewPeers) return this.progress.get(id);
    for (let at = 0; at < peers.length; at++) {
      const peer = peers[at] as Peer;
      if (peer.id === id) return peer.progress;
    }
    return undefined;
  }

  isVoter(id: NodeId): boolean {
    return this.voters.includes(id);
  }

  /** True if `id` alone is a quorum. */
  isSoleVoter(id: NodeId): boolean {
    return this.voters.length === 1 && this.voters[0] === id;
  }

  /** What the configuration's majorities have acknowledged. */
  quorumOf(acknowledged: Acknowledged): number {
    const { incoming, outgoing } = this.configuration;
    return jointCommittedIndex(incoming, outgoing, acknowledged);
  }

  /** The highest index that is durable on a quorum (and in two groups, where that is asked for). */
  committedIndex(): Index {
    if (!this.groupCommit) return this.quorumOf(this.#match);
    const { incoming, outgoing } = this.configuration;
    return jointGroupCommittedIndex(incoming, outgoing, this.#match, this.#group).index;
  }

  /** True if the commit index is at present spread over two groups. */
  get groupsConsistent(): boolean {
    const { incoming, outgoing } = this.configuration;
    return jointGroupCommittedIndex(incoming, outgoing, this.#match, this.#group).spread;
  }

  /** True if a quorum, ourselves included, was heard from since the flags were last cleared. */
  quorumActive(self: NodeId): boolean {
    const active = new Map<NodeId, boolean>();
    for (const { id, progress } of this.peers) active.set(id, id === self || progress.recentActive);
    return this.#result(active) === "won";
  }

  /** Counts a vote; only the first of each voter counts. */
  recordVote(id: NodeId, granted: boolean): void {
    if (!this.votes.has(id)) this.votes.set(id, granted);
  }

  tally(): { readonly granted: number; readonly rejected: number; readonly result: VoteResult } {
    let granted = 0;
    let rejected = 0;
    for (const { id, progress } of this.peers) {
      const vote = progress.isLearner ? undefined : this.votes.get(id);
      if (vote === undefined) continue;
      if (vote) granted++;
      else rejected++;
    }
    return { granted, rejected, result: this.#result(this.votes) };
  }

  #result(votes: ReadonlyMap<NodeId, boolean>): VoteResult {
    return jointVoteResult(this.configuration.incoming, this.configuration.outgoing, votes);
  }
}
