/** Time is passed in: real in `runtime/system-clock.ts`, virtual in tests and the simulator. */

/** Ends what it was returned for; calling it again does nothing. */
export type Cancel = () => void;

export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. For intervals. */
  now(): number;
  /** Milliseconds since 1970, as the user's clock has it; may jump. For display. */
  wall(): number;
  /** Calls `run` once, `ms` from now. */
  after(ms: number, run: () => void): Cancel;
  /** Calls `run` every `ms` until cancelled. */
  every(ms: number, run: () => void): Cancel;
}
