import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { seededRandom } from "../../lib/base/random.js";
import { type RoomKeys, roomKeysOf } from "../../lib/security/room-keys.js";
import { createSealer } from "../../lib/security/seal.js";
import { createVirtualClock, type VirtualClock } from "../../lib/testing/virtual-clock.js";
import {
  connectRelay,
  type RelayClient,
  type RelayClientOptions,
  relayClientDefaults,
  type WebSocketConstructor,
  type WebSocketLike,
} from "../../lib/transport/relay-client.js";
import {
  decodeToClient,
  decodeToRelay,
  encodeToClient,
  encodeToRelay,
  relayFrameBytesMax,
  type ToClient,
} from "../../lib/transport/relay-frames.js";
import { startRelay, type TestRelay } from "../relay/relay-server.js";
import { realClock } from "./real-clock.js";

const keys: RoomKeys = await roomKeysOf(new Uint8Array(32).fill(1));
const sealer = createSealer(keys.sealKey);

/** What a client said of its way, line by line. */
interface Log {
  readonly lines: string[];
  online: () => void;
}

function optionsFor(url: string, log: Log): RelayClientOptions {
  const say = (line: string): void => {
    log.lines.push(line);
  };
  return {
    url,
    roomId: keys.roomIdBytes,
    auth: keys.relayAuth,
    sealer,
    clock: realClock,
    random: seededRandom(1),
    webSocket: WebSocket as unknown as WebSocketConstructor,
    events: {
      up: (members) => say(`up ${members.length}`),
      down: () => say("down"),
      arrived: () => say("arrived"),
      left: () => say("left"),
      received: (_, plain) => say(`received ${new TextDecoder().decode(plain)}`),
    },
    onStatus: say,
    onOnline: (listener) => {
      log.online = listener;
      return () => {
        log.online = () => {};
      };
    },
  };
}

const newLog = (): Log => ({ lines: [], online: () => {} });

describe("with a relay, a client", () => {
  let relay: TestRelay;
  const open: RelayClient[] = [];
  const connect = (log: Log): RelayClient => {
    const client = connectRelay(optionsFor(relay.url, log));
    open.push(client);
    return client;
  };
  beforeEach(async () => {
    relay = await startRelay();
  });
  afterEach(async () => {
    for (const client of open.splice(0)) client.close();
    await relay.stop();
  });

  test("joins, and carries envelopes both ways", async () => {
    const [one, other] = [newLog(), newLog()];
    const a = connect(one);
    expect(a.status).toBe("connecting");
    await expect.poll(() => one.lines).toEqual(["connected", "up 0"]);
    const b = connect(other);
    await expect.poll(() => other.lines).toEqual(["connected", "up 1"]);
    b.send(0, new TextEncoder().encode("hello all"));
    await expect.poll(() => one.lines.slice(2)).toEqual(["arrived", "received hello all"]);
    b.close();
    expect(b.status).toBe("off");
    await expect.poll(() => one.lines.at(-1)).toBe("left");
    expect(other.lines).toHaveLength(2);
  });

  test("is down while the relay is, and joins again when it is back", async () => {
    const log = newLog();
    const client = connect(log);
    await expect.poll(() => log.lines).toEqual(["connected", "up 0"]);
    const port = Number(new URL(relay.url).port);
    await relay.stop();
    await expect.poll(() => log.lines.slice(2)).toEqual(["connecting", "down"]);
    client.send(0, Uint8Array.of(1)); // dropped
    relay = await startRelay({}, port);
    await expect.poll(() => log.lines.slice(4), { timeout: 10_000 }).toEqual(["connected", "up 0"]);
  });

  test("drops and counts what was not sealed with the room's key", async () => {
    const log = newLog();
    const client = connect(log);
    const stranger = connectRelay({
      ...optionsFor(relay.url, newLog()),
      sealer: createSealer(new Uint8Array(32).fill(9)),
    });
    open.push(stranger);
    await expect.poll(() => [client.status, stranger.status]).toEqual(["connected", "connected"]);
    stranger.send(0, Uint8Array.of(1));
    await expect.poll(() => client.refused).toBe(1);
    expect(client.status).toBe("connected");
  });
});

/** Sockets that do nothing by themselves. */
class FakeSocket implements WebSocketLike {
  static made: FakeSocket[] = [];
  binaryType = "";
  bufferedAmount = 0;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  onerror: (() => void) | null = null;
  readonly sent: Uint8Array[] = [];
  closed = false;
  constructor() {
    FakeSocket.made.push(this);
  }
  send(data: Uint8Array): void {
    this.sent.push(data);
  }
  close(): void {
    this.closed = true;
  }
  hear(frame: ToClient): void {
    this.onmessage?.({ data: Uint8Array.from(encodeToClient(frame)).buffer });
  }
}

describe("in any weather, a client", () => {
  let clock: VirtualClock;
  let log: Log;
  let client: RelayClient;
  const { retryMsMax, joinMs, steadyMs, pingMs } = relayClientDefaults;
  const sockets = FakeSocket.made;
  const latest = (): FakeSocket => sockets.at(-1) as FakeSocket;
  const start = (webSocket: WebSocketConstructor = FakeSocket): void => {
    sockets.length = 0;
    clock = createVirtualClock();
    log = newLog();
    client = connectRelay({ ...optionsFor("ws://x/relay", log), clock, webSocket });
    clock.advance(0);
  };
  beforeEach(() => start());
  afterEach(() => client.close());

  test("retries quickly at first, within half a minute for ever", () => {
    const times: number[] = [];
    for (let attempt = 1; attempt <= 40; attempt++) {
      latest().onclose?.();
      const lost = clock.now();
      while (sockets.length === attempt) clock.advance(1);
      times.push(clock.now() - lost);
    }
    expect(times[0]).toBeLessThanOrEqual(250);
    expect(times[1]).toBeLessThanOrEqual(1000);
    expect(Math.max(...times)).toBeLessThanOrEqual(retryMsMax);
    expect(Math.max(...times)).toBeGreaterThan(retryMsMax / 2);
    expect(Math.min(...times.slice(10))).toBeLessThan(retryMsMax / 4); // full jitter
  });

  test("tries at once when the platform is online again, unless it is trying", () => {
    for (let attempt = 1; attempt <= 10; attempt++) {
      latest().onclose?.();
      clock.advance(retryMsMax);
    }
    latest().onclose?.();
    const before = sockets.length;
    log.online();
    clock.advance(500);
    expect(sockets).toHaveLength(before + 1);
    log.online();
    clock.advance(500);
    expect(sockets).toHaveLength(before + 1);
  });

  test("gives up a socket that does not get into the room in time", () => {
    const first = latest();
    clock.advance(joinMs + 250);
    expect(first.closed).toBe(true);
    expect(sockets).toHaveLength(2);
  });

  test("gives up a relay that does not answer between two pings, and stays with one that does", () => {
    latest().hear({ type: "joined", members: [] });
    for (let i = 0; i < 10; i++) {
      clock.advance(pingMs);
      latest().hear({ type: "pong" });
    }
    expect(sockets).toHaveLength(1);
    clock.advance(2 * pingMs + 250);
    expect(log.lines).toEqual(["connected", "up 0", "connecting", "down"]);
    expect(sockets).toHaveLength(2);
  });

  test("starts its back-off anew only after a connection that held", () => {
    const lose = (afterMs: number): number => {
      latest().hear({ type: "joined", members: [] });
      clock.advance(afterMs);
      const [count, lost] = [sockets.length, clock.now()];
      latest().onclose?.();
      while (sockets.length === count) clock.advance(1);
      return clock.now() - lost;
    };
    const short = Array.from({ length: 30 }, () => lose(10));
    expect(Math.max(...short)).toBeGreaterThan(retryMsMax / 2);
    const long = Array.from({ length: 30 }, () => lose(steadyMs));
    expect(Math.max(...long)).toBeLessThanOrEqual(250);
  });

  test.each<[string, (socket: FakeSocket) => void]>([
    ["text", (socket) => socket.onmessage?.({ data: "hello" })],
    ["bytes that are no frame", (socket) => socket.onmessage?.({ data: new ArrayBuffer(3) })],
    ["a second join", (socket) => socket.hear({ type: "joined", members: [] })],
  ])("that hears %s drops the connection, counts it and retries", (_, disturb) => {
    latest().hear({ type: "joined", members: [] });
    const socket = latest();
    disturb(socket);
    expect(socket.closed).toBe(true);
    expect(client.refused).toBe(1);
    clock.advance(250);
    expect(sockets).toHaveLength(2);
  });

  test("hears nothing of a socket that it gave up", () => {
    const first = latest();
    first.onclose?.();
    clock.advance(250);
    first.hear({ type: "joined", members: [] });
    first.onclose?.();
    expect(log.lines).toEqual([]);
    expect(sockets).toHaveLength(2);
  });

  test("survives a platform that forbids the socket", () => {
    let tried = 0;
    start(
      class {
        constructor() {
          tried++;
          throw new Error("blocked by policy");
        }
      } as unknown as WebSocketConstructor,
    );
    clock.advance(retryMsMax);
    expect(tried).toBeGreaterThan(1);
    expect(client.status).toBe("connecting");
  });

  test("drops envelopes rather than let them pile up in the socket", () => {
    latest().hear({ type: "joined", members: [] });
    client.send(5, Uint8Array.of(1));
    latest().bufferedAmount = relayClientDefaults.queuedBytesMax + 1;
    client.send(5, Uint8Array.of(2));
    expect(latest().sent).toHaveLength(1);
  });

  test("closed, is off and never returns", () => {
    latest().hear({ type: "joined", members: [] });
    client.close();
    client.close();
    clock.advance(10 * retryMsMax);
    log.online();
    expect(client.status).toBe("off");
    expect(sockets).toHaveLength(1);
    expect(latest().closed).toBe(true);
  });
});

describe("relay frames", () => {
  const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

  test("to clients are read as they were written", () => {
    const frames = fc.oneof(
      fc.record({ type: fc.constant("challenge" as const), connId: u32, challenge: bytes(32) }),
      fc.record({ type: fc.constant("joined" as const), members: fc.array(u32) }),
      fc.record({ type: fc.constantFrom("arrived" as const, "left" as const), connId: u32 }),
      fc.record({ type: fc.constant("envelope" as const), from: u32, body: fc.uint8Array() }),
      fc.record({ type: fc.constant("pong" as const) }),
    );
    fc.assert(
      fc.property(frames, (frame) => {
        expect(decodeToClient(encodeToClient(frame))).toEqual(frame);
      }),
    );
  });

  test("to relays are read as they were written", () => {
    const frames = fc.oneof(
      fc.record({
        type: fc.constant("join" as const),
        publicKey: bytes(32),
        signature: bytes(64),
        host: fc.string({ maxLength: 60 }),
      }),
      fc.record({ type: fc.constant("send" as const), to: u32, body: fc.uint8Array() }),
      fc.record({ type: fc.constant("ping" as const) }),
    );
    fc.assert(
      fc.property(frames, (frame) => {
        expect(decodeToRelay(encodeToRelay(frame))).toEqual(frame);
      }),
    );
  });

  test("of any bytes throw nothing but DecodeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 150 }), (noise) => {
        for (const decode of [decodeToClient, decodeToRelay]) {
          try {
            decode(noise);
          } catch (error) {
            expect(error).toMatchObject({ code: "DECODE" });
          }
        }
      }),
    );
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["too long", new Uint8Array(relayFrameBytesMax + 1), /at most 16384/],
    ["empty", new Uint8Array(0), /needs 1 bytes/],
    ["of another version", Uint8Array.of(1, 2, 0, 0, 0, 1), /version 2/],
    ["with fewer members than said", Uint8Array.of(2, 0, 2, 0, 0, 0, 1), /2 members/],
    ["with more members than said", Uint8Array.of(2, 0, 0, 0, 0, 0, 1), /0 members/],
    ["with bytes too many", Uint8Array.of(3, 0, 0, 0, 1, 9), /1 bytes too many/],
  ])("%s are a DecodeError", (_, bytesOf, rule) => {
    expect(() => decodeToClient(bytesOf)).toThrow(rule);
  });
});
