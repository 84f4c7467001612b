/** Time that passes when it is told to: timers run in order of their time, those of one time in the order they were set. */
import type { Cancel, Clock } from "../base/clock.js";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export interface VirtualClock extends Clock {
  /** Lets `ms` pass and runs what falls due, timers set meanwhile included. */
  advance(ms: number): void;
}

export function createVirtualClock(): VirtualClock {
  const timers = new Set<Timer>();
  let now = 0;
  let order = 0;

  const after = (ms: number, run: () => void): Cancel => {
    const timer = { at: now + Math.max(0, ms), order: order++, run };
    timers.add(timer);
    return () => {
      timers.delete(timer);
    };
  };

  const earliest = (until: number): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.at > until) continue;
      const sooner = first === undefined || timer.at < first.at;
      if (sooner || (timer.at === first?.at && timer.order < first.order)) first = timer;
    }
    return first;
  };

  return {
    now: () => now,
    wall: () => 1_700_000_000_000 + now,
    after,
    every(ms, run) {
      let cancel: Cancel;
      const again = (): void => {
        cancel = after(ms, again); // first, so that `run` may cancel
        run();
      };
      cancel = after(ms, again);
      return () => cancel();
    },
    advance(ms) {
      const until = now + ms;
      for (let timer = earliest(until); timer !== undefined; timer = earliest(until)) {
        timers.delete(timer);
        now = timer.at;
        timer.run();
      }
      now = until;
    },
  };
}
