import { afterEach, describe, expect, test } from "vitest";
import { createSealer } from "../../lib/security/seal.js";
import { type BroadcastBus, openBroadcast } from "../../lib/transport/broadcast.js";
import type { Session } from "../../lib/transport/session.js";

const key = new Uint8Array(32).fill(1);
const name = `test/${Math.floor(performance.timeOrigin)}`;
const session = (peer: number, fill: number): Session => ({
  key: String(fill),
  id: new Uint8Array(16).fill(fill),
  peer,
  peerBoot: { counter: 1, nonce: new Uint8Array(16) },
  link: "broadcast",
  initiator: true,
});

const open: (BroadcastBus | BroadcastChannel)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

function bus(self: number, heard: string[] = [], sealKey: Uint8Array = key): BroadcastBus {
  const opened = openBroadcast({
    self,
    name,
    sealer: createSealer(sealKey),
    events: {
      up: () => heard.push("up"),
      down: () => heard.push("down"),
      arrived: () => {},
      left: () => {},
      received: (_, plain) => heard.push(new TextDecoder().decode(plain)),
    },
  });
  open.push(opened);
  return opened;
}

/** Everything that passes the channel, as any script of the origin could hear it. */
function eavesdrop(): { posts: BroadcastChannel; messages: Uint8Array[] } {
  const [posts, messages] = [new BroadcastChannel(name), [] as Uint8Array[]];
  posts.onmessage = ({ data }: MessageEvent) => messages.push(data);
  open.push(posts);
  return { posts, messages };
}

const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const collect = (into: string[]) => ({
  message: (bytes: Uint8Array) => void into.push(new TextDecoder().decode(bytes)),
  drained: () => {},
  closed: (reason: string) => void into.push(`closed: ${reason}`),
});

describe("a profile's channel", () => {
  test("carries signaling to all others, sealed", async () => {
    const [heard, own] = [[], []] as [string[], string[]];
    const a = bus(1, own);
    bus(2, heard);
    const { messages } = eavesdrop();
    a.send(0, text("an envelope"));
    await expect.poll(() => heard).toEqual(["up", "an envelope"]);
    await expect.poll(() => messages).toHaveLength(1);
    expect(Buffer.from(messages[0] as Uint8Array).includes("envelope")).toBe(false);
    expect(own).toEqual(["up"]);
  });

  test("carries a link between two, past everybody else", async () => {
    const [a, b, c] = [bus(1), bus(2), bus(3)];
    const heard: string[] = [];
    const others: string[] = [];
    const near = a.openChannel(session(2, 7));
    b.openChannel(session(1, 7)).listen(collect(heard));
    c.openChannel(session(1, 7)).listen(collect(others));
    near.send(Uint8Array.from(text("for 2")));
    near.close();
    await expect.poll(() => heard).toEqual(["for 2", "closed: the channel closed"]);
    expect(near.send(Uint8Array.of(1))).toBe(false);
    expect(others).toEqual([]);
  });

  test("drops what belongs to an earlier session", async () => {
    const [a, b] = [bus(1), bus(2)];
    const heard: string[] = [];
    const [old, now] = [a.openChannel(session(2, 7)), a.openChannel(session(2, 8))];
    b.openChannel(session(1, 8)).listen(collect(heard));
    old.send(Uint8Array.from(text("old")));
    now.send(Uint8Array.from(text("now")));
    await expect.poll(() => heard).toEqual(["now"]);
  });

  test("tells the sender what has arrived, so that it can wait", async () => {
    const [a, b] = [bus(1), bus(2)];
    const near = a.openChannel(session(2, 7));
    let drained = 0;
    near.listen({ message: () => {}, drained: () => drained++, closed: () => {} });
    b.openChannel(session(1, 7)).listen(collect([]));
    for (let i = 0; i < 16; i++) near.send(new Uint8Array(8192));
    expect(near.bufferedBytes).toBe(16 * 8192);
    await expect.poll(() => near.bufferedBytes).toBe(0);
    expect(drained).toBe(2);
  });

  test("drops and counts what others post, and goes on", async () => {
    const heard: string[] = [];
    const [a, b] = [bus(1), bus(2, heard)];
    const { posts, messages } = eavesdrop();
    a.send(0, text("first"));
    await expect.poll(() => messages).toHaveLength(1);
    const genuine = messages[0] as Uint8Array;
    const changed = (at: number, value: number): Uint8Array =>
      genuine.map((byte, index) => (index === at ? value : byte));
    const garbage: unknown[] = [
      "text",
      null,
      { to: 2 },
      new Uint8Array(0),
      new Uint8Array(100),
      changed(0, 9), // version
      changed(1, 9), // kind
      changed(1, 1), // signaling turned into link data
      changed(17, 5), // another sender
      changed(genuine.length - 1, 0xff ^ (genuine.at(-1) ?? 0)),
      genuine.subarray(0, 50),
    ];
    for (const one of garbage) posts.postMessage(one);
    bus(3, [], new Uint8Array(32).fill(2)).send(0, text("another room's key"));
    await expect.poll(() => b.refused).toBe(garbage.length + 1);
    a.send(0, text("second"));
    await expect.poll(() => heard).toEqual(["up", "first", "second"]);
  });

  test("closed, neither hears nor speaks", async () => {
    const heard: string[] = [];
    const [a, b] = [bus(1), bus(2, heard)];
    await expect.poll(() => heard).toEqual(["up"]);
    b.close();
    b.close();
    a.send(0, text("anybody?"));
    const third: string[] = [];
    bus(3, third);
    b.send(0, text("from beyond"));
    a.send(0, text("last"));
    await expect.poll(() => third).toContain("last");
    expect(heard).toEqual(["up"]);
    expect(third).not.toContain("from beyond");
  });
});
