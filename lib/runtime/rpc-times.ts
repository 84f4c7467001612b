/**
 * RPC times: how long it takes from a message to its answer, at both ends, under hashicorp/raft's names.
 *
 * Messages here are not calls: one answer may settle several appends, and what is lost is never answered. So the sender keeps the last of
 * each kind per peer, appends by their last index, and forgets what a bound or a new leader overtakes.
 */
import type { Clock } from "../base/clock.js";
import type { Index, Message, MessageType, NodeId } from "../core/types.js";
import type { MetricName, Metrics } from "./metrics.js";

/** Appends of one peer whose answer is open; the eldest beyond it is forgotten. */
const openMax = 1024;

interface Open {
  readonly index: Index;
  readonly at: number;
}

/** What one peer was sent, or sent us, and is not answered. */
interface Exchange {
  readonly last: Map<MessageType, number>;
  appends: Open[];
}

/** Questions whose answers are timed where they were asked … */
const asked: Partial<Record<MessageType, readonly [MessageType, MetricName]>> = {
  MsgHeartbeatResp: ["MsgHeartbeat", "raft_replication_heartbeat_seconds"],
};
/** … and where they are answered. */
const served: Partial<Record<MessageType, readonly [MessageType, MetricName]>> = {
  MsgHeartbeatResp: ["MsgHeartbeat", "raft_rpc_process_heartbeat_seconds"],
  MsgVoteResp: ["MsgVote", "raft_rpc_request_vote_seconds"],
  MsgPreVoteResp: ["MsgPreVote", "raft_rpc_request_pre_vote_seconds"],
};

export class RpcTimes {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #out = new Map<NodeId, Exchange>();
  readonly #in = new Map<NodeId, Exchange>();
  #campaigning: number | undefined;

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** Only members are kept in mind. */
  keep(members: ReadonlySet<NodeId>): void {
    for (const exchanges of [this.#out, this.#in]) {
      for (const peer of exchanges.keys()) if (!members.has(peer)) exchanges.delete(peer);
    }
  }

  /** This node has become candidate: its vote for itself is being written. */
  campaigns(): void {
    this.#campaigning = this.#clock.now();
  }

  /** Decodes a frame's body; what it throws is passed on. */
  decoding<T>(rpcType: string, body: Uint8Array, decode: (body: Uint8Array) => T): T {
    const from = this.#clock.now();
    const decoded = decode(body);
    const labels = { rpc_type: rpcType };
    this.#metrics.observe("raft_net_rpc_decode_seconds", (this.#clock.now() - from) / 1000, labels);
    return decoded;
  }

  /** `message` is about to be handed to the transport. */
  sent(message: Message): void {
    const { type, to, entries } = message;
    this.#begin(this.#out, to, message);
    this.#answer(this.#in, to, message, served, "raft_rpc_append_entries_seconds");
    if (type === "MsgApp" && entries.length > 0) {
      const labels = { peer_id: String(to) };
      this.#metrics.count("raft_replication_append_entries_logs_total", entries.length, labels);
    }
    if (type === "MsgVote" && this.#campaigning !== undefined) {
      this.#observe("raft_candidate_elect_self_seconds", this.#campaigning);
      this.#campaigning = undefined;
    }
  }

  /** Before the core sees `message`. */
  received(from: NodeId, message: Message): void {
    const labels = { peer_id: String(from) };
    this.#answer(this.#out, from, message, asked, appendRpc, labels);
    this.#begin(this.#in, from, message);
  }

  #begin(exchanges: Map<NodeId, Exchange>, peer: NodeId, { type, index, entries }: Message): void {
    const exchange: Exchange = exchanges.get(peer) ?? { last: new Map(), appends: [] };
    exchanges.set(peer, exchange);
    const at = this.#clock.now();
    if (type !== "MsgApp") exchange.last.set(type, at);
    else if (entries.length > 0) {
      exchange.appends.push({ index: index + entries.length, at });
      if (exchange.appends.length > openMax) exchange.appends.shift();
    }
  }

  #answer(
    exchanges: Map<NodeId, Exchange>,
    peer: NodeId,
    { type, index, reject }: Message,
    answers: typeof asked,
    append: MetricName,
    labels?: { readonly peer_id: string },
  ): void {
    const exchange = exchanges.get(peer);
    if (exchange === undefined) return;
    if (type === "MsgAppResp") {
      // What is refused is sent anew.
      const settled = exchange.appends.filter((open) => !reject && open.index <= index);
      exchange.appends = exchange.appends.filter((open) => !reject && open.index > index);
      for (const { at } of settled) this.#observe(append, at, labels);
      return;
    }
    const [question, name] = answers[type] ?? [];
    const at = question === undefined ? undefined : exchange.last.get(question);
    if (question === undefined || name === undefined || at === undefined) return;
    exchange.last.delete(question);
    this.#observe(name, at, labels);
  }

  #observe(name: MetricName, from: number, labels?: { readonly peer_id: string }): void {
    this.#metrics.observe(name, (this.#clock.now() - from) / 1000, labels);
  }
}

const appendRpc = "raft_replication_append_entries_rpc_seconds";
