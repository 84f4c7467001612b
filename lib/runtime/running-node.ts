/**
 * RunningNode: what lies between a RaftNode's promises and the loop: each part is told what happens and asks the others.
 *
 * Not here: the public face and its checks (raft-node.ts).
 */

import { concatBytes } from "../base/bytes.js";
import { createEmitter, type Emitter } from "../base/emitter.js";
import { LogboomError, type Outcome } from "../base/errors.js";
import type { BasicStatus } from "../core/raw-node.js";
import { type NodeId, noNode, type SnapshotMetadata, type SoftState } from "../core/types.js";
import type { Loaded } from "../storage/storage.js";
import { Announcer } from "./announcer.js";
import { BareNode, type BareNodeOptions, sameTiming, type Timing } from "./bare-node.js";
import { Conditions } from "./conditions.js";
import { Contacts } from "./contacts.js";
import { foundCluster, isEmpty } from "./founding.js";
import { packFrame, requestFrame, transferFrame } from "./frames.js";
import { LogLines } from "./log-lines.js";
import { Measures } from "./measures.js";
import { carrierOf } from "./member-changes.js";
import { MemberedMachine } from "./membered-machine.js";
import { type Configuration, memberIds } from "./members.js";
import type { MetricName } from "./metrics.js";
import { memberEvents, type NodeEvent } from "./node-events.js";
import {
  type Bootstrap,
  bootstrapState,
  type CompleteOptions,
  type Reloadable,
} from "./node-options.js";
import { Requests } from "./node-requests.js";
import type { NodeStatus } from "./node-status.js";
import { Wire } from "./node-wire.js";
import { aborted } from "./proposals.js";
import { closed, halted } from "./refusals.js";
import { encodeRequestFrame, type RequestFrame } from "./requests.js";
import { StateChecks } from "./state-checks.js";
import { encodeTransferFrame } from "./transfer-frames.js";
import { Transfers } from "./transfers.js";

export class RunningNode<Result> {
  readonly requests: Requests<Result>;
  readonly checks: StateChecks;
  readonly #options: CompleteOptions<Result>;
  readonly #machine: MemberedMachine<Result>;
  readonly #events: Emitter<NodeEvent> = createEmitter<NodeEvent>();
  readonly #transfers: Transfers;
  readonly #contacts: Contacts;
  readonly #announcer: Announcer;
  readonly #wire: Wire<Result>;
  readonly #conditions = new Conditions();
  readonly #lines: LogLines;
  readonly #measures: Measures;
  #timing: Timing;
  #bare!: BareNode<Result>;
  #softState: SoftState = { role: "follower", leader: noNode };
  #members: ReadonlySet<NodeId> = new Set();
  #halt: LogboomError | undefined;
  #closing: Promise<void> | undefined;

  static async open<Result>(options: CompleteOptions<Result>): Promise<RunningNode<Result>> {
    const node = new RunningNode(options);
    try {
      let loaded = await options.store.storage.load();
      if (isEmpty(loaded) && options.bootstrap !== undefined) {
        loaded = await node.#found(options.bootstrap);
      }
      await node.#run(loaded);
    } catch (error) {
      node.#measures.close();
      node.#contacts.close();
      throw error;
    }
    options.transport.onPeer((event) => node.#wire.link(event));
    options.transport.onFrame((from, frame) => node.#wire.receive(from, frame));
    for (const peer of options.transport.peers()) node.#contacts.heard(peer);
    return node;
  }

  private constructor(options: CompleteOptions<Result>) {
    const { id, clock, transport, store, address } = options;
    this.#options = options;
    this.#timing = options.timing;
    const electionMs = (): number => this.#timing.tickMs * this.#timing.electionTicks;
    this.#machine = new MemberedMachine(options.machine);
    this.#lines = new LogLines(id, options.logger);
    this.#contacts = new Contacts(clock, electionMs, (event) => this.#emit(event));
    this.#measures = new Measures({
      metrics: options.metrics,
      clock,
      leads: () => this.#softState.role === "leader",
      status: () => this.status(),
      sinceHeard: (peer) => this.#contacts.sinceHeard(peer),
    });
    const tell = (to: NodeId, frame: RequestFrame): boolean =>
      transport.send(to, packFrame(requestFrame, encodeRequestFrame(frame)));
    this.requests = new Requests<Result>({
      options,
      machine: this.#machine,
      bare: () => this.#bare,
      softState: () => this.#softState,
      configuration: () => this.configuration,
      electionMs,
      send: tell,
      until: (holds, signal) => this.until(holds, signal),
      checkRunning: (signal) => this.#checkRunning(signal),
    });
    this.#transfers = new Transfers({
      clock,
      store: this.#measures.arrivals(store.snapshots),
      send: (to, frame) =>
        transport.send(to, packFrame(transferFrame, encodeTransferFrame(frame)), {
          bulk: frame.type === "chunk",
        }),
      pin: (metadata) => this.#bare.snapshots.pin(metadata),
      needs: (message) => (message.snapshot?.metadata.index ?? 0) >= this.#bare.status().commit,
      arrived: (from, message) => this.#bare.step(from, [message]),
      ended: (to, metadata, outcome) => this.#transferEnded(to, metadata, outcome),
      storeFailed: (error) => this.#bare.storeFailed(error),
    });
    this.checks = new StateChecks({
      self: id,
      clock,
      random: options.random,
      get waitMs() {
        return 20 * electionMs();
      },
      leads: () => this.#softState.role === "leader",
      leader: () => this.#softState.leader,
      configuration: () => this.configuration,
      mark: (mark) =>
        this.requests.change(carrierOf(id, { type: "check", id: mark }), 0, undefined),
      send: tell,
      restore: () => {
        this.#bare.requestSnapshot();
      },
      transfer: (to) => {
        this.#bare.transferLeader(to);
      },
      diverged: (verdict) => this.#emit({ type: "diverged", verdict }),
    });
    this.#machine.onCheck = (hash) => this.checks.passed(hash);
    this.#wire = new Wire<Result>({
      checks: this.checks,
      transport,
      metrics: options.metrics,
      measures: this.#measures,
      contacts: this.#contacts,
      requests: this.requests,
      transfers: this.#transfers,
      bare: () => this.#bare,
      members: () => this.#members,
      running: () => this.#closing === undefined && this.#halt === undefined,
      emit: (event) => this.#emit(event),
    });
    this.#announcer = new Announcer({
      clock,
      retryMs: electionMs,
      due: () =>
        address !== undefined &&
        this.#softState.leader !== noNode &&
        this.#members.has(id) &&
        this.#machine.addresses.get(id) !== address,
      tell: () => {
        const addresses = new Map([[id, address ?? ""]]);
        return this.requests.change(carrierOf(id, { type: "addresses", addresses }), 0, undefined);
      },
    });
    this.#measures.start();
  }

  // — state —

  basicStatus(): BasicStatus {
    return this.#bare.status();
  }

  get configuration(): Configuration {
    return {
      index: this.#machine.configurationIndex,
      confState: this.#bare.confState,
      addresses: this.#machine.addresses,
    };
  }

  status(): NodeStatus {
    const { id, role, term, leader, commit, lastIndex, peers } = this.#bare.fullStatus();
    return {
      id,
      role,
      term,
      leader,
      leaderAddress: this.#machine.addresses.get(leader),
      commit,
      applied: this.#bare.applied,
      lastIndex,
      lastTerm: this.#bare.lastTerm,
      backlog: this.#bare.backlog,
      configuration: this.configuration,
      snapshot: this.#bare.snapshots.latest,
      lastContactMs: role === "leader" ? 0 : this.#contacts.sinceHeard(leader),
      peers,
      ...this.requests.counts(),
      sendingSnapshots: this.#transfers.sending,
      refused: this.#wire.refused + this.#bare.refused,
      halted: this.#halt !== undefined,
    };
  }

  observe(listener: (event: NodeEvent) => void): () => void {
    return this.#events.on(listener);
  }

  count(name: MetricName): void {
    this.#options.metrics.count(name);
  }

  /** Resolves when `holds`, which is looked at whenever something has happened. */
  async until(holds: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    this.#checkRunning(signal, "unknown");
    return await this.#conditions.wait(holds, signal);
  }

  async snapshot(): Promise<SnapshotMetadata | undefined> {
    this.#checkRunning(undefined);
    await this.until(() => !this.#bare.snapshots.taking, undefined);
    return await this.#bare.snapshot();
  }

  reload(settings: Reloadable): void {
    if (!sameTiming(settings, this.#timing)) this.#bare.setTiming(settings);
    this.#timing = settings;
    this.#bare.snapshots.policy = settings.snapshotPolicy;
    this.requests.limit(settings.pendingBytesMax);
  }

  async bootstrap(bootstrap: Bootstrap): Promise<void> {
    bootstrapState(bootstrap);
    this.#checkRunning(undefined);
    const { term, lastIndex } = this.basicStatus();
    if (term > 0 || lastIndex > 0) {
      throw new LogboomError("BAD_INPUT", "this node has state already: it is part of a cluster");
    }
    await this.#bare.close();
    await this.#run(await this.#found(bootstrap));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#endRequests(closed("unknown"), closed("none"));
    this.#measures.close();
    this.#announcer.close();
    this.checks.close();
    this.#contacts.close();
    const { transport, store } = this.#options;
    await transport.close();
    await this.#bare.close();
    await this.#transfers.close();
    await store.storage.close();
    this.#events.clear();
  }

  #endRequests(error: LogboomError, untouched: LogboomError): void {
    this.requests.close(error, untouched);
    this.#conditions.close(error);
  }

  // — the loop —

  async #run(loaded: Loaded): Promise<void> {
    this.#bare = await BareNode.openLoaded(this.#bareOptions(), loaded);
    this.#configured();
    this.#bare.start();
    if (this.#halt !== undefined) throw this.#halt;
  }

  async #found(bootstrap: Bootstrap): Promise<Loaded> {
    const confState = bootstrapState(bootstrap);
    this.#machine.found(bootstrap.addresses ?? new Map());
    const body = concatBytes(...this.#machine.snapshot());
    return await foundCluster(this.#options.store, confState, noNode, body);
  }

  #bareOptions(): BareNodeOptions<Result> {
    const { id, store, clock, random, snapshotPolicy } = this.#options;
    const measures = this.#measures;
    return {
      id,
      store: measures.store(store),
      machine: measures.machine(this.#machine),
      clock,
      random,
      timing: this.#timing,
      snapshotPolicy,
      snapshotBodies: "stored",
      core: {
        reads: this.#options.reads ?? "safe",
        uncommittedBytesMax: 2 * this.#options.pendingBytesMax,
        log: (level, text) => this.#lines.say(level, text),
      },
      events: {
        send: (to, message) => this.#wire.send(to, message),
        applied: () => {},
        entry: (entry, result) => this.requests.applied(entry, result),
        restored: (metadata) => this.#restored(metadata),
        configured: () => this.#configured(),
        softState: (state) => this.#onSoftState(state),
        read: (state) => this.requests.read(state),
        readDropped: (context) => this.requests.readDropped(context),
        ...measures.events(),
        snapshotTaken: (metadata, ms) => {
          measures.snapshotTaken(ms);
          this.#emit({ type: "snapshot", action: "taken", metadata, peer: undefined });
          this.#check();
        },
        progressed: () => {
          measures.progressed(this.#bare.status().commit);
          this.requests.progressed();
          this.#check();
        },
        failed: (error) => this.#failed(error),
      },
    };
  }

  #onSoftState(state: SoftState): void {
    const before = this.#softState;
    this.#softState = state;
    const { term } = this.#bare.status();
    if (state.role !== before.role) {
      this.#measures.role(before.role, state.role, this.#bare);
      this.#emit({ type: "role", role: state.role, term });
    }
    if (state.leader !== before.leader) {
      const address = this.#machine.addresses.get(state.leader);
      this.#emit({ type: "leader", leader: state.leader, term, address });
      this.requests.leaderChanged();
      this.#announcer.look();
    }
    this.#check();
  }

  #configured(): void {
    const { configuration } = this;
    const { transport, id } = this.#options;
    const ids = memberIds(configuration.confState);
    const before = this.#members;
    this.#members = ids;
    this.#measures.rpc?.keep(ids);
    // A node that is yet to be added knows nobody: it goes by what its transport was opened with.
    if (configuration.addresses.size > 0) transport.setAddresses?.(configuration.addresses);
    this.#emit({ type: "configuration", configuration });
    for (const event of memberEvents(before, ids, id)) this.#emit(event);
    this.#announcer.look();
    this.#check();
  }

  #restored(metadata: SnapshotMetadata): void {
    this.#measures.restored();
    this.#emit({ type: "snapshot", action: "installed", metadata, peer: undefined });
    this.#configured();
    this.requests.restored(metadata);
  }

  #transferEnded(to: NodeId, metadata: SnapshotMetadata, outcome: "arrived" | "failed"): void {
    const sent = outcome === "arrived";
    this.#measures.sendingEnded(to, sent);
    this.#emit({ type: "snapshot", action: sent ? "sent" : "failed", metadata, peer: to });
    this.#bare.snapshotEnded(to, outcome);
  }

  #failed(error: unknown): void {
    if (this.#halt !== undefined) return;
    this.#halt = halted(error);
    this.#options.logger.error({ err: error }, "the node has stopped");
    this.#endRequests(this.#halt, halted(error, "none"));
    if (this.#bare === undefined) return;
    const halt = { error: this.#halt, status: this.status(), log: this.#lines.last };
    this.#emit({ type: "halted", halt });
  }

  #emit(event: NodeEvent): void {
    this.#events.emit(event);
  }

  #check(): void {
    this.#conditions.check();
  }

  #checkRunning(signal: AbortSignal | undefined, outcome: Outcome = "none"): void {
    if (signal?.aborted === true) throw aborted(signal, outcome);
    if (this.#closing !== undefined) throw closed(outcome);
    if (this.#halt !== undefined) throw halted(this.#halt.cause, outcome);
  }
}
