/**
 * Measures: a node's metrics, put together from what its parts tell: calls of its machine and store, turns of its loop, roles, messages.
 *
 * A node that was given no metrics measures nothing: no clock is read for it and no timer set.
 */
import type { Cancel, Clock } from "../base/clock.js";
import type { Index, NodeId, Role, Term } from "../core/types.js";
import type { OpenedStore, SnapshotStore } from "../storage/storage.js";
import type { BareNode, BareNodeEvents } from "./bare-node.js";
import type { Contacts } from "./contacts.js";
import { type MachineCall, measuredMachine, measuredStore } from "./measured.js";
import { isVoter } from "./members.js";
import { type MetricName, type Metrics, noMetrics } from "./metrics.js";
import { type NodeStatus, publishGauges } from "./node-status.js";
import { RpcTimes } from "./rpc-times.js";
import type { StateMachine } from "./state-machine.js";

/** How often gauges are set. */
const publishMs = 1000;
/** A leader's writes whose commit is awaited; the eldest beyond it is forgotten. */
const writesMax = 1024;

const callNames: Readonly<Record<MachineCall, MetricName>> = {
  apply: "raft_fsm_apply_seconds",
  applyBatch: "raft_fsm_apply_batch_seconds",
  applyConfChange: "raft_fsm_store_config_seconds",
  snapshot: "raft_fsm_snapshot_seconds",
  restore: "raft_fsm_restore_seconds",
  restoreFrom: "raft_fsm_restore_seconds",
};

export class Measures {
  /** Undefined where nobody is told. */
  readonly rpc: RpcTimes | undefined;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #contacts: Pick<Contacts, "sinceHeard">;
  readonly #status: () => NodeStatus;
  #leads = false;
  #publishing: Cancel = () => {};
  #publishedAt = 0;
  #loopMs = 0;
  #machineMs = 0;
  /** The last one's. */
  #restoreMs: number | undefined;
  /** Of this turn alone. */
  #turnMachineMs = 0;
  #commit: Index = 0;
  #leaderTerm: Term = 0;
  #writes: { readonly last: Index; readonly at: number }[] = [];
  #receivingAt: number | undefined;
  readonly #sendingAt = new Map<NodeId, number>();

  constructor(
    { clock, metrics }: { readonly clock: Clock; readonly metrics: Metrics },
    contacts: Pick<Contacts, "sinceHeard">,
    status: () => NodeStatus,
  ) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#contacts = contacts;
    this.#status = status;
    this.rpc = this.on ? new RpcTimes(clock, metrics) : undefined;
  }

  get on(): boolean {
    return this.#metrics !== noMetrics;
  }

  /** Gauges are set from now on. */
  start(): void {
    if (!this.on) return;
    this.#publishedAt = this.#clock.now();
    this.#publishing = this.#clock.every(publishMs, () => this.#publish());
  }

  close(): void {
    this.#publishing();
  }

  machine<M extends StateMachine<unknown>>(machine: M): M {
    if (!this.on) return machine;
    return measuredMachine(machine, this.#clock, (call, ms, count) => {
      this.#machineMs += ms;
      this.#turnMachineMs += ms;
      this.#seconds(callNames[call], ms);
      const metrics = this.#metrics;
      if (call === "applyBatch") metrics.observe("raft_fsm_apply_batch_num", count);
      if (call === "restore" || call === "restoreFrom") this.#restoreMs = ms;
    });
  }

  /** The store of the node's own log and snapshots. */
  store(store: OpenedStore): OpenedStore {
    if (!this.on) return store;
    return measuredStore(store, this.#clock, {
      appending: (last) => this.#appending(last),
      created: (ms) => this.#seconds("raft_snapshot_create_seconds", ms),
      persisted: (ms) => this.#seconds("raft_snapshot_persist_seconds", ms),
      compacted: (ms) => this.#seconds("raft_compact_logs_seconds", ms),
    });
  }

  /** Where snapshots from others are put. */
  arrivals(snapshots: SnapshotStore): SnapshotStore {
    return {
      write: (metadata) => {
        this.#receivingAt = this.#clock.now();
        return snapshots.write(metadata);
      },
      read: (metadata) => snapshots.read(metadata),
      list: () => snapshots.list(),
      drop: (metadata) => snapshots.drop(metadata),
    };
  }

  /** The machine has become what a leader's snapshot says. */
  restored(): void {
    if (this.#receivingAt !== undefined) {
      this.#since("raft_rpc_install_snapshot_seconds", this.#receivingAt);
    }
    this.#receivingAt = undefined;
  }

  sending(to: NodeId): void {
    this.#sendingAt.set(to, this.#clock.now());
  }

  sendingEnded(to: NodeId, arrived: boolean): void {
    const metrics = this.#metrics;
    metrics.count(arrived ? "raft_snapshots_sent_total" : "raft_snapshots_failed_total");
    const at = this.#sendingAt.get(to);
    this.#sendingAt.delete(to);
    if (at === undefined || !arrived) return;
    this.#since("raft_replication_install_snapshot_seconds", at, { peer_id: String(to) });
  }

  /** What the loop tells. */
  events(): Pick<BareNodeEvents<unknown>, "stored" | "turned"> {
    if (!this.on) return {};
    return {
      stored: (entries, ms) => this.#stored(entries, ms),
      turned: (ms) => {
        this.#loopMs += ms;
        this.#turnMachineMs = 0;
      },
    };
  }

  snapshotTaken(ms: number): void {
    this.#seconds("raft_snapshot_take_snapshot_seconds", ms);
  }

  #stored(entries: number, ms: number): void {
    const metrics = this.#metrics;
    this.#seconds("raft_store_logs_seconds", ms);
    metrics.observe("raft_store_logs_entries", entries);
    if (entries === 0) return;
    if (this.#leads) {
      this.#seconds("raft_leader_dispatch_log_seconds", ms);
      metrics.gauge("raft_leader_dispatch_num_logs", entries);
    } else this.#seconds("raft_rpc_append_entries_store_logs_seconds", ms);
  }

  role(
    before: Role,
    role: Role,
    node: Pick<BareNode<unknown>, "id" | "status" | "confState">,
  ): void {
    const metrics = this.#metrics;
    const { term } = node.status();
    this.#leads = role === "leader";
    if (role === "leader") {
      this.#leaderTerm = term;
      this.#writes = [];
      metrics.count("raft_state_leader_total");
    } else if (role === "follower") metrics.count("raft_state_follower_total");
    else metrics.count("raft_state_candidate_total");
    if (role === "candidate") this.rpc?.campaigns();
    if (before === "follower" && role === "preCandidate") {
      metrics.count("raft_transition_heartbeat_timeout_total");
    }
    if (before !== "leader") return;
    metrics.count("raft_transition_leader_lost_total");
    // Nobody of a later term was heard, and nobody took its vote: it missed its quorum.
    if (term === this.#leaderTerm && isVoter(node.confState, node.id)) {
      metrics.count("raft_transition_leader_lease_timeout_total");
    }
  }

  /** Commit or applied have moved in this turn. */
  progressed(commit: Index): void {
    if (!this.on || commit === this.#commit) return;
    if (this.#commit > 0) this.#metrics.gauge("raft_commit_num_logs", commit - this.#commit);
    this.#commit = commit;
    const clock = this.#clock;
    for (let first = this.#writes[0]; first !== undefined && first.last <= commit; ) {
      this.#seconds("raft_commit_time_seconds", clock.now() - first.at - this.#turnMachineMs);
      this.#writes.shift();
      first = this.#writes[0];
    }
  }

  #appending(last: Index): void {
    if (!this.#leads) return;
    this.#writes.push({ last, at: this.#clock.now() });
    if (this.#writes.length > writesMax) this.#writes.shift();
  }

  #publish(): void {
    const metrics = this.#metrics;
    const clock = this.#clock;
    const now = this.#status();
    publishGauges(metrics, now);
    if (this.#restoreMs !== undefined) {
      metrics.gauge("raft_fsm_last_restore_duration_seconds", this.#restoreMs / 1000);
    }
    const passed = clock.now() - this.#publishedAt;
    this.#publishedAt = clock.now();
    if (passed > 0) {
      metrics.observe("raft_thread_main_saturation", Math.min(1, this.#loopMs / passed));
      metrics.observe("raft_thread_fsm_saturation", Math.min(1, this.#machineMs / passed));
    }
    this.#loopMs = 0;
    this.#machineMs = 0;
    if (!this.#leads) return;
    for (const voter of now.configuration.confState.voters) {
      const ms = voter === now.id ? undefined : this.#contacts.sinceHeard(voter);
      if (ms !== undefined) this.#seconds("raft_leader_last_contact_seconds", ms);
    }
  }

  #since(name: MetricName, at: number, labels?: { readonly peer_id: string }): void {
    this.#metrics.observe(name, (this.#clock.now() - at) / 1000, labels);
  }

  #seconds(name: MetricName, ms: number): void {
    this.#metrics.observe(name, ms / 1000);
  }
}
