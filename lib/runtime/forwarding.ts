/**
 * Forwarding: requests of this node on their way to the leader.
 *
 * A request waits until a leader is known, is sent to it once, and ends with the leader's answer: where its entry stands in the log. It
 * is never sent again by itself, because nobody could tell whether it was applied twice: when the leader changes or the link breaks
 * before the answer, its outcome is unknown. One that was not sent yet can be withdrawn.
 *
 * Bounds: bytes that wait or are unanswered, and the time a request waits for a leader.
 */
import type { Clock } from "../base/clock.js";
import { LogboomError } from "../base/errors.js";
import { type NodeId, noNode } from "../core/types.js";
import { aborted } from "./proposals.js";
import type { Placed, Request, RequestFrame } from "./requests.js";

export interface ForwardingOptions {
  readonly clock: Clock;
  /** How long a request waits for a leader, and how long for its answer. */
  waitMs(): number;
  leader(): NodeId;
  /** False when the frame is known to be lost. */
  send(to: NodeId, frame: RequestFrame): boolean;
  /** Requests are numbered from here on; see repetitions.ts. */
  readonly firstId: number;
  /** This node leads: no need to send anything. */
  serve(request: Request): Placed;
}

interface Pending {
  readonly id: number;
  readonly request: Request;
  readonly bytes: number;
  /** Who was asked; nobody yet where 0. */
  askedOf: NodeId;
  resolve(placed: Placed): void;
  reject(error: LogboomError): void;
}

export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #self: NodeId;
  readonly #pending = new Map<number, Pending>();
  bytesMax: number;
  #bytes = 0;
  #ids: number;

  constructor(self: NodeId, bytesMax: number, options: ForwardingOptions) {
    this.#self = self;
    this.bytesMax = bytesMax;
    this.#options = options;
    this.#ids = options.firstId;
  }

  get size(): number {
    return this.#pending.size;
  }

  /**
   * @param sent  called when the request leaves this node, if it does
   * @throws LogboomError what the leader refused with; `NOT_LEADER` (none was known in time), `PROPOSAL_DROPPED` (too much waits),
   *         `ABORTED`, `LEADERSHIP_LOST` (sent, and not answered)
   */
  ask(request: Request, bytes: number, signal: AbortSignal | undefined): Promise<Placed> {
    if (this.#bytes + bytes > this.bytesMax) {
      const text = `${this.#bytes} bytes wait to be forwarded, at most ${this.bytesMax} may`;
      const error = new LogboomError("PROPOSAL_DROPPED", text, { reason: "tooManyBytes" });
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      const id = ++this.#ids;
      const timer = this.#options.clock.after(this.#options.waitMs(), () => this.#late(pending));
      const abort = (): void => {
        const outcome = pending.askedOf === noNode ? "none" : "unknown";
        pending.reject(aborted(signal, outcome));
      };
      const done = (): void => {
        timer();
        signal?.removeEventListener("abort", abort);
        if (this.#pending.delete(id)) this.#bytes -= bytes;
      };
      const pending: Pending = {
        id,
        request,
        bytes,
        askedOf: noNode,
        resolve: (placed) => {
          done();
          resolve(placed);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      signal?.addEventListener("abort", abort);
      this.#bytes += bytes;
      this.#pending.set(id, pending);
      this.#send(pending);
    });
  }

  /** There is a leader, or another one. Those who asked the former will not be answered. */
  leaderChanged(): void {
    const leader = this.#options.leader();
    for (const pending of [...this.#pending.values()]) {
      if (pending.askedOf === noNode) this.#send(pending);
      else if (pending.askedOf !== leader) this.#lost(pending);
    }
  }

  /** The link to `peer` broke. */
  unreachable(peer: NodeId): void {
    for (const pending of [...this.#pending.values()]) {
      if (pending.askedOf === peer) this.#lost(pending);
    }
  }

  /** An answer from `from`. Late and foreign ones are ignored. */
  answered(from: NodeId, frame: Extract<RequestFrame, { type: "accepted" | "refused" }>): void {
    const pending = this.#pending.get(frame.id);
    if (pending === undefined || pending.askedOf !== from) return;
    if (frame.type === "accepted") pending.resolve(frame.placed);
    else pending.reject(frame.error);
  }

  close(error: (sent: boolean) => LogboomError): void {
    for (const pending of [...this.#pending.values()]) {
      pending.reject(error(pending.askedOf !== noNode));
    }
  }

  #send(pending: Pending): void {
    const leader = this.#options.leader();
    if (leader === noNode) return;
    if (leader === this.#self) {
      try {
        pending.resolve(this.#options.serve(pending.request));
      } catch (error) {
        pending.reject(error as LogboomError);
      }
      return;
    }
    const { id, request } = pending;
    // A frame that was not taken has not left: the next link or leader will do.
    if (this.#options.send(leader, { type: "request", id, request })) pending.askedOf = leader;
  }

  #late(pending: Pending): void {
    if (pending.askedOf !== noNode) this.#lost(pending);
    else pending.reject(new LogboomError("NOT_LEADER", "no leader was reached in time"));
  }

  #lost(pending: Pending): void {
    pending.reject(
      new LogboomError("LEADERSHIP_LOST", "the leader that was asked did not answer", {
        outcome: "unknown",
      }),
    );
  }
}
