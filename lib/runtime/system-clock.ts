/** Clock over the platform's timers; with `ticker.ts` and `storage/opfs-link.ts` the only files that call setTimeout or read the time. */
import type { Clock } from "../base/clock.js";

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};
