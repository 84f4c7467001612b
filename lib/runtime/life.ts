/** Life: whether a node still runs, and what is said to who asks something of one that does not. */
import type { LogboomError, Outcome } from "../base/errors.js";
import { aborted } from "./proposals.js";
import { closed, halted } from "./refusals.js";

export class Life {
  #halt: LogboomError | undefined;
  #closed = false;

  /** Why it stopped by itself, if it did. */
  get halt(): LogboomError | undefined {
    return this.#halt;
  }

  /** Neither halted nor closed. */
  get running(): boolean {
    return !this.#closed && this.#halt === undefined;
  }

  close(): void {
    this.#closed = true;
  }

  /** It stops because of `cause`; undefined where it had halted before. */
  stop(cause: unknown): LogboomError | undefined {
    if (this.#halt !== undefined) return undefined;
    this.#halt = halted(cause);
    return this.#halt;
  }

  /** @throws LogboomError `ABORTED`, `CLOSED`, `HALTED` */
  check(signal: AbortSignal | undefined, outcome: Outcome = "none"): void {
    if (signal?.aborted === true) throw aborted(signal, outcome);
    if (this.#closed) throw closed(outcome);
    if (this.#halt !== undefined) throw halted(this.#halt.cause, outcome);
  }
}
