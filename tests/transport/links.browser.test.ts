import { afterEach, describe, expect, test } from "vitest";
import { nodeIdOf } from "../../lib/security/identity.js";
import { connectPort, type PeerTransport } from "../../lib/security/peer-transport.js";
import type { PeerEvent } from "../../lib/transport/transport.js";
import { freshIdentity, freshRoom, linked, openPeer, unlinked } from "./peers.js";

const open: PeerTransport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.close()));
});

async function pair(
  options: Parameters<typeof openPeer>[2] = {},
): Promise<readonly [PeerTransport, PeerTransport]> {
  const keys = await freshRoom();
  const profileChannelName = `logboom/${keys.roomId}`;
  const make = async (): Promise<PeerTransport> => {
    const transport = openPeer(keys, await freshIdentity(), { profileChannelName, ...options });
    open.push(transport);
    return transport;
  };
  return [await make(), await make()];
}

const next = (transport: PeerTransport): Promise<readonly [number, Uint8Array]> =>
  new Promise((resolve) => transport.onFrame((from, frame) => resolve([from, frame])));

describe("two peers of one profile", () => {
  test("meet over BroadcastChannel and link by WebRTC, without relay", async () => {
    const [a, b] = await pair();
    await Promise.all([linked(a, b.self, "webrtc"), linked(b, a.self, "webrtc")]);
    const heard = next(b);
    expect(a.send(b.self, Uint8Array.of(1, 2, 3))).toBe(true);
    const [from, frame] = await heard;
    expect(from).toBe(a.self);
    expect([...frame]).toEqual([1, 2, 3]);
  });

  test("link by BroadcastChannel where there is no WebRTC", async () => {
    const [a, b] = await pair({ rtc: "off" });
    await Promise.all([linked(a, b.self, "broadcast"), linked(b, a.self, "broadcast")]);
    const heard = next(a);
    const large = crypto.getRandomValues(new Uint8Array(60_000));
    expect(b.send(a.self, large)).toBe(true);
    expect((await heard)[1]).toEqual(large);
  });

  test("of one page link by port", async () => {
    const [a, b] = await pair();
    connectPort(a, b);
    await Promise.all([linked(a, b.self, "port"), linked(b, a.self, "port")]);
  });

  test("go over from BroadcastChannel to WebRTC when it opens, without a gap", async () => {
    let blocked = true;
    const rtc = {
      RTCPeerConnection: class extends RTCPeerConnection {
        constructor(configuration?: RTCConfiguration) {
          if (blocked) throw new Error("blocked");
          super(configuration);
        }
      },
      RTCSessionDescription,
      RTCIceCandidate,
    };
    const [a, b] = await pair({ rtc });
    const events: PeerEvent[] = [];
    a.onPeer((event) => events.push(event));
    await Promise.all([linked(a, b.self, "broadcast"), linked(b, a.self, "broadcast")]);
    blocked = false;
    await Promise.all([linked(a, b.self, "webrtc"), linked(b, a.self, "webrtc")]);
    expect(events).toEqual([
      { type: "up", peer: b.self, generation: 1, via: "broadcast" },
      { type: "up", peer: b.self, generation: 2, via: "webrtc" },
    ]);
    const heard = next(b);
    expect(a.send(b.self, Uint8Array.of(5))).toBe(true);
    expect([...(await heard)[1]]).toEqual([5]);
  });

  test("know each other by proof, over whatever they are linked", async () => {
    for (const rtc of [undefined, "off"] as const) {
      const [a, b] = await pair(rtc === undefined ? {} : { rtc });
      await Promise.all([linked(a, b.self), linked(b, a.self)]);
      const { publicKey, storeId } = a.credentials(b.self) ?? {};
      expect(await nodeIdOf(publicKey ?? new Uint8Array(32), storeId ?? new Uint8Array(16))).toBe(
        b.self,
      );
    }
  });

  test("a goodbye takes the link down on the other side", async () => {
    const [a, b] = await pair();
    await Promise.all([linked(a, b.self), linked(b, a.self)]);
    const down = unlinked(b, a.self);
    await a.close();
    await down;
    await expect.poll(() => b.known()).not.toContain(a.self);
  });
});
