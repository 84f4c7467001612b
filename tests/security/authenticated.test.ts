import { describe, expect, test } from "vitest";
import { createAuthenticate } from "../../lib/security/authenticated.js";
import type { Identity } from "../../lib/security/identity.js";
import type { Boot, ChannelContext, Handshaken } from "../../lib/transport/channel.js";
import { channelPair, type TestChannel } from "../transport/channels.js";
import { freshIdentity, randomBytes } from "../transport/peers.js";

const cluster = new TextEncoder().encode("cluster");
const boots: readonly [Boot, Boot] = [
  { counter: 1, nonce: randomBytes(16) },
  { counter: 4, nonce: randomBytes(16) },
];
const session = randomBytes(16);
const bindings = [randomBytes(32), randomBytes(32)] as const;

const contextOf = (
  [initiator, responder]: readonly [Identity, Identity],
  isInitiator: boolean,
): ChannelContext => ({
  self: (isInitiator ? initiator : responder).nodeId,
  peer: (isInitiator ? responder : initiator).nodeId,
  initiator: isInitiator,
  selfBoot: boots[isInitiator ? 0 : 1],
  peerBoot: boots[isInitiator ? 1 : 0],
  session,
  selfBinding: bindings[isInitiator ? 0 : 1],
  peerBinding: bindings[isInitiator ? 1 : 0],
});

/** Carries messages until both ends have said how it ended, or nothing moves any more. */
async function carry(ends: readonly TestChannel[], results: readonly unknown[]): Promise<void> {
  for (let idle = 0; idle < 20 && results.length < 2; idle++) {
    if (ends.some((end) => end.sent.length > 0)) idle = 0;
    for (const end of ends) end.flush();
    await new Promise((resolve) => setTimeout(resolve));
  }
}

interface Changes {
  readonly initiator?: Partial<ChannelContext>;
  readonly clusterOfInitiator?: Uint8Array;
  /** Who really is at the initiating end. */
  readonly impostor?: Identity;
  /** What becomes of a message of the initiator on its way. */
  readonly tamper?: (message: Uint8Array) => Uint8Array;
}

async function handshake(changes: Changes = {}): Promise<Handshaken[]> {
  const pair = [await freshIdentity(), await freshIdentity()] as const;
  const [a, b] = channelPair();
  const results: Handshaken[] = [];
  const order: Handshaken[] = [];
  const speaker = changes.impostor ?? pair[0];
  createAuthenticate(speaker, changes.clusterOfInitiator ?? cluster)(
    a,
    { ...contextOf(pair, true), ...changes.initiator },
    (result) => {
      results.push(result);
      order[0] = result;
    },
  );
  createAuthenticate(pair[1], cluster)(b, contextOf(pair, false), (result) => {
    results.push(result);
    order[1] = result;
  });
  if (changes.tamper !== undefined) {
    const { tamper } = changes;
    const carryOn = a.flush.bind(a);
    a.flush = () => {
      a.sent.splice(0, a.sent.length, ...a.sent.map(tamper));
      carryOn();
    };
  }
  await carry([a, b], results);
  return order;
}

const failure = { misbehaved: true };

describe("a handshake", () => {
  test("tells both ends who the other is", async () => {
    const pair = [await freshIdentity(), await freshIdentity()] as const;
    const [a, b] = channelPair();
    const results: Handshaken[] = [];
    createAuthenticate(pair[0], cluster)(a, contextOf(pair, true), (r) => results.push(r));
    createAuthenticate(pair[1], cluster)(b, contextOf(pair, false), (r) => results.push(r));
    await carry([a, b], results);
    const credentials = pair.map(({ publicKey, storeId }) => ({ publicKey, storeId }));
    expect(results).toHaveLength(2);
    expect(results).toEqual(expect.arrayContaining(credentials));
  });

  test.each<[string, Changes]>([
    ["another cluster", { clusterOfInitiator: Uint8Array.of(1) }],
    ["another session", { initiator: { session: randomBytes(16) } }],
    ["another fingerprint of this side", { initiator: { selfBinding: randomBytes(32) } }],
    ["another fingerprint of the other side", { initiator: { peerBinding: randomBytes(32) } }],
    [
      "another boot of this side",
      { initiator: { selfBoot: { counter: 1, nonce: randomBytes(16) } } },
    ],
    [
      "another boot of the other side",
      { initiator: { peerBoot: { counter: 4, nonce: randomBytes(16) } } },
    ],
    ["another id of this side", { initiator: { self: 77 } }],
    ["the same role", { initiator: { initiator: false } }],
    [
      "a changed proof",
      { tamper: (m) => (m[0] === 113 ? m.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) : m) },
    ],
    [
      "changed random bytes",
      { tamper: (m) => (m[0] === 112 ? m.map((byte, i) => (i === 60 ? byte ^ 1 : byte)) : m) },
    ],
  ])("with %s is refused by the other end", async (_, changes) => {
    const [, responder] = await handshake(changes);
    expect(responder).toMatchObject(failure);
  });

  test("of a peer with another key than its id says is refused", async () => {
    const [, responder] = await handshake({ impostor: await freshIdentity() });
    expect(responder).toMatchObject({
      failed: "the key is not the named peer's",
      misbehaved: true,
    });
  });

  test.each<[string, number[][]]>([
    ["an empty message", [[]]],
    ["a frame before the handshake", [[16, 1, 2]]],
    ["a ping", [[1]]],
    ["a proof before a hello", [[113, ...new Uint8Array(64)]]],
    ["a hello of another version", [[112, 9, ...new Uint8Array(80)]]],
    ["a hello cut short", [[112, 1, ...new Uint8Array(79)]]],
    ["a hello too long", [[112, 1, ...new Uint8Array(81)]]],
    [
      "two hellos",
      [
        [112, 1, ...new Uint8Array(80)],
        [112, 1, ...new Uint8Array(80)],
      ],
    ],
    ["ready twice", [[114], [114]]],
    ["ready with more", [[114, 0]]],
  ])("ends with %s", async (_, messages) => {
    const pair = [await freshIdentity(), await freshIdentity()] as const;
    const [, b] = channelPair();
    const results: Handshaken[] = [];
    createAuthenticate(pair[1], cluster)(b, contextOf(pair, false), (r) => results.push(r));
    for (const message of messages) b.handlers?.message(Uint8Array.from(message));
    expect(results).toMatchObject([failure]);
  });

  test("answered with its own messages is refused", async () => {
    const pair = [await freshIdentity(), await freshIdentity()] as const;
    const [a] = channelPair();
    a.other = a; // a mirror
    const results: Handshaken[] = [];
    createAuthenticate(pair[0], cluster)(a, contextOf(pair, true), (r) => results.push(r));
    await carry([a], results);
    expect(results).toMatchObject([failure]);
  });

  test("whose channel closes ends without blame, one that is cancelled ends without a word", async () => {
    const pair = [await freshIdentity(), await freshIdentity()] as const;
    const results: Handshaken[] = [];
    const start = (): { channel: TestChannel; cancel: () => void } => {
      const [channel] = channelPair();
      const cancel = createAuthenticate(pair[0], cluster)(channel, contextOf(pair, true), (r) =>
        results.push(r),
      );
      return { channel, cancel };
    };
    start().channel.handlers?.closed("gone");
    expect(results).toMatchObject([{ misbehaved: false }]);
    const { channel, cancel } = start();
    cancel();
    channel.handlers?.message(Uint8Array.of(99));
    channel.handlers?.closed("gone");
    expect(results).toHaveLength(1);
  });

  test("lets a frame follow its last message at once", async () => {
    const pair = [await freshIdentity(), await freshIdentity()] as const;
    const [a, b] = channelPair();
    const order: string[] = [];
    const listenAfter = (name: string, channel: TestChannel) => () => {
      order.push(`${name} up`);
      channel.listen({
        message: (bytes) => order.push(`${name} hears ${bytes[0]}`),
        drained: () => {},
        closed: () => {},
      });
      channel.send(Uint8Array.of(42));
    };
    createAuthenticate(pair[0], cluster)(a, contextOf(pair, true), listenAfter("a", a));
    createAuthenticate(pair[1], cluster)(b, contextOf(pair, false), listenAfter("b", b));
    for (let i = 0; i < 50 && order.length < 4; i++) {
      // All that waits in one go, as a burst from a network would be.
      a.flush();
      b.flush();
      await new Promise((resolve) => setTimeout(resolve));
    }
    expect(order.filter((line) => line.endsWith("up"))).toHaveLength(2);
    expect(order.filter((line) => line.endsWith("hears 42"))).toHaveLength(2);
  });
});
