/**
 * Redial: when one kind of link to one peer may be tried again.
 *
 * The pause doubles from a second to half a minute, half of it by chance, so that peers that failed together do not return together. A
 * link that held and broke is tried again at once; one that broke soon counts as a failure, or two peers that cannot keep a
 * link would dial for ever without a pause.
 */
import type { Random } from "../base/random.js";

export const redialTimes = {
  pauseMs: 1_000,
  pauseMsMax: 30_000,
  /** A link that held so long has held. */
  steadyMs: 10_000,
  /** "At once": within this, by chance. */
  soonMs: 500,
} as const;

export class Redial {
  #failures = 0;
  #notBefore = 0;

  get failures(): number {
    return this.#failures;
  }

  due(now: number): boolean {
    return now >= this.#notBefore;
  }

  failed(now: number, random: Random): void {
    const { pauseMs, pauseMsMax } = redialTimes;
    const whole = Math.min(pauseMsMax, pauseMs * 2 ** Math.min(this.#failures, 10));
    this.#notBefore = now + whole / 2 + random.below(Math.ceil(whole / 2));
    this.#failures++;
  }

  /** The link broke that was open since `since`. */
  broke(since: number, now: number, random: Random): void {
    if (now - since < redialTimes.steadyMs) {
      this.failed(now, random);
      return;
    }
    this.#failures = 0;
    this.#notBefore = now + random.below(redialTimes.soonMs);
  }
}
