/** WebSocket links: who is let in, who dials whom, and what happens when a peer moves. */
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { WebSocketTransport } from "../../lib/transport/websocket.js";
import { decodeHello, encodeHello } from "../../lib/transport/websocket-hello.js";
import { eventually } from "./targets.js";
import { addressOf, openSocketNode } from "./websocket-target.js";

const open: WebSocketTransport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.close()));
});

async function node(...args: Parameters<typeof openSocketNode>): Promise<WebSocketTransport> {
  const transport = await openSocketNode(...args);
  open.push(transport);
  return transport;
}

const hello = { cluster: "conformance", from: 2, to: 1, boot: 1, address: "" };

describe("a link is refused", () => {
  test.each([
    ["of another cluster", encodeHello({ ...hello, cluster: "other" }), /wrong cluster/],
    ["with our own id", encodeHello({ ...hello, from: 1 }), /own id/],
    ["meant for another node", encodeHello({ ...hello, to: 3 }), /meant for node 3/],
    ["from nobody", encodeHello({ ...hello, from: 0 }), /nobody/],
    ["that begins with something else", new Uint8Array([1, 2, 3, 4, 5]), /not a hello/],
    ["that begins with too little", new Uint8Array([1]), /needs/],
    ["of a later version that dropped ours", laterVersion(), /speaks versions 9 to 9/],
  ])("%s", async (_, first, reason) => {
    const reasons: string[] = [];
    const transport = await node(1, { onRefused: (why) => reasons.push(why) });
    const socket = new WebSocket(addressOf(transport));
    await new Promise((resolve) => socket.once("open", resolve));
    socket.send(first);
    await new Promise((resolve) => socket.once("close", resolve));
    expect(reasons).toEqual([expect.stringMatching(reason)]);
    expect(transport.refused).toBe(1);
    expect(transport.peers()).toEqual([]);
  });

  function laterVersion(): Uint8Array {
    const bytes = encodeHello(hello);
    bytes.set([9, 9], 4);
    return bytes;
  }
});

test("a hello comes back as it was sent, and nothing else passes for one", () => {
  expect(decodeHello(encodeHello(hello))).toEqual(hello);
  for (let length = 0; length < encodeHello(hello).length; length++) {
    expect(() => decodeHello(encodeHello(hello).subarray(0, length))).toThrow(
      expect.objectContaining({ code: "DECODE" }),
    );
  }
});

test("both may dial at once: one link stays, and both ends agree which", async () => {
  const [a, b] = [await node(1), await node(2)];
  const heard: number[] = [];
  a.onFrame((from) => heard.push(from));
  b.onFrame((from) => heard.push(from));
  a.setAddresses(new Map([[2, addressOf(b)]]));
  b.setAddresses(new Map([[1, addressOf(a)]]));
  await eventually(() => a.peers().length === 1 && b.peers().length === 1);
  await eventually(() => a.send(2, Uint8Array.of(1)) && heard.includes(1));
  await eventually(() => b.send(1, Uint8Array.of(1)) && heard.includes(2));
});

test("a peer that moved is found again by what it says itself", async () => {
  const a = await node(1);
  const b = await node(2, { addresses: new Map([[1, addressOf(a)]]) });
  await eventually(() => a.peers().includes(2));
  await b.close();
  await eventually(() => a.peers().length === 0);
  await node(2, { addresses: new Map([[1, addressOf(a)]]) });
  await eventually(() => a.peers().includes(2));
});

test("a node that is not there yet is dialled until it is", async () => {
  const b = await node(2);
  const address = addressOf(b);
  await b.close();
  const a = await node(1, { addresses: new Map([[2, address]]) });
  await node(2, { listen: { port: Number(address.split(":").at(-1)), host: "127.0.0.1" } });
  await eventually(() => a.peers().includes(2));
});

test("a port that is taken is an error of opening", async () => {
  const a = await node(1);
  await expect(
    openSocketNode(2, { listen: { port: a.port ?? 0, host: "127.0.0.1" } }),
  ).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("text, and what breaks the framing, ends the link and nothing more", async () => {
  const transport = await node(1);
  const socket = new WebSocket(addressOf(transport));
  await new Promise((resolve) => socket.once("open", resolve));
  socket.send(encodeHello(hello));
  await eventually(() => transport.peers().includes(2));
  socket.send("text");
  await new Promise((resolve) => socket.once("close", resolve));
  expect([transport.peers(), transport.refused]).toEqual([[], 1]);
});
