/**
 * Requests: what callers ask of a node, from the call to its end.
 *
 * At the leader a request goes into the log, elsewhere to the leader; either way it then waits here until it is applied.
 *
 * Not here: what becomes of an entry (proposals.ts), sending a request on (forwarding.ts), confirming reads (linearizable.ts).
 */
import { isLogboomError, LogboomError } from "../base/errors.js";
import {
  type ConfChangeV2,
  type Entry,
  type Index,
  type NodeId,
  noNode,
  type ReadState,
  type SnapshotMetadata,
  type SoftState,
} from "../core/types.js";
import type { BareNode } from "./bare-node.js";
import { Forwarding } from "./forwarding.js";
import { Linearizable } from "./linearizable.js";
import { carrierOf } from "./member-changes.js";
import { backupBytesMax, type MemberedMachine } from "./membered-machine.js";
import type { Configuration } from "./members.js";
import type { CompleteOptions } from "./node-options.js";
import { ProposalQueue } from "./proposal-queue.js";
import { type Applied, Proposals } from "./proposals.js";
import { refusal } from "./refusals.js";
import { firstRequestId } from "./repetitions.js";
import type { Placed, Request, RequestFrame } from "./requests.js";

export interface RequestsOptions<Result> {
  readonly options: CompleteOptions<Result>;
  readonly machine: MemberedMachine<Result>;
  bare(): BareNode<Result>;
  softState(): SoftState;
  configuration(): Configuration;
  /** Milliseconds in which an election begins at the earliest, as of now. */
  electionMs(): number;
  send(to: NodeId, frame: RequestFrame): boolean;
  /** What this node, as leader, puts into the log for `commands`. */
  stamped(commands: readonly Uint8Array[]): readonly Uint8Array[];
  /** @throws LogboomError for a change that must not be proposed */
  checkChange(change: ConfChangeV2): void;
  until(holds: () => boolean, signal: AbortSignal | undefined): Promise<void>;
  /** @throws LogboomError when the node is closed or halted, or the signal aborted */
  checkRunning(signal: AbortSignal | undefined): void;
}

export class Requests<Result> {
  readonly #deps: RequestsOptions<Result>;
  readonly #options: CompleteOptions<Result>;
  readonly #proposals: Proposals<Result>;
  readonly #queue: ProposalQueue;
  readonly #reads: Linearizable;
  readonly #forwarding: Forwarding;
  pendingBytesMax: number;

  constructor(deps: RequestsOptions<Result>) {
    const { options } = deps;
    const { id, clock, random } = options;
    this.#deps = deps;
    this.#options = options;
    this.pendingBytesMax = options.pendingBytesMax;
    // Two whole elections: a leader that is there at all is found by then.
    const graceMs = (): number => 4 * deps.electionMs();
    this.#proposals = new Proposals<Result>({
      clock,
      graceMs,
      leaderTerm: () => (deps.softState().leader === noNode ? 0 : deps.bare().status().term),
    });
    this.#queue = new ProposalQueue((commands) => deps.bare().propose(deps.stamped(commands)));
    this.#reads = new Linearizable({
      self: id,
      clock,
      retryMs: deps.electionMs,
      salt: random.below(2 ** 32),
      ask: (context) => deps.bare().readIndex(context).accepted,
      applied: () => deps.bare().applied,
    });
    this.#forwarding = new Forwarding(id, options.pendingBytesMax, {
      clock,
      waitMs: graceMs,
      firstId: firstRequestId(options.store.identity.boot),
      leader: () => deps.softState().leader,
      send: (to, frame) => deps.send(to, frame),
      serve: (request) => this.serve(request),
    });
  }

  // — what the loop says —

  applied(entry: Entry, result: Result | undefined): void {
    this.#proposals.applied(entry, result);
  }

  restored({ index, term }: SnapshotMetadata): void {
    this.#proposals.restored(index, term);
    this.#reads.progressed();
  }

  progressed(): void {
    this.#reads.progressed();
  }

  read(state: ReadState): void {
    this.#reads.answered(state);
  }

  readDropped(context: Uint8Array): void {
    this.#reads.dropped(context);
  }

  leaderChanged(): void {
    this.#proposals.leadershipLost();
    this.#forwarding.leaderChanged();
    if (this.#deps.softState().leader !== noNode) this.#reads.leaderKnown();
  }

  linked(): void {
    this.#forwarding.leaderChanged();
  }

  unreachable(peer: NodeId): void {
    this.#forwarding.unreachable(peer);
  }

  answered(from: NodeId, frame: Extract<RequestFrame, { type: "accepted" | "refused" }>): void {
    this.#forwarding.answered(from, frame);
  }

  counts(): { readonly proposals: number; readonly reads: number; readonly forwarded: number } {
    return {
      proposals: this.#proposals.size,
      reads: this.#reads.size,
      forwarded: this.#forwarding.size,
    };
  }

  limit(pendingBytesMax: number): void {
    this.pendingBytesMax = pendingBytesMax;
    this.#forwarding.bytesMax = pendingBytesMax;
  }

  /** Everything ends: what was begun by `error`, what was not by `untouched`. */
  close(error: LogboomError, untouched: LogboomError): void {
    this.#forwarding.close((sent) => (sent ? error : untouched));
    this.#proposals.close(error);
    this.#reads.close(untouched);
  }

  // — what callers ask —

  async propose(
    commands: readonly Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Applied<Result>[]> {
    this.#deps.checkRunning(signal);
    const { metrics, clock } = this.#options;
    let bytes = 0;
    for (const command of commands) bytes += command.length;
    metrics.count("raft_apply_total", commands.length);
    const from = clock.now();
    try {
      const applied = await this.#submit(
        { kind: "propose", commands },
        commands.length,
        bytes,
        signal,
      );
      metrics.observe("raft_apply_time_seconds", (clock.now() - from) / 1000);
      return applied;
    } catch (error) {
      metrics.count("raft_apply_failed_total", commands.length);
      throw error;
    }
  }

  async change(
    change: ConfChangeV2,
    ifIndex: Index,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#deps.checkRunning(signal);
    await this.#submit({ kind: "change", change, ifIndex }, 1, change.context.length, signal);
  }

  /** Puts `entry`, which is no command, into the log, as leader. */
  async place(entry: Uint8Array): Promise<void> {
    this.#deps.checkRunning(undefined);
    const answer = this.#deps.bare().propose([entry]);
    if (!answer.accepted) throw refusal(answer.reason);
    await this.#proposals.wait(answer.index, answer.term, 1, entry.length);
  }

  async transfer(to: NodeId, signal: AbortSignal | undefined): Promise<NodeId> {
    this.#deps.checkRunning(signal);
    const { term, leader: former } = this.#deps.bare().status();
    await this.#place({ kind: "transfer", to }, 0, signal).catch((error) => {
      // The leader's successor may be heard before its answer: the wait below decides.
      if (!isLogboomError(error) || error.code !== "LEADERSHIP_LOST") throw error;
    });
    const moved = (): boolean => {
      const { leader } = this.#deps.softState();
      return leader !== noNode && (to === noNode ? leader !== former : leader === to);
    };
    // The leader gives up after one election timeout; ours is the wait for its successor's first word.
    const ending = new AbortController();
    let late = false;
    const timer = this.#options.clock.after(3 * this.#deps.electionMs(), () => {
      late = true;
      ending.abort();
    });
    const give = (): void => ending.abort(signal?.reason);
    signal?.addEventListener("abort", give);
    try {
      await this.#deps.until(moved, ending.signal);
    } catch (error) {
      if (!late) throw error;
      const text = `leadership did not move in time (term ${term})`;
      throw new LogboomError("PROPOSAL_DROPPED", text, { reason: "transferTimedOut" });
    } finally {
      timer();
      signal?.removeEventListener("abort", give);
    }
    return this.#deps.softState().leader;
  }

  async readIndex(signal: AbortSignal | undefined): Promise<Index> {
    this.#deps.checkRunning(signal);
    const { metrics, clock } = this.#options;
    metrics.count("raft_reads_total");
    const from = clock.now();
    const index = await this.#reads.readIndex(signal);
    metrics.observe("raft_read_time_seconds", (clock.now() - from) / 1000);
    return index;
  }

  /** A backup in pieces, each in an entry of its own, one after the other. */
  async restore(
    backup: Uint8Array,
    version: number,
    pieceBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (backup.length > backupBytesMax) {
      const text = `the backup takes ${backup.length} bytes, at most ${backupBytesMax} are allowed`;
      throw new LogboomError("TOO_LARGE", text);
    }
    const { random, id: self, metrics, clock } = this.#options;
    const from = clock.now();
    const id = 1 + random.below(2 ** 32) * 2 ** 20 + random.below(2 ** 20);
    for (let offset = 0; offset === 0 || offset < backup.length; offset += pieceBytes) {
      const data = backup.subarray(offset, offset + pieceBytes);
      const last = offset + pieceBytes >= backup.length;
      const piece = carrierOf(self, { type: "restore", id, version, offset, last, data });
      await this.#whenChangeable(piece, signal);
    }
    const outcome = this.#deps.machine.outcomeOf(id);
    if (outcome?.error !== undefined) throw outcome.error;
    metrics.observe("raft_restore_user_snapshot_seconds", (clock.now() - from) / 1000);
    if (outcome === undefined) {
      const text = "another backup was begun before this one was complete";
      throw new LogboomError("PROPOSAL_DROPPED", text, { reason: "overtaken" });
    }
  }

  /** Another change may be under way: it is waited for. */
  async #whenChangeable(change: ConfChangeV2, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const { applied } = this.#deps.bare();
      try {
        await this.change(change, 0, signal);
        return;
      } catch (error) {
        const reason = isLogboomError(error) ? error.reason : undefined;
        if (reason !== "pendingConfChange" && reason !== "mustLeaveJoint") throw error;
        // Not every change moves the configuration's index: one may carry something else.
        await this.#deps.until(() => this.#deps.bare().applied !== applied, signal);
      }
    }
  }

  async #submit(
    request: Request,
    count: number,
    bytes: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly Applied<Result>[]> {
    if (this.#deps.softState().role === "leader" || !this.#options.forward) {
      if (this.#proposals.bytes + bytes > this.pendingBytesMax) {
        const text = `${this.#proposals.bytes} bytes of commands are open, at most ${this.pendingBytesMax} may be`;
        throw new LogboomError("PROPOSAL_DROPPED", text, { reason: "tooManyBytes" });
      }
      if (request.kind === "propose" && this.#deps.softState().role === "leader") {
        return await this.#queue.place(request.commands, ({ index, term }) =>
          this.#proposals.wait(index, term, count, bytes, signal),
        );
      }
      const { index, term } = this.serve(request);
      return await this.#proposals.wait(index, term, count, bytes, signal);
    }
    const forget = this.#proposals.remember();
    try {
      const { index, term } = await this.#place(request, bytes, signal);
      return await this.#proposals.wait(index, term, count, bytes, signal);
    } finally {
      forget();
    }
  }

  async #place(request: Request, bytes: number, signal: AbortSignal | undefined): Promise<Placed> {
    if (this.#deps.softState().role === "leader" || !this.#options.forward)
      return this.serve(request);
    return await this.#forwarding.ask(request, bytes, signal);
  }

  /** Does as asked, as leader. @throws LogboomError, outcome none */
  serve(request: Request): Placed {
    if (this.#deps.softState().role !== "leader") throw refusal("notLeader");
    if (request.kind === "transfer") {
      const to = request.to === noNode ? this.#deps.bare().bestSuccessor() : request.to;
      const answer = this.#deps.bare().transferLeader(to ?? noNode);
      if (!answer.accepted) throw refusal(answer.reason);
      return { index: 0, term: 0 };
    }
    if (request.kind === "change") {
      this.#deps.checkChange(request.change);
      if (request.ifIndex !== 0) this.#checkIndex(request.ifIndex);
    }
    const answer =
      request.kind === "propose"
        ? this.#deps.bare().propose(this.#deps.stamped(request.commands))
        : this.#deps.bare().proposeConfChange(request.change);
    if (!answer.accepted) throw refusal(answer.reason);
    return answer;
  }

  #checkIndex(ifIndex: Index): void {
    const { index } = this.#deps.configuration();
    if (index === ifIndex) return;
    const text = `the configuration is of index ${index}, not ${ifIndex}`;
    throw new LogboomError("PROPOSAL_DROPPED", text, { reason: "configurationChanged" });
  }
}
