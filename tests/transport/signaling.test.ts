import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import type { Boot } from "../../lib/transport/channel.js";
import type { Effect } from "../../lib/transport/effects.js";
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  payloadBytesMax,
  type SessionEnvelope,
} from "../../lib/transport/envelope.js";
import { helloTimes } from "../../lib/transport/hellos.js";
import { redialTimes } from "../../lib/transport/redial.js";
import { rosterPeersMax } from "../../lib/transport/roster.js";
import type { Session } from "../../lib/transport/session.js";
import { Signaling, signalingDefaults } from "../../lib/transport/signaling.js";
import { toAll, type WayName } from "../../lib/transport/way.js";

const boot = (counter: number, fill = counter): Boot => ({
  counter,
  nonce: new Uint8Array(16).fill(fill),
});
const selfBoot = boot(7);
const self = 50;

function machine(options: { rtcAvailable?: boolean; id?: number } = {}): Signaling {
  return new Signaling({
    self: options.id ?? self,
    boot: selfBoot,
    random: seededRandom(1),
    rtcAvailable: options.rtcAvailable ?? true,
  });
}

const hello = (from: number, over: Partial<Envelope> = {}): Uint8Array =>
  encodeEnvelope({
    type: "hello",
    from,
    to: 0,
    boot: boot(1),
    wantsReply: false,
    ...over,
  } as Envelope);

const inSession = (
  type: SessionEnvelope["type"],
  from: number,
  over: Partial<SessionEnvelope> = {},
) =>
  encodeEnvelope({
    type,
    from,
    to: self,
    boot: boot(1),
    toBootNonce: selfBoot.nonce,
    session: new Uint8Array(16).fill(from),
    sequence: 1,
    link: "webrtc",
    payload: Uint8Array.of(1),
    ...over,
  });

/** Effects without the sending ones, and what was sent, decoded. */
function taken(signaling: Signaling): {
  acts: Effect[];
  sent: (Envelope & { way: WayName; address: number })[];
} {
  const effects = signaling.take();
  return {
    acts: effects.filter(({ type }) => type !== "send"),
    sent: effects.flatMap((effect) =>
      effect.type === "send"
        ? [{ ...decodeEnvelope(effect.envelope), way: effect.way, address: effect.address }]
        : [],
    ),
  };
}

const typesOf = (effects: readonly { type: string }[]): string[] => effects.map(({ type }) => type);

let signaling: Signaling;
beforeEach(() => {
  signaling = machine();
  signaling.wayUp("relay", [], 0);
  signaling.take();
});

/** The session of the only dial or accept among the effects. */
function sessionIn(effects: readonly Effect[]): Session {
  const found = effects.find(({ type }) => type === "dial" || type === "accept");
  if (found === undefined || !("session" in found)) throw new Error("no session");
  return found.session;
}

describe("presence:", () => {
  test("a way that opens is told hello, and asked to answer", () => {
    signaling.wayUp("broadcast", [], 0);
    expect(taken(signaling).sent).toMatchObject([
      { type: "hello", from: self, way: "broadcast", address: toAll, wantsReply: true },
    ]);
  });

  test("a peer heard of is known, and answered where it asks", () => {
    signaling.received("relay", 3, hello(20, { wantsReply: true }), 0);
    const { acts, sent } = taken(signaling);
    expect(acts).toEqual([{ type: "known", peer: 20 }]);
    expect(sent).toMatchObject([{ type: "hello", to: 20, address: 3, wantsReply: false }]);
    signaling.received("relay", 3, hello(20), 1);
    expect(taken(signaling)).toEqual({ acts: [], sent: [] });
    expect(signaling.known()).toEqual([20]);
  });

  test("an envelope for somebody else says nothing to us", () => {
    signaling.received("relay", 3, hello(20, { to: 21 }), 0);
    expect(signaling.take()).toEqual([]);
    expect(signaling.known()).toEqual([]);
  });

  test("our own envelope, come back, is nobody's", () => {
    signaling.received("relay", 3, hello(self), 0);
    expect(signaling.take()).toEqual([]);
  });

  test("a goodbye ends the boot: what is heard of it afterwards is refused", () => {
    signaling.received("relay", 3, hello(20), 0);
    signaling.take();
    signaling.received(
      "relay",
      3,
      encodeEnvelope({ type: "bye", from: 20, to: 0, boot: boot(1) }),
      1,
    );
    expect(taken(signaling).acts).toMatchObject([{ type: "gone", peer: 20 }]);
    signaling.received("relay", 3, hello(20), 2);
    expect(signaling.known()).toEqual([]);
    expect(signaling.refused).toBe(1);
  });

  test.each([
    ["an earlier boot", boot(3), 1],
    ["another peer with the same boot counter", boot(5, 9), 1],
    ["the same boot", boot(5), 0],
  ])("%s, after boot 5 was heard, is refused or not", (_, later, refused) => {
    signaling.received("relay", 3, hello(20, { boot: boot(5) }), 0);
    signaling.take();
    signaling.received("relay", 4, hello(20, { boot: later }), 1);
    expect(signaling.refused).toBe(refused);
    expect(taken(signaling).acts).toEqual([]);
  });

  test("a later boot ends what there was with the earlier one, and is dialled anew", () => {
    signaling.received("relay", 3, hello(60), 0);
    const first = sessionIn(taken(signaling).acts);
    signaling.received("relay", 4, hello(60, { boot: boot(2) }), 1);
    const { acts } = taken(signaling);
    expect(typesOf(acts)).toEqual(["abandon", "gone", "known", "dial"]);
    expect(sessionIn(acts).key).not.toBe(first.key);
    expect(sessionIn(acts).peerBoot).toEqual(boot(2));
  });

  test("a relay with strangers on it is asked again now and then, one with linked peers only is not", () => {
    signaling.arrived("relay", 3);
    signaling.tick(helloTimes.relayMs);
    expect(taken(signaling).sent).toMatchObject([
      { type: "hello", address: toAll, wantsReply: true },
    ]);
    signaling.received("relay", 3, hello(60), 0);
    signaling.opened(sessionIn(taken(signaling).acts), 0);
    signaling.tick(2 * helloTimes.relayMs);
    expect(signaling.take()).toEqual([]);
  });

  test("a BroadcastChannel is told hello regularly, and who is not heard there any more is not there", () => {
    signaling.wayUp("broadcast", [], 0);
    signaling.received("broadcast", 0, hello(20), 0);
    signaling.take();
    signaling.tick(helloTimes.broadcastMs);
    expect(taken(signaling).sent).toMatchObject([{ type: "hello", way: "broadcast" }]);
    signaling.tick(3 * helloTimes.broadcastMs + 1);
    signaling.take();
    signaling.received("broadcast", 0, hello(20), 20_000);
    expect(taken(signaling).sent).toMatchObject([{ type: "hello", to: 20 }]); // as to a newcomer
  });

  test("peers beyond the bound take the place of those gone, and are refused while none is", () => {
    for (let id = 1; id <= rosterPeersMax; id++) {
      signaling.received("relay", id, hello(1000 + id), 0);
    }
    signaling.received("relay", 9999, hello(9999), 0);
    expect(signaling.known()).not.toContain(9999);
    signaling.left("relay", 5);
    for (const effect of signaling.take())
      if (effect.type === "dial") signaling.failed(effect.session, 0, false);
    signaling.received("relay", 9999, hello(9999), 0);
    expect(signaling.known()).toContain(9999);
    expect(signaling.known()).not.toContain(1005);
  });
});

describe("dialling:", () => {
  test("the smaller id dials, the larger waits", () => {
    signaling.received("relay", 3, hello(20), 0);
    expect(typesOf(taken(signaling).acts)).toEqual(["known"]);
    signaling.received("relay", 4, hello(60), 0);
    expect(typesOf(taken(signaling).acts)).toEqual(["known", "dial"]);
  });

  test("offer, answer and candidates travel in one session, numbered", () => {
    signaling.received("relay", 4, hello(60), 0);
    const session = sessionIn(taken(signaling).acts);
    signaling.localSignal(session, { type: "offer", payload: Uint8Array.of(1) });
    signaling.localSignal(session, { type: "candidate", payload: Uint8Array.of(2) });
    const common = {
      from: self,
      to: 60,
      address: 4,
      session: session.id,
      toBootNonce: boot(1).nonce,
    };
    expect(taken(signaling).sent).toMatchObject([
      { ...common, type: "offer", sequence: 1 },
      { ...common, type: "candidate", sequence: 2 },
    ]);
    signaling.received(
      "relay",
      4,
      inSession("answer", 60, { session: session.id, sequence: 1 }),
      1,
    );
    signaling.received(
      "relay",
      4,
      inSession("candidate", 60, { session: session.id, sequence: 2 }),
      1,
    );
    expect(taken(signaling).acts).toMatchObject([
      { type: "signal", session, signal: { type: "answer" } },
      { type: "signal", session, signal: { type: "candidate" } },
    ]);
  });

  test("an attempt that does not open in time is abandoned and tried again, later each time", () => {
    signaling.received("relay", 4, hello(60), 0);
    signaling.take();
    const pauses: number[] = [];
    let now = 0;
    for (let round = 0; round < 8; round++) {
      now += signalingDefaults.sessionMs;
      const failedAt = now;
      signaling.tick(now);
      let { acts } = taken(signaling);
      expect(typesOf(acts)).toEqual(["abandon"]);
      while (!typesOf(acts).includes("dial")) {
        now += 100;
        signaling.tick(now);
        acts = taken(signaling).acts;
      }
      pauses.push(now - failedAt);
    }
    expect(pauses[0]).toBeLessThanOrEqual(redialTimes.pauseMs + 100);
    expect(Math.max(...pauses)).toBeGreaterThan(redialTimes.pauseMsMax / 2 - 100);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(redialTimes.pauseMsMax + 100);
  });

  test("so many at once and no more; the next when one has ended", () => {
    const { dialledMax } = signalingDefaults;
    for (let i = 0; i <= dialledMax; i++) signaling.received("relay", 1 + i, hello(60 + i), 0);
    const dials = taken(signaling).acts.filter(({ type }) => type === "dial");
    expect(dials).toHaveLength(dialledMax);
    signaling.opened(sessionIn(dials), 1);
    signaling.tick(2);
    expect(typesOf(taken(signaling).acts)).toEqual(["dial"]);
  });

  test("who is not heard of any more is not dialled", () => {
    signaling.received("relay", 4, hello(60), 0);
    signaling.failed(sessionIn(taken(signaling).acts), 0, false);
    signaling.left("relay", 4);
    signaling.tick(60_000);
    expect(signaling.take()).toEqual([]);
  });

  test("a link that held and broke is dialled again at once, one that did not hold waits", () => {
    signaling.received("relay", 4, hello(60), 0);
    signaling.opened(sessionIn(taken(signaling).acts), 0);
    signaling.unlinked(60, "webrtc", redialTimes.steadyMs);
    const redialled = redialTimes.steadyMs + redialTimes.soonMs;
    signaling.tick(redialled);
    signaling.opened(sessionIn(taken(signaling).acts), redialled);
    signaling.unlinked(60, "webrtc", redialled + 1);
    signaling.tick(redialled + 1 + redialTimes.pauseMs / 2 - 1);
    expect(typesOf(taken(signaling).acts)).toEqual([]);
  });

  test("a peer reached by port is not dialled, in whichever order one hears of it", () => {
    signaling.portLinked(60, 0);
    signaling.received("relay", 4, hello(60), 0);
    expect(typesOf(taken(signaling).acts)).toEqual(["known"]);
    signaling.unlinked(60, "port", 1);
    signaling.tick(2);
    expect(typesOf(taken(signaling).acts)).toEqual(["dial"]);
  });

  test("two attempts in which both ends spoke and found no path: TURN is needed, until a link opens", () => {
    signaling.received("relay", 4, hello(60), 0);
    for (const now of [0, 5_000]) {
      signaling.tick(now);
      const session = sessionIn(taken(signaling).acts);
      signaling.received("relay", 4, inSession("answer", 60, { session: session.id }), now);
      expect(signaling.iceFailed).toBe(false);
      signaling.failed(session, now, true);
    }
    expect(signaling.iceFailed).toBe(true);
    signaling.tick(20_000);
    signaling.opened(sessionIn(taken(signaling).acts), 20_000);
    expect(signaling.iceFailed).toBe(false);
  });

  test("attempts that nobody answered say nothing about TURN", () => {
    signaling.received("relay", 4, hello(60), 0);
    for (const now of [0, 5_000, 15_000]) {
      signaling.tick(now);
      signaling.failed(sessionIn(taken(signaling).acts), now, true);
    }
    expect(signaling.iceFailed).toBe(false);
  });
});

describe("being dialled:", () => {
  test("an offer from a smaller id is accepted, the answer goes back in its session", () => {
    signaling.received("relay", 3, inSession("offer", 20), 0);
    const { acts } = taken(signaling);
    expect(acts).toMatchObject([{ type: "known" }, { type: "accept", offer: Uint8Array.of(1) }]);
    const session = sessionIn(acts);
    signaling.localSignal(session, { type: "answer", payload: Uint8Array.of(2) });
    expect(taken(signaling).sent).toMatchObject([
      { type: "answer", session: session.id, toBootNonce: boot(1).nonce, address: 3, sequence: 1 },
    ]);
  });

  test.each<[string, Uint8Array]>([
    ["from a larger id", inSession("offer", 60)],
    [
      "for an earlier boot of ours",
      inSession("offer", 20, { toBootNonce: new Uint8Array(16).fill(6) }),
    ],
    ["that is not the first of its session", inSession("offer", 20, { sequence: 2 })],
  ])("an offer %s is refused", (_, envelope) => {
    signaling.received("relay", 3, envelope, 0);
    expect(typesOf(taken(signaling).acts)).not.toContain("accept");
    expect(signaling.refused).toBe(1);
  });

  test("a session that was seen is not accepted again, also when it is long over", () => {
    signaling.received("relay", 3, inSession("offer", 20), 0);
    signaling.failed(sessionIn(taken(signaling).acts), 1, false);
    signaling.received("relay", 3, inSession("offer", 20), 2);
    expect(signaling.take()).toEqual([]);
    expect(signaling.refused).toBe(1);
  });

  test("an offer of a new session takes the place of the one that is under way", () => {
    signaling.received("relay", 3, inSession("offer", 20), 0);
    signaling.take();
    signaling.received(
      "relay",
      3,
      inSession("offer", 20, { session: new Uint8Array(16).fill(99) }),
      1,
    );
    expect(typesOf(taken(signaling).acts)).toEqual(["abandon", "accept"]);
  });

  test("without WebRTC an offer is declined, and who is declined waits", () => {
    const without = machine({ rtcAvailable: false });
    without.wayUp("relay", [], 0);
    without.take();
    without.received("relay", 3, inSession("offer", 20), 0);
    expect(taken(without).sent).toMatchObject([{ type: "refuse", to: 20 }]);

    signaling.received("relay", 4, hello(60), 0);
    const session = sessionIn(taken(signaling).acts);
    signaling.received("relay", 4, inSession("refuse", 60, { session: session.id }), 1);
    expect(typesOf(taken(signaling).acts)).toEqual(["abandon"]);
    signaling.tick(2);
    expect(signaling.take()).toEqual([]);
  });

  test("more offers than the bound are declined", () => {
    for (let i = 0; i <= signalingDefaults.acceptingMax; i++) {
      signaling.received(
        "relay",
        i,
        inSession("offer", 1 + i, { session: new Uint8Array(16).fill(i) }),
        0,
      );
    }
    const { acts, sent } = taken(signaling);
    expect(acts.filter(({ type }) => type === "accept")).toHaveLength(
      signalingDefaults.acceptingMax,
    );
    expect(sent.filter(({ type }) => type === "refuse")).toHaveLength(1);
  });
});

describe("within a session,", () => {
  let session: Session;
  beforeEach(() => {
    signaling.received("relay", 4, hello(60), 0);
    session = sessionIn(taken(signaling).acts);
  });
  const answer = (over: Partial<SessionEnvelope> = {}) =>
    inSession("answer", 60, { session: session.id, ...over });

  test.each<[string, () => Uint8Array]>([
    ["an answer of another session", () => answer({ session: new Uint8Array(16) })],
    ["an answer for another boot of ours", () => answer({ toBootNonce: new Uint8Array(16) })],
    ["an answer of another peer", () => answer({ from: 61 })],
    ["an answer for another kind of link", () => answer({ link: "broadcast" })],
    [
      "an answer after too many envelopes",
      () => answer({ sequence: signalingDefaults.envelopesMax + 1 }),
    ],
    ["an answer of the peer's next boot", () => answer({ boot: boot(2) })],
  ])("%s is no signal", (_, envelope) => {
    signaling.received("relay", 4, envelope(), 1);
    expect(typesOf(taken(signaling).acts)).not.toContain("signal");
    expect(signaling.refused).toBe(1);
  });

  test("an envelope that is played again, or late, is no signal", () => {
    signaling.received("relay", 4, answer({ sequence: 2 }), 1);
    expect(typesOf(taken(signaling).acts)).toEqual(["signal"]);
    signaling.received("relay", 4, answer({ sequence: 2 }), 2);
    signaling.received("relay", 4, answer({ sequence: 1 }), 3);
    expect(signaling.take()).toEqual([]);
    expect(signaling.refused).toBe(2);
  });

  test("a candidate that comes when the link is open already is late, not wrong", () => {
    signaling.opened(session, 1);
    signaling.received("relay", 4, inSession("candidate", 60, { session: session.id }), 2);
    expect(signaling.take()).toEqual([]);
    expect(signaling.refused).toBe(0);
  });
});

describe("peers of one profile", () => {
  beforeEach(() => {
    signaling.wayUp("broadcast", [], 0);
    signaling.received("broadcast", 0, hello(60), 0);
    signaling.received("relay", 4, hello(60), 0);
  });

  test("signal over BroadcastChannel, whatever else there is", () => {
    const session = sessionIn(taken(signaling).acts);
    signaling.localSignal(session, { type: "offer", payload: new Uint8Array(0) });
    expect(taken(signaling).sent).toMatchObject([{ type: "offer", way: "broadcast" }]);
  });

  const linksDialled = () =>
    taken(signaling).acts.flatMap((effect) =>
      effect.type === "dial" ? [effect.session.link] : [],
    );

  test("are given a BroadcastChannel link when WebRTC does not open in time", () => {
    expect(linksDialled()).toEqual(["webrtc"]);
    signaling.tick(signalingDefaults.broadcastAfterMs - 1);
    expect(linksDialled()).toEqual([]);
    signaling.tick(signalingDefaults.broadcastAfterMs);
    expect(linksDialled()).toEqual(["broadcast"]);
  });

  test("are given one at once when WebRTC fails", () => {
    signaling.failed(sessionIn(taken(signaling).acts), 100, true);
    expect(linksDialled()).toEqual(["broadcast"]);
  });

  test("with such a link go on trying WebRTC, and with WebRTC do not try the other", () => {
    signaling.failed(sessionIn(taken(signaling).acts), 100, true);
    signaling.opened(sessionIn(taken(signaling).acts), 200);
    signaling.tick(redialTimes.pauseMs + 100);
    const { acts } = taken(signaling);
    expect(sessionIn(acts).link).toBe("webrtc");
    signaling.opened(sessionIn(acts), 3_000);
    signaling.unlinked(60, "broadcast", 5_000);
    signaling.received("broadcast", 0, hello(60), 8_000);
    signaling.tick(10_000);
    expect(linksDialled()).toEqual([]);
  });
});

describe("any bytes at all", () => {
  test("are counted or understood, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const machineUnderTest = machine();
        machineUnderTest.received("relay", 1, bytes, 0);
        expect(machineUnderTest.refused + machineUnderTest.known().length).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("changed anywhere in an offer never break it", () => {
    const offer = inSession("offer", 20, { payload: new Uint8Array(20) });
    fc.assert(
      fc.property(fc.nat(offer.length - 1), fc.nat(255), (at, value) => {
        const changed = offer.slice();
        changed[at] = value;
        machine().received("relay", 1, changed, 0);
      }),
    );
  });
});

describe("an envelope", () => {
  test("is read as it was written", () => {
    const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    const sender = {
      from: id,
      to: fc.oneof(fc.constant(0), id),
      boot: fc.record({ counter: id, nonce: bytes16 }),
    };
    const envelopes = fc.oneof(
      fc.record({ type: fc.constant("hello" as const), ...sender, wantsReply: fc.boolean() }),
      fc.record({ type: fc.constant("bye" as const), ...sender }),
      fc.record({
        type: fc.constantFrom(
          "offer" as const,
          "answer" as const,
          "candidate" as const,
          "refuse" as const,
        ),
        ...sender,
        toBootNonce: bytes16,
        session: bytes16,
        sequence: fc.nat(2 ** 31 - 1),
        link: fc.constantFrom("webrtc" as const, "broadcast" as const),
        payload: fc.uint8Array({ maxLength: 50 }),
      }),
    );
    fc.assert(
      fc.property(envelopes, (envelope) => {
        expect(decodeEnvelope(encodeEnvelope(envelope))).toEqual(envelope);
      }),
    );
  });

  const good = inSession("offer", 20);
  const withByte = (at: number, value: number): Uint8Array => {
    const copy = good.slice();
    copy[at] = value;
    return copy;
  };
  test.each<[string, Uint8Array, RegExp]>([
    ["empty", new Uint8Array(0), /needs 1 bytes at 0/],
    ["of another version", withByte(0, 2), /version 2/],
    ["of an unknown type", withByte(1, 9), /9 is none of hello, bye/],
    ["from nobody", encodeEnvelope({ type: "bye", from: 0, to: 0, boot: boot(1) }), /from nobody/],
    ["from an id above 2^53 − 1", withByte(2, 0xff), /above 2\^53/],
    ["cut short", good.subarray(0, 60), /needs 16 bytes/],
    ["with bytes too many", Uint8Array.from([...hello(20), 0]), /1 bytes too many/],
    [
      "with too long a payload",
      inSession("offer", 20, { payload: new Uint8Array(payloadBytesMax + 1) }),
      /at most 12288/,
    ],
  ])("%s is a DecodeError", (_, bytes, rule) => {
    expect(() => decodeEnvelope(bytes)).toThrow(rule);
  });
});
