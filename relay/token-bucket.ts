/** A token bucket: `perSecond` on average, `burst` at once. Pure but for what it remembers; the time is passed in. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Takes `amount` if there is so much; otherwise takes nothing and answers false. */
  take(amount: number, now: number): boolean {
    const earned = Math.max(0, now - this.#at) * this.#perMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#at = Math.max(this.#at, now);
    if (this.#tokens < amount) return false;
    this.#tokens -= amount;
    return true;
  }
}
