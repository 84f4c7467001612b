/** Conditions: promises that resolve when something holds; it is looked at whenever something has happened. */
import type { LogboomError, Outcome } from "../base/errors.js";
import { aborted } from "./proposals.js";

interface Condition {
  /** Of what its end without it holding leaves open. */
  readonly outcome: Outcome;
  holds(): boolean;
  resolve(): void;
  reject(error: LogboomError): void;
}

export class Conditions {
  readonly #waiting = new Set<Condition>();

  /** @throws LogboomError `ABORTED`, and what `close` gives; with `outcome` */
  wait(holds: () => boolean, signal: AbortSignal | undefined, outcome: Outcome): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        condition.reject(aborted(signal, outcome));
      };
      const done = (): void => {
        this.#waiting.delete(condition);
        signal?.removeEventListener("abort", abort);
      };
      const condition: Condition = {
        holds,
        outcome,
        resolve() {
          done();
          resolve();
        },
        reject(error) {
          done();
          reject(error);
        },
      };
      signal?.addEventListener("abort", abort);
      this.#waiting.add(condition);
    });
  }

  check(): void {
    for (const condition of [...this.#waiting]) if (condition.holds()) condition.resolve();
  }

  close(error: (outcome: Outcome) => LogboomError): void {
    for (const condition of [...this.#waiting]) condition.reject(error(condition.outcome));
  }
}
