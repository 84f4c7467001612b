/**
 * Metrics and log lines: what a running node tells those who watch it, through two small interfaces.
 *
 * Names are hashicorp/raft's where they mean the same, in lower case with underscores, `_total` behind counters and the unit behind times:
 * raft.leader.lastContact is raft_leader_last_contact_seconds. Which of its metrics have no counterpart, and why, is in docs/METRICS.md.
 * `prometheus` fits prom-client to `Metrics`; pino is a `Logger` as it is.
 */
export interface Metrics {
  /** Adds to a counter. */
  count(name: MetricName, by?: number, labels?: MetricLabels): void;
  gauge(name: MetricName, value: number, labels?: MetricLabels): void;
  /** One sample of a histogram. */
  observe(name: MetricName, value: number, labels?: MetricLabels): void;
}

/** What a sample is about, where a metric is kept for each (`metricTable[name].label`). */
export interface MetricLabels {
  /** NodeId of the other node. */
  readonly peer_id?: string;
  /** "raft", "request" or "transfer". */
  readonly rpc_type?: string;
}

export interface Metric {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Upper bounds for a histogram: seconds, a number of things, or a part of one. */
  readonly buckets: readonly number[];
  readonly label: keyof MetricLabels | undefined;
}

const seconds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  60,
];
const things = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];
const parts = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1];

const counter = (help: string, label?: keyof MetricLabels): Metric => ({
  kind: "counter",
  help,
  buckets: [],
  label,
});
const gauge = (help: string): Metric => ({ kind: "gauge", help, buckets: [], label: undefined });
const histogram = (
  buckets: readonly number[],
  help: string,
  label?: keyof MetricLabels,
): Metric => ({ kind: "histogram", help, buckets, label });

export type MetricName =
  | "raft_apply_total"
  | "raft_apply_failed_total"
  | "raft_barrier_total"
  | "raft_verify_leader_total"
  | "raft_restore_total"
  | "raft_reads_total"
  | "raft_state_follower_total"
  | "raft_state_candidate_total"
  | "raft_state_leader_total"
  | "raft_transition_heartbeat_timeout_total"
  | "raft_transition_leader_lease_timeout_total"
  | "raft_transition_leader_lost_total"
  | "raft_replication_append_entries_logs_total"
  | "raft_messages_sent_total"
  | "raft_messages_dropped_total"
  | "raft_messages_received_total"
  | "raft_frames_refused_total"
  | "raft_snapshots_sent_total"
  | "raft_snapshots_failed_total"
  | "raft_peers"
  | "raft_term"
  | "raft_commit_index"
  | "raft_commit_num_logs"
  | "raft_applied_index"
  | "raft_last_index"
  | "raft_fsm_pending"
  | "raft_fsm_last_restore_duration_seconds"
  | "raft_is_leader"
  | "raft_leader_dispatch_num_logs"
  | "raft_leader_last_contact_seconds"
  | "raft_fsm_apply_batch_num"
  | "raft_thread_main_saturation"
  | "raft_thread_fsm_saturation"
  | "raft_commit_time_seconds"
  | "raft_apply_time_seconds"
  | "raft_read_time_seconds"
  | "raft_leader_dispatch_log_seconds"
  | "raft_store_logs_seconds"
  | "raft_store_logs_entries"
  | "raft_fsm_apply_seconds"
  | "raft_fsm_apply_batch_seconds"
  | "raft_fsm_store_config_seconds"
  | "raft_fsm_snapshot_seconds"
  | "raft_fsm_restore_seconds"
  | "raft_snapshot_create_seconds"
  | "raft_snapshot_persist_seconds"
  | "raft_snapshot_take_snapshot_seconds"
  | "raft_compact_logs_seconds"
  | "raft_restore_user_snapshot_seconds"
  | "raft_candidate_elect_self_seconds"
  | "raft_rpc_append_entries_seconds"
  | "raft_rpc_append_entries_store_logs_seconds"
  | "raft_rpc_request_vote_seconds"
  | "raft_rpc_request_pre_vote_seconds"
  | "raft_rpc_install_snapshot_seconds"
  | "raft_rpc_process_heartbeat_seconds"
  | "raft_replication_heartbeat_seconds"
  | "raft_replication_append_entries_rpc_seconds"
  | "raft_replication_install_snapshot_seconds"
  | "raft_net_rpc_decode_seconds";

/** Every metric, with what it means. */
export const metricTable: Readonly<Record<MetricName, Metric>> = {
  raft_apply_total: counter("Commands proposed here or forwarded from here"),
  raft_apply_failed_total: counter("Commands that ended with an error"),
  raft_barrier_total: counter("Barriers"),
  raft_verify_leader_total: counter("verifyLeader calls"),
  raft_restore_total: counter("External backups restored"),
  raft_reads_total: counter("Linearizable reads"),
  raft_state_follower_total: counter("Times this node became follower"),
  raft_state_candidate_total: counter("Times this node became candidate"),
  raft_state_leader_total: counter("Times this node became leader"),
  raft_transition_heartbeat_timeout_total: counter("Elections begun because no leader was heard"),
  raft_transition_leader_lease_timeout_total: counter(
    "Times a leader stepped down without a quorum",
  ),
  raft_transition_leader_lost_total: counter("Times leadership was lost, for whatever cause"),
  raft_replication_append_entries_logs_total: counter("Entries sent to the peer", "peer_id"),
  raft_messages_sent_total: counter("Raft messages handed to the transport"),
  raft_messages_dropped_total: counter("Raft messages the transport did not take"),
  raft_messages_received_total: counter("Raft messages received"),
  raft_frames_refused_total: counter("Frames or messages that were refused"),
  raft_snapshots_sent_total: counter("Snapshots a follower has received from here"),
  raft_snapshots_failed_total: counter("Snapshots that could not be sent to the end"),

  raft_peers: gauge("Members of the configuration"),
  raft_term: gauge("Current term"),
  raft_commit_index: gauge("Commit index"),
  raft_commit_num_logs: gauge("Entries by which the commit index moved last"),
  raft_applied_index: gauge("Last index applied to the machine"),
  raft_last_index: gauge("Last index of the log"),
  raft_fsm_pending: gauge("Committed entries that wait to be applied"),
  raft_fsm_last_restore_duration_seconds: gauge("The machine's last restore from a snapshot"),
  raft_is_leader: gauge("1 while this node leads"),
  raft_leader_dispatch_num_logs: gauge("Entries in the leader's last durable write"),

  raft_leader_last_contact_seconds: histogram(
    seconds,
    "Since each voter was heard, as a leader sees it every second",
  ),
  raft_fsm_apply_batch_num: histogram(things, "Commands in one call of the machine's applyBatch"),
  raft_thread_main_saturation: histogram(
    parts,
    "Part of each second that the node's loop was busy, the machine included",
  ),
  raft_thread_fsm_saturation: histogram(parts, "Part of each second that the machine was busy"),
  raft_commit_time_seconds: histogram(
    seconds,
    "At a leader: from beginning to write entries to their commit",
  ),
  raft_apply_time_seconds: histogram(seconds, "From proposal to applied here"),
  raft_read_time_seconds: histogram(seconds, "Linearizable reads, from call to confirmation"),
  raft_leader_dispatch_log_seconds: histogram(seconds, "One durable write at a leader"),
  raft_store_logs_seconds: histogram(seconds, "One durable write"),
  raft_store_logs_entries: histogram(things, "Entries in one durable write"),
  raft_fsm_apply_seconds: histogram(seconds, "One call of the machine's apply"),
  raft_fsm_apply_batch_seconds: histogram(seconds, "One call of the machine's applyBatch"),
  raft_fsm_store_config_seconds: histogram(
    seconds,
    "The machine takes in a change of the configuration",
  ),
  raft_fsm_snapshot_seconds: histogram(
    seconds,
    "The machine begins a snapshot; nothing else happens meanwhile",
  ),
  raft_fsm_restore_seconds: histogram(seconds, "The machine is restored from a snapshot"),
  raft_snapshot_create_seconds: histogram(seconds, "The store begins a snapshot's body"),
  raft_snapshot_persist_seconds: histogram(
    seconds,
    "A snapshot's body is written and made durable",
  ),
  raft_snapshot_take_snapshot_seconds: histogram(
    seconds,
    "Taking a snapshot, writing it and cutting the log",
  ),
  raft_compact_logs_seconds: histogram(seconds, "Cutting the log behind a snapshot"),
  raft_restore_user_snapshot_seconds: histogram(
    seconds,
    "Restoring an external backup, at the node that was asked",
  ),
  raft_candidate_elect_self_seconds: histogram(
    seconds,
    "From candidate to the first request for a vote: our own vote is durable",
  ),
  raft_rpc_append_entries_seconds: histogram(
    seconds,
    "From receiving entries to saying that they are stored",
  ),
  raft_rpc_append_entries_store_logs_seconds: histogram(
    seconds,
    "One durable write at who does not lead",
  ),
  raft_rpc_request_vote_seconds: histogram(seconds, "From a request for a vote to its answer"),
  raft_rpc_request_pre_vote_seconds: histogram(
    seconds,
    "From a request for a pre-vote to its answer",
  ),
  raft_rpc_install_snapshot_seconds: histogram(
    seconds,
    "From a snapshot's first offer to the machine restored from it",
  ),
  raft_rpc_process_heartbeat_seconds: histogram(seconds, "From a heartbeat to its answer"),
  raft_replication_heartbeat_seconds: histogram(
    seconds,
    "From a heartbeat to the peer's answer",
    "peer_id",
  ),
  raft_replication_append_entries_rpc_seconds: histogram(
    seconds,
    "From sending entries to the peer's word that they are stored",
    "peer_id",
  ),
  raft_replication_install_snapshot_seconds: histogram(
    seconds,
    "Sending a snapshot to the peer",
    "peer_id",
  ),
  raft_net_rpc_decode_seconds: histogram(seconds, "Decoding one frame", "rpc_type"),
};

export const noMetrics: Metrics = { count() {}, gauge() {}, observe() {} };

/** Structured log lines: fields, then the sentence. A pino logger is one. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const noLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** What is used of the package prom-client. */
export interface PromClient {
  readonly Counter: new (options: PromOptions) => { inc(labels: object, by: number): void };
  readonly Gauge: new (options: PromOptions) => { set(labels: object, value: number): void };
  readonly Histogram: new (
    options: PromOptions,
  ) => { observe(labels: object, value: number): void };
}

interface PromOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: string[];
  readonly buckets?: number[];
  // biome-ignore lint/suspicious/noExplicitAny: a Registry of prom-client, which is not imported here.
  readonly registers?: any[];
}

/**
 * Metrics for Prometheus: `prometheus(await import("prom-client"), { registry, labels: { node: "3" } })`. One call per registry serves
 * every node of the process that has the same label names.
 */
export function prometheus(
  client: PromClient,
  options: { readonly registry?: unknown; readonly labels?: Readonly<Record<string, string>> } = {},
): Metrics {
  const labels = options.labels ?? {};
  const registers = options.registry === undefined ? {} : { registers: [options.registry] };
  const made = <T>(kind: Metric["kind"], make: (options: PromOptions) => T): Map<string, T> => {
    const found = new Map<string, T>();
    for (const [name, { help, label, buckets, ...metric }] of Object.entries<Metric>(metricTable)) {
      if (metric.kind !== kind) continue;
      const labelNames = [...Object.keys(labels), ...(label === undefined ? [] : [label])];
      const bounds = kind === "histogram" ? { buckets: [...buckets] } : {};
      found.set(name, make({ name, help, labelNames, ...bounds, ...registers }));
    }
    return found;
  };
  const counters = made("counter", (given) => new client.Counter(given));
  const gauges = made("gauge", (given) => new client.Gauge(given));
  const histograms = made("histogram", (given) => new client.Histogram(given));
  return {
    count: (name, by = 1, more) => counters.get(name)?.inc({ ...labels, ...more }, by),
    gauge: (name, value, more) => gauges.get(name)?.set({ ...labels, ...more }, value),
    observe: (name, value, more) => histograms.get(name)?.observe({ ...labels, ...more }, value),
  };
}
