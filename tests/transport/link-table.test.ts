import { beforeEach, describe, expect, test } from "vitest";
import { createVirtualClock, type VirtualClock } from "../../lib/testing/virtual-clock.js";
import { LinkTable } from "../../lib/transport/link-table.js";
import type { LinkKind, PeerEvent } from "../../lib/transport/transport.js";
import { TestChannel } from "./channels.js";

const peer = 5;
const bye = 2;
const whole = 16;

let clock: VirtualClock;
let table: LinkTable;
let events: PeerEvent[];
let frames: number[];
let gone: LinkKind[];
let malformed: number;

beforeEach(() => {
  clock = createVirtualClock();
  [events, frames, gone, malformed] = [[], [], [], 0];
  table = new LinkTable({
    clock,
    onFrame: (_, frame) => frames.push(frame[0] as number),
    onGone: (_, kind) => gone.push(kind),
    onMalformed: () => malformed++,
  });
  table.events.on((event) => events.push(event));
});

function add(kind: LinkKind): TestChannel {
  const channel = new TestChannel(kind);
  table.add(peer, channel, undefined);
  return channel;
}

const hear = (channel: TestChannel, ...bytes: number[]): void =>
  channel.handlers?.message(Uint8Array.from(bytes));
const up = (generation: number, via: LinkKind) => ({ type: "up", peer, generation, via });
const down = (generation: number, reason: string) => ({ type: "down", peer, generation, reason });

describe("the link in use", () => {
  test.each<[string, LinkKind, LinkKind, LinkKind]>([
    ["WebRTC goes before BroadcastChannel", "broadcast", "webrtc", "webrtc"],
    ["also when it was there first", "webrtc", "broadcast", "webrtc"],
    ["a port goes before WebRTC", "webrtc", "port", "port"],
  ])("%s", (_, first, second, used) => {
    add(first);
    add(second);
    expect(table.via(peer)).toBe(used);
    expect(table.peers()).toEqual([peer]);
  });

  test("taken over, is a new generation without a gap", () => {
    add("broadcast");
    add("webrtc");
    expect(events).toEqual([up(1, "broadcast"), up(2, "webrtc")]);
    expect(gone).toEqual([]);
  });

  test("alone is sent on and heard: frames of the one before are dropped", () => {
    const old = add("broadcast");
    hear(old, whole, 1);
    const now = add("webrtc");
    hear(old, whole, 2);
    hear(now, whole, 3);
    expect(frames).toEqual([1, 3]);
    table.send(peer, Uint8Array.of(9), false);
    expect([old.sent.length, now.sent.length]).toEqual([0, 1]);
  });

  test("taken over, is closed a little later, without an event", () => {
    const old = add("broadcast");
    add("webrtc");
    expect(old.open).toBe(true);
    clock.advance(2000);
    expect(old.open).toBe(false);
    expect(events).toHaveLength(2);
    expect(gone).toEqual(["broadcast"]);
  });

  test("broken, makes room for the one that stood by, as a new generation", () => {
    const old = add("broadcast");
    const now = add("webrtc");
    hear(now, bye);
    expect(events.slice(2)).toEqual([down(2, "the peer said goodbye"), up(3, "broadcast")]);
    clock.advance(3000);
    expect(old.open).toBe(true); // in use again, so no longer about to be closed
    hear(old, whole, 4);
    expect(frames).toEqual([4]);
  });

  test("of a kind that is there already takes its place", () => {
    const old = add("webrtc");
    const now = add("webrtc");
    expect(old.open).toBe(false);
    expect(events).toEqual([up(1, "webrtc"), up(2, "webrtc")]);
    hear(now, bye);
    expect(events.slice(2)).toEqual([down(2, "the peer said goodbye")]);
    expect(gone).toEqual(["webrtc"]);
    expect(table.peers()).toEqual([]);
  });
});

describe("a table", () => {
  test("drops every dialled link of a boot that ended, and keeps a port", () => {
    const [dialled, port] = [add("webrtc"), add("port")];
    table.drop(peer, "was opened anew");
    expect([dialled.open, port.open]).toEqual([false, true]);
    expect(table.via(peer)).toBe("port");
    add("webrtc");
    table.drop(6, "nobody");
    expect(table.peers()).toEqual([peer]);
  });

  test("counts a peer that breaks the protocol", () => {
    hear(add("webrtc"), 99);
    expect(malformed).toBe(1);
    expect(events.map(({ type }) => type)).toEqual(["up", "down"]);
  });

  test("numbers generations on after a link is gone", () => {
    hear(add("webrtc"), bye);
    add("webrtc");
    expect(events.at(-1)).toEqual(up(2, "webrtc"));
  });

  test("sends nothing to a stranger", () => {
    expect(table.send(77, Uint8Array.of(1), false)).toBe(false);
  });

  test("closed, says goodbye on every link and nothing more to anybody here", () => {
    const channels = [add("broadcast"), add("webrtc")];
    const before = events.length;
    table.close();
    expect(channels.map((channel) => channel.sent.at(-1))).toEqual([
      Uint8Array.of(bye),
      Uint8Array.of(bye),
    ]);
    clock.advance(60_000);
    for (const channel of channels) channel.handlers?.closed("late");
    expect(events).toHaveLength(before);
    expect(table.peers()).toEqual([]);
  });
});
