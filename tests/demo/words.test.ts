/** The page's sentences: what they say of a room, in a table of rooms. */
import { describe, expect, test } from "vitest";
import {
  inWords,
  listInWords,
  noteSentence,
  peerFacts,
  plural,
  roomSentence,
  shortId,
  theDevice,
} from "../../demo/src/words.js";

type Status = Parameters<typeof roomSentence>[0];
type Peer = Parameters<typeof roomSentence>[1][number];

const peer = (id: number, change: Partial<Peer> = {}): Peer => ({
  id,
  name: "laptop",
  author: "a",
  self: false,
  role: "voter",
  connected: true,
  via: "webrtc",
  adopted: false,
  ...change,
});

const me = peer(1, { self: true, via: undefined });

const status = (change: Partial<Status> = {}): Status => ({
  role: "voter",
  quorum: "ok",
  leader: 1,
  voters: [1, 2, 3],
  learners: [],
  waitingFor: [],
  halted: undefined,
  ...change,
});

describe("the room in one sentence", () => {
  const lost = { quorum: "lost", leader: undefined } as const;
  const tablet = { name: "kitchen tablet", peers: 2 };
  test.each<[string, Status, Peer[], string]>([
    ["a founder", status({ voters: [1] }), [me], "1 of 1 here: writing works"],
    ["three tabs", status(), [me, peer(2), peer(3)], "3 of 3 here: writing works"],
    [
      "one is away",
      status(),
      [me, peer(2), peer(3, { connected: false })],
      "2 of 3 here: writing works",
    ],
    ["one is not known yet", status(), [me, peer(2)], "2 of 3 here: writing works"],
    [
      "a learner does not count as here",
      status({ voters: [1], learners: [2] }),
      [me, peer(2)],
      "1 of 1 here: writing works, and one learner following",
    ],
    [
      "no majority",
      status({ ...lost, waitingFor: [tablet] }),
      [me],
      "waiting for two peers of the kitchen tablet",
    ],
    [
      "no majority, several devices",
      status({ ...lost, waitingFor: [tablet, { name: "Ann’s phone", peers: 1 }] }),
      [me],
      "waiting for two peers of the kitchen tablet and one peer of Ann’s phone",
    ],
    [
      "no leader yet",
      status(lost),
      [me, peer(2), peer(3)],
      "electing a leader: writing waits for a moment",
    ],
    [
      "joining, and somebody is there",
      status({ role: "joining" }),
      [me, peer(2)],
      "joining: the others are letting this tab in",
    ],
    [
      "joining, and nobody is there",
      status({ role: "joining" }),
      [me],
      "joining: waiting for somebody who is in to have the board open",
    ],
    [
      "halted comes before all else",
      status({ halted: "STORE_WENT_BACK" }),
      [me],
      "this tab has stopped for good: STORE_WENT_BACK",
    ],
  ])("%s", (_name, state, peers, sentence) => {
    expect(roomSentence(state, peers).text).toBe(sentence);
  });
});

describe("words", () => {
  test("small numbers are written out, larger ones are digits", () => {
    expect([0, 1, 2, 9, 10].map(inWords)).toEqual(["no", "one", "two", "nine", "10"]);
  });

  test("only one is singular", () => {
    expect([0, 1, 2].map((n) => plural(n, "peer"))).toEqual(["no peers", "one peer", "two peers"]);
  });

  test.each([
    [[], ""],
    [["a"], "a"],
    [["a", "b"], "a and b"],
    [["a", "b", "c"], "a, b and c"],
  ])("%j is listed as “%s”", (parts, list) => {
    expect(listInWords(parts)).toBe(list);
  });

  test.each([
    ["kitchen tablet", "the kitchen tablet"],
    ["Ann's phone", "Ann's phone"],
    ["Ann’s phone", "Ann’s phone"],
    ["my laptop", "my laptop"],
    ["The Beast", "The Beast"],
    ["Theo", "the Theo"],
  ])("the device named “%s” is “%s”", (name, phrase) => {
    expect(theDevice(name)).toBe(phrase);
  });

  test.each([
    [0, "0000"],
    [0x1234, "1234"],
    [2 ** 53 - 1, "ffff"],
  ])("peer %d is called %s", (id, short) => {
    expect(shortId(id)).toBe(short);
  });

  test.each<[Parameters<typeof noteSentence>[0], string | undefined]>([
    [{ relay: "connected", turnNeeded: false }, undefined],
    [
      { relay: "off", turnNeeded: false },
      "The relay is off: newcomers cannot join; the open tabs go on.",
    ],
    [
      { relay: "connected", turnNeeded: true },
      "WebRTC finds no way to one of the peers: this network needs a TURN server.",
    ],
  ])("of %j the page says “%s”", (state, sentence) => {
    expect(noteSentence(state)).toBe(sentence);
  });

  test.each<[string, Peer]>([
    ["voter · this tab", me],
    ["voter · WebRTC", peer(2)],
    ["learner · away", peer(2, { role: "learner", connected: false })],
    ["voter · adopted · MessagePort", peer(2, { adopted: true, via: "port" })],
    ["leader · BroadcastChannel", peer(2, { role: "leader", via: "broadcast" })],
  ])("a peer is described as “%s”", (facts, described) => {
    expect(peerFacts(described)).toBe(facts);
  });
});
