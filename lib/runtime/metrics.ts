/**
 * Metrics and log lines: what a running node tells those who watch it, through two small interfaces.
 *
 * Names are hashicorp/raft's where they mean the same, with underscores for dots and the unit last, as Prometheus has them.
 * `prometheus` fits prom-client to `Metrics`; pino is a `Logger` as it is.
 */
export interface Metrics {
  /** Adds to a counter. */
  count(name: MetricName, by?: number): void;
  gauge(name: MetricName, value: number): void;
  /** One sample of a histogram. */
  observe(name: MetricName, value: number): void;
}

export type MetricKind = "counter" | "gauge" | "histogram";

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
  | "raft_transition_leader_lost_total"
  | "raft_messages_sent_total"
  | "raft_messages_dropped_total"
  | "raft_messages_received_total"
  | "raft_frames_refused_total"
  | "raft_snapshots_sent_total"
  | "raft_snapshots_failed_total"
  | "raft_peers"
  | "raft_term"
  | "raft_commit_index"
  | "raft_applied_index"
  | "raft_last_index"
  | "raft_fsm_pending"
  | "raft_is_leader"
  | "raft_commit_time_seconds"
  | "raft_read_time_seconds"
  | "raft_store_logs_seconds"
  | "raft_store_logs_entries"
  | "raft_snapshot_take_seconds";

/** Every metric, with what it means. Durations are seconds. */
export const metricHelp: Readonly<Record<MetricName, readonly [MetricKind, string]>> = {
  raft_apply_total: ["counter", "Commands proposed here or forwarded from here"],
  raft_apply_failed_total: ["counter", "Commands that ended with an error"],
  raft_barrier_total: ["counter", "Barriers"],
  raft_verify_leader_total: ["counter", "verifyLeader calls"],
  raft_restore_total: ["counter", "External backups restored"],
  raft_reads_total: ["counter", "Linearizable reads"],
  raft_state_follower_total: ["counter", "Times this node became follower"],
  raft_state_candidate_total: ["counter", "Times this node became candidate"],
  raft_state_leader_total: ["counter", "Times this node became leader"],
  raft_transition_leader_lost_total: ["counter", "Times leadership was lost"],
  raft_messages_sent_total: ["counter", "Raft messages handed to the transport"],
  raft_messages_dropped_total: ["counter", "Raft messages the transport did not take"],
  raft_messages_received_total: ["counter", "Raft messages received"],
  raft_frames_refused_total: ["counter", "Frames or messages that were refused"],
  raft_snapshots_sent_total: ["counter", "Snapshots a follower has received from here"],
  raft_snapshots_failed_total: ["counter", "Snapshots that could not be sent to the end"],
  raft_peers: ["gauge", "Members of the configuration"],
  raft_term: ["gauge", "Current term"],
  raft_commit_index: ["gauge", "Commit index"],
  raft_applied_index: ["gauge", "Last index applied to the machine"],
  raft_last_index: ["gauge", "Last index of the log"],
  raft_fsm_pending: ["gauge", "Committed entries that wait to be applied"],
  raft_is_leader: ["gauge", "1 while this node leads"],
  raft_commit_time_seconds: ["histogram", "From proposal to applied here"],
  raft_read_time_seconds: ["histogram", "Linearizable reads, from call to confirmation"],
  raft_store_logs_seconds: ["histogram", "One durable write"],
  raft_store_logs_entries: ["histogram", "Entries in one durable write"],
  raft_snapshot_take_seconds: ["histogram", "Taking a snapshot, writing it and cutting the log"],
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
  const optionsOf = (name: MetricName): PromOptions => ({
    name,
    help: metricHelp[name][1],
    labelNames: Object.keys(labels),
    ...registers,
  });
  const counters = made("counter", (name) => new client.Counter(optionsOf(name)));
  const gauges = made("gauge", (name) => new client.Gauge(optionsOf(name)));
  const histograms = made("histogram", (name) => new client.Histogram(optionsOf(name)));
  return {
    count: (name, by = 1) => counters.get(name)?.inc(labels, by),
    gauge: (name, value) => gauges.get(name)?.set(labels, value),
    observe: (name, value) => histograms.get(name)?.observe(labels, value),
  };
}

function made<T>(kind: MetricKind, make: (name: MetricName) => T): ReadonlyMap<MetricName, T> {
  const names = (Object.keys(metricHelp) as MetricName[]).filter(
    (name) => metricHelp[name][0] === kind,
  );
  return new Map(names.map((name) => [name, make(name)]));
}
