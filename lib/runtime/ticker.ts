/**
 * Ticker: a Clock for web pages whose beats come from a dedicated worker.
 *
 * Hidden pages clamp their timers to one beat a second and less; a worker's timers keep 20 Hz (measured for seven minutes),
 * and the messages it posts are not throttled. One worker serves a page. Where none can be had (a content security policy
 * without `worker-src blob:`), the page's own timers serve, and `throttled` says so.
 */
import type { Cancel, Clock } from "../base/clock.js";
import { systemClock } from "./system-clock.js";

/** Milliseconds between two beats, and so the resolution of every timer of a page clock. */
export const beatMs = 50;

export interface PageClock extends Clock {
  /** True when the page's own timers serve: they slow down while the page is hidden. */
  readonly throttled: boolean;
}

interface Timer {
  due: number;
  /** Undefined: once. */
  readonly period: number | undefined;
  readonly run: () => void;
}

let shared: PageClock | undefined;

/** The page's clock, started at the first call and kept for the page's life. */
export function pageClock(): PageClock {
  shared ??= createPageClock(startBeats);
  return shared;
}

/** @param start  begins to call `beat` every `beatMs`; false when it cannot. */
export function createPageClock(start: (beat: () => void) => boolean): PageClock {
  const timers = new Set<Timer>();
  const beat = (): void => {
    const now = systemClock.now();
    for (const timer of [...timers]) {
      if (timer.due > now || !timers.has(timer)) continue;
      // Beats that were missed are not made up for: elapsed time is never derived from counting them.
      if (timer.period === undefined) timers.delete(timer);
      else timer.due = Math.max(timer.due + timer.period, now);
      timer.run();
    }
  };
  const add = (timer: Timer): Cancel => {
    timers.add(timer);
    return () => {
      timers.delete(timer);
    };
  };
  if (!start(beat)) return { ...systemClock, throttled: true };
  return {
    now: systemClock.now,
    wall: systemClock.wall,
    after: (ms, run) => add({ due: systemClock.now() + ms, period: undefined, run }),
    every: (ms, run) => add({ due: systemClock.now() + ms, period: ms, run }),
    throttled: false,
  };
}

function startBeats(beat: () => void): boolean {
  if (typeof Worker === "undefined" || typeof Blob === "undefined") return false;
  const source = `setInterval(() => postMessage(0), ${beatMs});`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    const worker = new Worker(url);
    // A policy that forbids the blob may refuse it only after construction: then the page's timers take over.
    worker.onerror = () => {
      worker.terminate();
      systemClock.every(beatMs, beat);
    };
    worker.onmessage = () => {
      URL.revokeObjectURL(url);
      worker.onmessage = beat;
      beat();
    };
    return true;
  } catch {
    URL.revokeObjectURL(url);
    return false;
  }
}
