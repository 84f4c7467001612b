/** Ticks on a clock that moves when the test says so: what a core is given, and when a timer is set. */
import { beforeEach, describe, expect, it } from "vitest";
import { Pacemaker } from "../../lib/runtime/pacemaker.js";
import { type TrackingClock, trackingClock } from "./cluster.js";

const tickMs = 10;

let clock: TrackingClock;
/** Ticks until one matters, as a core would say. */
let left: number;
let due: number[];
let pace: Pacemaker;

beforeEach(() => {
  clock = trackingClock();
  left = 5;
  due = [];
  pace = new Pacemaker(tickMs, {
    clock,
    ticksUntilDue: () => left,
    due(ticks) {
      due.push(ticks);
      left = 5;
    },
  });
});

/** What comes before an input. */
const take = (): number => {
  const ticks = pace.take();
  left -= ticks;
  return ticks;
};

describe("a pacemaker", () => {
  it("sets one timer, for the tick that is due, and gives all ticks with it", () => {
    pace.start();
    expect(clock.timers()).toBe(1);
    clock.advance(49 - 1);
    expect(due).toEqual([]);
    clock.advance(2);
    expect(due).toEqual([5]);
    clock.advance(100);
    expect(due).toEqual([5, 5, 5]);
  });

  it("makes up for ticks that only count, whole ones, before an input", () => {
    pace.start();
    clock.advance(25);
    expect([take(), take()]).toEqual([2, 0]);
    clock.advance(5);
    expect(take()).toBe(1);
    clock.advance(20);
    expect(due).toEqual([2]);
  });

  it("wakes for nothing but the tick that is due, wherever messages put it", () => {
    let wakes = 0;
    const after = clock.after;
    const counting = {
      ...clock,
      after: (ms: number, run: () => void) =>
        after(ms, () => {
          wakes++;
          run();
        }),
    };
    pace = new Pacemaker(tickMs, {
      clock: counting,
      ticksUntilDue: () => left,
      due: (ticks) => due.push(ticks),
    });
    pace.start();
    // A leader is heard every 20 ms: the election is put off again and again.
    for (let ms = 0; ms < 1000; ms += 20) {
      clock.advance(20);
      pace.take();
      left = 5;
      pace.look();
    }
    expect(due).toEqual([]);
    expect(wakes).toBeLessThan(1000 / 20);
  });

  it("is set anew for a tick that is due sooner", () => {
    pace.start();
    clock.advance(10);
    take();
    left = 1;
    pace.look();
    clock.advance(10);
    expect(due).toEqual([1]);
  });

  it("has no timer for who may not campaign, and counts for it all the same", () => {
    left = Number.POSITIVE_INFINITY;
    pace.start();
    expect(clock.timers()).toBe(0);
    clock.advance(500);
    expect(take()).toBe(50);
  });

  it("goes by another length of tick from now on", () => {
    pace.start();
    clock.advance(30);
    pace.setTickMs(100);
    clock.advance(498);
    expect(due).toEqual([]);
    clock.advance(2);
    expect(due).toEqual([5]);
  });

  it("leaves no timer when it stops", () => {
    pace.start();
    pace.stop();
    pace.look();
    expect([clock.timers(), take()]).toEqual([0, 0]);
  });
});

describe("a process that was held up", () => {
  let now: number;
  let wake: () => void;

  beforeEach(() => {
    now = 0;
    wake = () => {};
    pace = new Pacemaker(tickMs, {
      clock: {
        now: () => now,
        wall: () => 0,
        after: (_ms, run) => {
          wake = run;
          return () => {};
        },
        every: () => () => {},
      },
      ticksUntilDue: () => left,
      due(ticks) {
        due.push(ticks);
        left -= ticks;
        if (left === 0) left = 5;
      },
    });
    pace.start();
  });

  it("reads what was sent to it before it calls an election", () => {
    now = 550;
    wake();
    expect(due).toEqual([4]);
    now += 10;
    wake();
    expect(due).toEqual([4, 1]);
  });

  it("is not one whose timer comes a little late", () => {
    now = 50 + 2 * tickMs;
    wake();
    expect(due).toEqual([5]);
  });

  it("takes no tick that is due with an input that comes before the timer", () => {
    now = 550;
    expect([take(), take()]).toEqual([4, 0]);
    expect(due).toEqual([]);
    wake();
    expect(due).toEqual([]);
    now += 10;
    wake();
    expect(due).toEqual([1]);
  });
});
