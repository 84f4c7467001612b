/** Several clusters over one transport. */
import { expect, test } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { createVirtualClock } from "../../lib/testing/virtual-clock.js";
import { createMemoryNetwork } from "../../lib/transport/memory.js";
import { shareTransport } from "../../lib/transport/shared.js";
import type { Transport } from "../../lib/transport/transport.js";

const clock = createVirtualClock();

function pair() {
  const network = createMemoryNetwork({ clock, random: seededRandom(1) });
  const [a, b] = [shareTransport(network.open(1)), shareTransport(network.open(2))];
  clock.advance(10);
  return { a, b };
}

test("each cluster's frames reach its own, whole", () => {
  const { a, b } = pair();
  const got: [string, number, number[]][] = [];
  for (const name of ["x", "grün"]) {
    b.open(name).onFrame((from, frame) => got.push([name, from, [...frame]]));
    expect(a.open(name).send(2, Uint8Array.of(name.length))).toBe(true);
  }
  clock.advance(10);
  expect(got).toEqual([
    ["x", 1, [1]],
    ["grün", 1, [4]],
  ]);
});

test("frames for a cluster that is not open are counted, and nothing more", () => {
  const { a, b } = pair();
  a.open("x").send(2, Uint8Array.of(1));
  clock.advance(10);
  expect(b.refused).toBe(1);
});

test("closing one leaves the others, and its name free", async () => {
  const { a, b } = pair();
  const [x, y] = [a.open("x"), a.open("y")];
  const got: number[] = [];
  b.open("y").onFrame((from) => got.push(from));
  await x.close();
  expect([x.send(2, Uint8Array.of(1)), x.peers()]).toEqual([false, []]);
  y.send(2, Uint8Array.of(1));
  clock.advance(10);
  expect(got).toEqual([1]);
  a.open("x");
});

test("links are told to every cluster", async () => {
  const { a, b } = pair();
  const seen: string[] = [];
  a.open("x").onPeer(({ type }) => seen.push(`x ${type}`));
  a.open("y").onPeer(({ type }) => seen.push(`y ${type}`));
  await b.close();
  clock.advance(10);
  expect(seen).toEqual(["x down", "y down"]);
});

test.each([[""], ["x".repeat(256)], ["taken"]])("the name %j is refused", (name) => {
  const { a } = pair();
  a.open("taken");
  expect(() => a.open(name)).toThrow(expect.objectContaining({ code: "BAD_INPUT" }));
});

test("a transport that goes by addresses is told those of all clusters, once each has said its own", async () => {
  const { a } = pair();
  const told: [number, string][][] = [];
  const shared = shareTransport({
    ...wrapped(a.open("below")),
    setAddresses: (addresses) => told.push([...addresses]),
  });
  const [x, y] = [shared.open("x"), shared.open("y")];
  x.setAddresses?.(new Map([[2, "ws://two"]]));
  expect(told).toEqual([]);
  y.setAddresses?.(new Map([[3, "ws://three"]]));
  await y.close();
  expect(told).toEqual([
    [
      [2, "ws://two"],
      [3, "ws://three"],
    ],
    [[2, "ws://two"]],
  ]);
});

/** The same transport, by its interface alone. */
function wrapped(transport: Transport): Transport {
  return {
    self: transport.self,
    send: (to, frame, options) => transport.send(to, frame, options),
    onFrame: (receive) => transport.onFrame(receive),
    onPeer: (listener) => transport.onPeer(listener),
    peers: () => transport.peers(),
    close: () => transport.close(),
  };
}
