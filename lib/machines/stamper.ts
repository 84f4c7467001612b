/**
 * Stamper: the two times a leader puts on a command (DESIGN §10).
 *
 * `now` is its wall clock. Log time goes on where the log stands: what the replica has applied, plus the leader's own monotonic
 * time since it began to lead. It therefore stands still while nobody leads, never jumps with a wall clock, and a term whose
 * leader crashed loses at most what it had not yet stamped. Replicas take the maximum, so a leader that starts a little behind
 * (it has not applied its whole log yet) does no harm.
 */
import type { Clock } from "../base/clock.js";
import type { Stamp } from "./command.js";

/** @param logTime  the replica's, when this node became leader. One stamper for each time that it leads. */
export function createStamper(clock: Clock, logTime: number): () => Stamp {
  const beganAt = clock.now();
  return () => ({
    now: Math.max(0, Math.floor(clock.wall())),
    logTime: logTime + Math.max(0, Math.floor(clock.now() - beganAt)),
  });
}
