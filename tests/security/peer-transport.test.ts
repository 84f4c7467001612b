import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { PeerTransport } from "../../lib/security/peer-transport.js";
import type { WebSocketConstructor } from "../../lib/transport/relay-client.js";
import { startRelay } from "../relay/relay-server.js";
import { freshIdentity, freshRoom, openPeer } from "../transport/peers.js";

const open: PeerTransport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.close()));
});

const webSocket = WebSocket as unknown as WebSocketConstructor;

describe("a peer's transport", () => {
  test("hears of the others through the relay, also when no link can be had", async () => {
    const relay = await startRelay();
    const keys = await freshRoom();
    const known: number[] = [];
    const peers = await Promise.all(
      [1, 2, 3].map(async () => {
        const peer = openPeer(keys, await freshIdentity(), {
          relayUrl: relay.url,
          webSocket,
          rtc: "off",
        });
        open.push(peer);
        return peer;
      }),
    );
    const [a, b, c] = peers as [PeerTransport, PeerTransport, PeerTransport];
    a.onKnown((peer) => known.push(peer));
    const statuses: string[] = [];
    a.onRelayStatus((status) => statuses.push(status));
    await expect.poll(() => known.sort()).toEqual([b.self, c.self].sort());
    expect(statuses).toEqual(["connected"]);
    expect(a.peers()).toEqual([]);
    expect(a.send(b.self, Uint8Array.of(1))).toBe(false);
    await b.close();
    await expect.poll(() => a.known()).toEqual([c.self]);
    await a.close();
    expect(a.relayStatus).toBe("off");
    await relay.stop();
  });

  test("without a relay is off, and fine", async () => {
    const peer = openPeer(await freshRoom(), await freshIdentity());
    open.push(peer);
    expect(peer.relayStatus).toBe("off");
    expect(peer.iceFailed).toBe(false);
    expect(peer.refused).toBe(0);
  });

  test.each([
    [
      "http://relay.example",
      "BAD_INPUT",
      "relay must be a ws:// or wss:// URL, got http://relay.example",
    ],
    ["nowhere", "BAD_INPUT", "relay must be a ws:// or wss:// URL, got nowhere"],
  ])("refuses %s as a relay", async (relayUrl, code, message) => {
    const [keys, identity] = [await freshRoom(), await freshIdentity()];
    const run = (): unknown => openPeer(keys, identity, { relayUrl, webSocket });
    expect(run).toThrow(expect.objectContaining({ code, message }));
  });
});
