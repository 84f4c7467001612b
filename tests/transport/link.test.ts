import { beforeEach, describe, expect, test } from "vitest";
import { createVirtualClock, type VirtualClock } from "../../lib/testing/virtual-clock.js";
import { bufferedBytesMax, Link, linkDefaults } from "../../lib/transport/link.js";
import { channelPair, type TestChannel } from "./channels.js";

const { pingMs, silenceMs } = linkDefaults;

let clock: VirtualClock;
let near: TestChannel;
let far: TestChannel;
let link: Link;
let frames: Uint8Array[];
let downs: { reason: string; malformed: boolean }[];

beforeEach(() => {
  clock = createVirtualClock();
  [near, far] = channelPair();
  frames = [];
  downs = [];
  link = new Link(near, clock, {
    frame: (frame) => frames.push(frame),
    down: (reason, malformed) => downs.push({ reason, malformed }),
  });
});

const hear = (...bytes: number[]): void => near.handlers?.message(Uint8Array.from(bytes));
const whole = 16;

describe("a link", () => {
  test("says something every second", () => {
    clock.advance(3 * pingMs);
    expect(near.sent).toHaveLength(3);
  });

  test("pings only where it has sent nothing else", () => {
    for (let second = 0; second < 3; second++) {
      link.send(Uint8Array.of(7), false);
      clock.advance(pingMs);
    }
    expect(near.sent).toHaveLength(3);
    clock.advance(pingMs);
    expect(near.sent).toHaveLength(4);
  });

  test("is down when nothing was heard for five seconds, and not before", () => {
    clock.advance(silenceMs);
    expect(downs).toEqual([]);
    clock.advance(pingMs);
    expect(downs).toEqual([{ reason: "nothing heard for 6000 ms", malformed: false }]);
    expect(near.open).toBe(false);
    clock.advance(10 * pingMs);
    expect(downs).toHaveLength(1);
  });

  test("two that hear each other stay up for hours", () => {
    const other: string[] = [];
    new Link(far, clock, { frame: () => {}, down: (reason) => other.push(reason) });
    for (let second = 0; second < 7200; second++) {
      clock.advance(1000);
      near.flush();
      far.flush();
    }
    expect([...downs, ...other]).toEqual([]);
  });

  test.each([
    ["a ping", [1]],
    ["a frame", [whole, 7]],
  ])("lives on by %s alone", (_, bytes) => {
    for (let second = 0; second < 20; second++) {
      clock.advance(1000);
      hear(...bytes);
    }
    expect(downs).toEqual([]);
  });

  test("hears the other side's goodbye, and says its own", () => {
    hear(2);
    expect(downs).toMatchObject([{ reason: "the peer said goodbye" }]);
    const [a, b] = channelPair();
    const heard: string[] = [];
    new Link(b, clock, { frame: () => {}, down: (reason) => heard.push(reason) });
    new Link(a, clock, {
      frame: () => {},
      down: (reason) => heard.push(`near: ${reason}`),
    }).close();
    a.flush();
    expect(heard).toEqual(["the peer said goodbye"]);
  });

  test("of a page that slept is given up before the burst is read", () => {
    const asleep = createVirtualClock();
    let now = 0;
    const [a] = channelPair();
    const got: Uint8Array[] = [];
    const why: string[] = [];
    // A frozen page: time passes, timers do not run.
    new Link(
      a,
      { ...asleep, now: () => now },
      { frame: (frame) => got.push(frame), down: (reason) => why.push(reason) },
    );
    a.handlers?.message(Uint8Array.of(whole, 1));
    now = silenceMs + 1;
    for (let i = 0; i < 400; i++) a.handlers?.message(Uint8Array.of(whole, 2));
    expect(got).toHaveLength(1);
    expect(why).toEqual([`this page slept for ${silenceMs + 1} ms`]);
  });

  test("hands on frames as they were sent, and none after its end", () => {
    hear(whole, 1, 2, 3);
    link.close();
    hear(whole, 4);
    expect(frames).toEqual([Uint8Array.of(1, 2, 3)]);
    expect(downs).toEqual([]);
    expect(link.send(Uint8Array.of(1), false)).toBe(false);
  });

  test.each([
    ["an unknown tag", [99, 1]],
    ["an empty message", []],
    ["a part without a frame", [18, 1]],
  ])("that hears %s is down for misbehaviour", (_, bytes) => {
    hear(...bytes);
    expect(downs).toMatchObject([{ malformed: true }]);
  });

  test("waits while the channel holds more than its bound, and goes on when it has drained", () => {
    near.bufferedBytes = bufferedBytesMax + 1;
    expect(link.send(Uint8Array.of(1), false)).toBe(true);
    expect(near.sent).toHaveLength(0);
    near.bufferedBytes = bufferedBytesMax;
    near.handlers?.drained();
    expect(near.sent).toHaveLength(1);
  });

  test("goes on at the next ping where no channel tells that it has drained", () => {
    near.bufferedBytes = bufferedBytesMax + 1;
    link.send(Uint8Array.of(1), false);
    near.bufferedBytes = 0;
    clock.advance(pingMs);
    expect(near.sent).toHaveLength(2);
  });

  test("is down when the channel closes or refuses", () => {
    near.handlers?.closed("gone");
    expect(downs).toEqual([{ reason: "gone", malformed: false }]);
    const [a] = channelPair();
    const why: string[] = [];
    const refused = new Link(a, clock, { frame: () => {}, down: (reason) => why.push(reason) });
    a.open = false;
    refused.send(Uint8Array.of(1), false);
    expect(why).toEqual(["the channel refused a message"]);
  });
});
