import { connect } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type RoomKeys, roomKeysOf } from "../../lib/security/room-keys.js";
import { everybody, relayClose, relayFrameBytesMax } from "../../lib/transport/relay-frames.js";
import type { RelayOptions } from "../../relay/attach.js";
import { RawClient, startRelay, type TestRelay } from "./relay-server.js";

let running: TestRelay | undefined;
const clients: RawClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await running?.stop();
  running = undefined;
});

async function start(options: RelayOptions = {}): Promise<TestRelay> {
  running = await startRelay(options);
  return running;
}

function dial(headers: Record<string, string> = {}): RawClient {
  const client = new RawClient((running as TestRelay).url, headers);
  clients.push(client);
  return client;
}

const room = (byte: number): Promise<RoomKeys> => roomKeysOf(new Uint8Array(32).fill(byte));

async function joined(keys: RoomKeys): Promise<{ client: RawClient; connId: number }> {
  const client = dial();
  const connId = await client.join(keys);
  await client.next("joined");
  return { client, connId };
}

const body = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("a relay", () => {
  test("announces who is there, who comes and who goes", async () => {
    await start();
    const keys = await room(1);
    const first = await joined(keys);
    const second = dial();
    const secondId = await second.join(keys);
    expect(await second.next("joined")).toEqual({ type: "joined", members: [first.connId] });
    expect(await first.client.next("arrived")).toEqual({ type: "arrived", connId: secondId });
    second.close();
    expect(await first.client.next("left")).toEqual({ type: "left", connId: secondId });
  });

  test("forwards a body to one member, or to all others, as it came", async () => {
    const { relay } = await start();
    const keys = await room(1);
    const [a, b, c] = [await joined(keys), await joined(keys), await joined(keys)];
    await a.client.next("arrived");
    await a.client.next("arrived");
    await b.client.next("arrived");
    a.client.send({ type: "send", to: b.connId, body: body("for b") });
    a.client.send({ type: "send", to: everybody, body: body("for all") });
    const envelope = (text: string) => ({
      type: "envelope",
      from: a.connId,
      body: Buffer.from(text),
    });
    expect(await b.client.next("envelope")).toEqual(envelope("for b"));
    expect(await b.client.next("envelope")).toEqual(envelope("for all"));
    expect(await c.client.next("envelope")).toEqual(envelope("for all"));
    expect(relay.stats).toMatchObject({ connections: 3, rooms: 1, forwarded: 3 });
  });

  test("keeps rooms apart, also for one who knows a member's connId", async () => {
    await start();
    const here = await joined(await room(1));
    const there = await joined(await room(2));
    there.client.send({ type: "send", to: here.connId, body: body("psst") });
    there.client.send({ type: "send", to: everybody, body: body("psst") });
    const neighbour = await joined(await room(1));
    await here.client.next("arrived"); // the first thing it hears
    neighbour.client.send({ type: "send", to: here.connId, body: body("hello") });
    expect(await here.client.next("envelope")).toMatchObject({ from: neighbour.connId });
  });

  test("answers a page's ping", async () => {
    await start();
    const { client } = await joined(await room(1));
    client.send({ type: "ping" });
    expect(await client.next("pong")).toEqual({ type: "pong" });
  });

  test("forgets a room with its last member", async () => {
    const { relay } = await start();
    const { client } = await joined(await room(1));
    client.close();
    await expect.poll(() => relay.stats).toMatchObject({ connections: 0, rooms: 0 });
  });

  test("leaves other paths alone and answers 404 when nobody else takes them", async () => {
    const { host } = await start();
    const status = await new Promise((resolve) => {
      const socket = new WebSocket(`ws://${host}/elsewhere`);
      socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
      socket.on("error", () => {});
    });
    expect(status).toBe(404);
    expect((await fetch(`http://${host}/`)).status).toBe(200);
  });

  test("lets go of the server when closed, which goes on", async () => {
    const { relay, host, server } = await start();
    const { client } = await joined(await room(1));
    await relay.close();
    await relay.close();
    await client.closed;
    expect(server.listenerCount("upgrade")).toBe(0);
    expect(await (await fetch(`http://${host}/`)).text()).toBe("a page");
  });

  test("does not compress, whatever is offered", async () => {
    await start();
    const client = dial();
    await client.next("challenge");
    expect(client.socket.extensions).toBe("");
  });
});

describe("a proof", () => {
  const wrong = new Uint8Array(64).fill(1);
  const other = new Uint8Array(32).fill(2);
  test.each<[string, Parameters<RawClient["join"]>[1]]>([
    ["with a wrong signature", (frame) => ({ ...frame, signature: wrong })],
    ["under another key", (frame) => ({ ...frame, publicKey: other })],
    ["for another host", (frame) => ({ ...frame, host: "evil.example" })],
  ])("%s ends the connection", async (_, change) => {
    const { relay } = await start();
    const client = dial();
    await client.join(await room(1), change);
    expect(await client.closed).toBe(relayClose.badProof);
    expect(relay.stats).toMatchObject({ badProofs: 1, rooms: 0 });
  });

  test("of another connection's challenge ends the connection", async () => {
    await start();
    const keys = await room(1);
    const [victim, thief] = [dial(), dial()];
    const { connId, challenge } = await thief.next("challenge");
    expect(connId).toBeGreaterThan(0);
    expect(challenge).toHaveLength(32);
    let stolen: Parameters<RawClient["send"]>[0] | undefined;
    await victim.join(keys, (frame) => {
      stolen = frame;
      return frame;
    });
    await victim.next("joined");
    if (stolen !== undefined) thief.send(stolen);
    expect(await thief.closed).toBe(relayClose.badProof);
  });

  test("twice on one connection ends it, right as it may be", async () => {
    await start();
    const client = dial();
    let proof: Parameters<RawClient["send"]>[0] | undefined;
    await client.join(await room(1), (frame) => {
      proof = frame;
      return frame;
    });
    await client.next("joined");
    if (proof !== undefined) client.send(proof);
    expect(await client.closed).toBe(relayClose.badProof);
  });

  test("that does not come in time ends the connection", async () => {
    await start({ joinMs: 30 });
    expect(await dial().closed).toBe(relayClose.joinTimeout);
  });

  test("for a host that is not on the relay's list ends the connection", async () => {
    await start({ hosts: ["relay.example"] });
    const client = dial();
    await client.join(await room(1));
    expect(await client.closed).toBe(relayClose.badProof);
  });
});

describe("garbage ends its own connection only:", () => {
  const cases: readonly (readonly [string, string | Uint8Array, number])[] = [
    ["an empty message", new Uint8Array(0), relayClose.badFrame],
    ["an unknown tag", Uint8Array.of(99, 1, 2), relayClose.badFrame],
    ["half a join", Uint8Array.of(17, 1, 2, 3), relayClose.badFrame],
    ["text", "hello", relayClose.badFrame],
    ["a body before the join", Uint8Array.of(18, 0, 0, 0, 0, 1), relayClose.badFrame],
    ["a message above the bound", new Uint8Array(relayFrameBytesMax + 1), 1009],
  ];
  test.each(cases)("%s", async (_, message, code) => {
    const { relay } = await start();
    const honest = await joined(await room(1));
    const client = dial();
    await client.next("challenge");
    client.socket.send(message);
    expect(await client.closed).toBe(code);
    expect(honest.client.socket.readyState).toBe(WebSocket.OPEN);
    await expect.poll(() => relay.stats.connections).toBe(1);
  });

  test("any bytes at all, before and after the join", async () => {
    const { relay } = await start({ messagesPerSecond: 10_000, messagesBurst: 10_000 });
    const honest = await joined(await room(1));
    const keys = await room(2);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, after) => {
        const client = after ? (await joined(keys)).client : dial();
        if (!after) await client.next("challenge");
        client.socket.send(bytes);
        client.socket.close();
        await client.closed;
      }),
      { numRuns: 50 },
    );
    expect(honest.client.socket.readyState).toBe(WebSocket.OPEN);
    await expect.poll(() => relay.stats.connections).toBe(1);
  });

  test("bytes that are no WebSocket at all", async () => {
    const { relay, host } = await start();
    const honest = await joined(await room(1));
    const [name, port] = host.split(":");
    const upgrade = `GET /relay HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`;
    for (const noise of [
      "\0\0\0garbage\r\n\r\n",
      `${upgrade}\xff\xff\xff\xff\xff\xff\xff\xff\xff`,
      `${upgrade}\xf2\x80`,
    ]) {
      const socket = connect(Number(port), name);
      socket.write(noise, "latin1");
      await new Promise((resolve) => socket.on("error", resolve).on("close", resolve).resume());
    }
    expect(honest.client.socket.readyState).toBe(WebSocket.OPEN);
    await expect.poll(() => relay.stats.connections).toBe(1);
  });
});

describe("a bound", () => {
  test("on members: the next is refused, a place that is left can be taken", async () => {
    const { relay } = await start({ membersPerRoom: 2 });
    const keys = await room(1);
    const first = await joined(keys);
    await joined(keys);
    const third = dial();
    await third.join(keys);
    expect(await third.closed).toBe(relayClose.roomFull);
    first.client.close();
    await expect.poll(() => relay.stats.connections).toBe(1);
    await joined(keys);
  });

  test("on rooms: another cannot be opened, one that is open can be entered", async () => {
    await start({ rooms: 1 });
    await joined(await room(1));
    const stranger = dial();
    await stranger.join(await room(2));
    expect(await stranger.closed).toBe(relayClose.roomFull);
    await joined(await room(1));
  });

  test.each<[string, RelayOptions]>([
    ["connections", { connections: 1 }],
    ["connections that have not joined", { waiting: 1 }],
  ])("on %s: more are answered 503", async (_, options) => {
    const { url, relay } = await start(options);
    await dial().next("challenge");
    const status = await new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.on("unexpected-response", (_request, response) => resolve(response.statusCode));
      socket.on("error", () => {});
    });
    expect(status).toBe(503);
    expect(relay.stats.refusedUpgrades).toBe(1);
  });

  test("on messages: what is above the rate is dropped, and the connection closed when it goes on", async () => {
    const { relay } = await start({ messagesPerSecond: 1, messagesBurst: 5, droppedMax: 20 });
    const keys = await room(1);
    const flood = await joined(keys);
    const honest = await joined(keys);
    for (let i = 0; i < 100; i++) {
      flood.client.send({ type: "send", to: honest.connId, body: Uint8Array.of(i) });
    }
    expect(await flood.client.closed).toBe(relayClose.flood);
    expect(relay.stats.forwarded).toBe(4); // the burst of five less the join
    expect(relay.stats.dropped).toBe(21);
    expect(honest.client.socket.readyState).toBe(WebSocket.OPEN);
  });

  test("on bytes: a body above the rate is dropped", async () => {
    const { relay } = await start({ bytesPerSecond: 1, bytesBurst: 1000 });
    const keys = await room(1);
    const [a, b] = [await joined(keys), await joined(keys)];
    await a.client.next("arrived");
    a.client.send({ type: "send", to: b.connId, body: new Uint8Array(2000) });
    a.client.send({ type: "send", to: b.connId, body: Uint8Array.of(7) });
    expect((await b.client.next("envelope")).body).toEqual(Buffer.of(7));
    expect(relay.stats.dropped).toBe(1);
  });

  test("on what waits for a slow reader: it is cut off, the others are served", async () => {
    const { relay } = await start({
      queuedBytes: 512 * 1024,
      messagesPerSecond: 1e6,
      messagesBurst: 1e6,
      bytesPerSecond: 1e9,
      bytesBurst: 1e9,
    });
    const keys = await room(1);
    const [slow, sender, reader] = [await joined(keys), await joined(keys), await joined(keys)];
    slow.client.socket.pause();
    const large = new Uint8Array(16_000);
    const flood = setInterval(() => {
      for (let i = 0; i < 4; i++) sender.client.send({ type: "send", to: everybody, body: large });
    }, 1);
    await expect.poll(() => relay.stats.slowReaders, { timeout: 10_000 }).toBeGreaterThan(0);
    clearInterval(flood);
    await expect.poll(() => relay.stats.connections).toBe(2);
    expect(reader.client.socket.readyState).toBe(WebSocket.OPEN);
  });

  test("on silence: a socket that does not answer pings is cut off", async () => {
    const { relay } = await start({ pingMs: 20 });
    const { client } = await joined(await room(1));
    client.socket.pause(); // frozen: the kernel answers, the page does not
    await expect.poll(() => relay.stats.connections).toBe(0);
  });

  test("that is not a positive integer is the caller's error", async () => {
    await expect(start({ rooms: 0 })).rejects.toThrow(
      "relay limit rooms must be a positive integer, got 0",
    );
  });

  test("on origins: a foreign page is answered 403, a client without origin is let in", async () => {
    const { url } = await start({ origins: ["https://app.example"] });
    const status = await new Promise((resolve) => {
      const socket = new WebSocket(url, { origin: "https://evil.example" });
      socket.on("unexpected-response", (_request, response) => resolve(response.statusCode));
      socket.on("error", () => {});
    });
    expect(status).toBe(403);
    await dial().next("challenge");
    await dial({ origin: "https://app.example" }).next("challenge");
  });
});
