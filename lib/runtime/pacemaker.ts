/**
 * Pacemaker: gives a core its ticks, with a timer only for the one that matters.
 *
 * Most ticks only count: until a heartbeat or an election is due nothing can come of them. So they are made up for when the next event
 * comes, and a follower that hears its leader wakes for messages alone. To the core it is as if each had come in its time.
 *
 * Time in which the process was held up is not made up for. What was sent to it meanwhile lies unread, a heartbeat perhaps, and an
 * election would be called for nothing: so an event never counts up to the tick that is due, and a timer that comes late leaves one more.
 */
import type { Cancel, Clock } from "../base/clock.js";

export interface PacemakerOptions {
  readonly clock: Clock;
  /** In how many ticks, as of now, one does more than count: at least 1, or Infinity. */
  ticksUntilDue(): number;
  /** So many ticks are over, the last of them one that is due. */
  due(ticks: number): void;
}

/** A platform's timers count whole milliseconds, and may come so much before their time. */
const timerMs = 1;

export class Pacemaker {
  readonly #options: PacemakerOptions;
  #tickMs: number;
  /** Up to when ticks were counted. */
  #countedAt: number;
  /** What the timer is set for: the tick that is due, or one before it. */
  #setFor = Number.POSITIVE_INFINITY;
  #timer: Cancel = () => {};
  #running = false;

  constructor(tickMs: number, options: PacemakerOptions) {
    this.#tickMs = tickMs;
    this.#options = options;
    this.#countedAt = options.clock.now();
  }

  /** Time counts from now on. */
  start(): void {
    this.#countedAt = this.#options.clock.now();
    this.#running = true;
    this.look();
  }

  /** From now on a tick takes `ms`. */
  setTickMs(ms: number): void {
    this.#tickMs = ms;
    this.#countedAt = this.#options.clock.now();
    this.#unset();
    this.look();
  }

  /** Ticks that are over and only count: to be given to the core before whatever comes next. */
  take(): number {
    if (!this.#running) return 0;
    const passed = Math.floor((this.#options.clock.now() - this.#countedAt) / this.#tickMs);
    if (passed <= 0) return 0;
    this.#countedAt += passed * this.#tickMs;
    return Math.min(passed, this.#options.ticksUntilDue() - 1);
  }

  /** Something has happened: another tick may be due now. One that is due later is seen when the timer comes. */
  look(): void {
    if (!this.#running) return;
    const at = this.#countedAt + this.#options.ticksUntilDue() * this.#tickMs;
    if (at >= this.#setFor) return;
    this.#unset();
    this.#setFor = at;
    const { clock } = this.#options;
    this.#timer = clock.after(Math.max(0, Math.ceil(at - clock.now())), () => this.#awake());
  }

  /** No timer is left. */
  stop(): void {
    this.#running = false;
    this.#unset();
  }

  #awake(): void {
    this.#setFor = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.now();
    const ticks = this.#options.ticksUntilDue();
    const at = this.#countedAt + ticks * this.#tickMs;
    if (now + timerMs >= at) {
      // A page's timers come with its beats, up to a tick late.
      const heldUp = now - at > 2 * this.#tickMs;
      this.#countedAt = heldUp ? now : at;
      this.#options.due(heldUp && ticks > 1 ? ticks - 1 : ticks);
    }
    this.look();
  }

  #unset(): void {
    this.#timer();
    this.#setFor = Number.POSITIVE_INFINITY;
  }
}
