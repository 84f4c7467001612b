/**
 * SimProcess: one life of a simulated process: its clock, and everything that will call it back.
 *
 * Whatever is to happen in it (timers, answers of its disk, frames) is scheduled here: while it is frozen it waits for the thaw, after its
 * end it never happens. A promise of a dead process is never settled, which is what a killed process looks like from within.
 */
import type { Cancel, Clock } from "../base/clock.js";

export interface ProcessWorld {
  now(): number;
  after(ms: number, run: () => void): void;
}

export class SimProcess {
  readonly clock: Clock;
  readonly #world: ProcessWorld;
  /** Real milliseconds of one of its own: its clock may run fast or slow. */
  readonly #rate: number;
  #alive = true;
  #frozenAt: number | undefined;
  /** Milliseconds it slept through: its monotonic clock stood still. */
  #slept = 0;
  #late: (() => void)[] = [];

  constructor(world: ProcessWorld, rate: number, wallOffset: () => number) {
    this.#world = world;
    this.#rate = rate;
    const now = (): number => ((this.#frozenAt ?? world.now()) - this.#slept) / rate;
    this.clock = {
      now,
      wall: () => 1_700_000_000_000 + Math.floor(world.now()) + wallOffset(),
      after: (ms, run) => this.#timer(ms, run),
      every: (ms, run) => this.#every(ms, run),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Calls `run` in `ms` of the world's time, unless it is dead by then; later when it is frozen by then. */
  after(ms: number, run: () => void): void {
    this.#world.after(ms, () => this.enter(run));
  }

  /** Runs `run` now, at the thaw, or never. */
  enter(run: () => void): void {
    if (!this.#alive) return;
    if (this.#frozenAt === undefined) run();
    else this.#late.push(run);
  }

  freeze(): void {
    this.#frozenAt ??= this.#world.now();
  }

  /** What waited happens now, each as an event of its own, in order. Returns how much it was. */
  thaw(): number {
    if (this.#frozenAt === undefined) return 0;
    this.#slept += this.#world.now() - this.#frozenAt;
    this.#frozenAt = undefined;
    const late = this.#late;
    this.#late = [];
    for (const run of late) this.after(0, run);
    return late.length;
  }

  end(): void {
    this.#alive = false;
    this.#late = [];
  }

  #timer(ms: number, run: () => void): Cancel {
    let cancelled = false;
    this.after(Math.max(0, ms) * this.#rate, () => {
      if (!cancelled) run();
    });
    return () => {
      cancelled = true;
    };
  }

  #every(ms: number, run: () => void): Cancel {
    let cancel: Cancel;
    const again = (): void => {
      cancel = this.#timer(ms, again);
      run();
    };
    cancel = this.#timer(ms, again);
    return () => cancel();
  }
}
