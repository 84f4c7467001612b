/** Networks for the transport suite. */
import { seededRandom } from "../../lib/base/random.js";
import type { Identity } from "../../lib/security/identity.js";
import { connectPort, type PeerTransport } from "../../lib/security/peer-transport.js";
import type { TransportTarget } from "../../lib/testing/conformance/transport.js";
import { createVirtualClock } from "../../lib/testing/virtual-clock.js";
import { createMemoryNetwork } from "../../lib/transport/memory.js";
import type { Transport } from "../../lib/transport/transport.js";
import { freshIdentity, freshRoom, openPeer } from "./peers.js";

export interface ClosableTarget extends TransportTarget {
  close(): Promise<void>;
}

export function memoryTarget(): ClosableTarget {
  const clock = createVirtualClock();
  const network = createMemoryNetwork({ clock, random: seededRandom(1), latencyMs: [1, 9] });
  let id = 0;
  return {
    open: async () => network.open(++id),
    reopen: async (closed) => network.open(closed.self),
    async until(condition) {
      for (let ms = 0; !condition(); ms++) {
        if (ms > 60_000) throw new Error("not within a minute of virtual time");
        clock.advance(1);
      }
    },
    close: async () => {},
  };
}

/** Real peers of one profile and page: linked by WebRTC, by BroadcastChannel, or by ports. */
export async function peerTarget(via: "webrtc" | "broadcast" | "port"): Promise<ClosableTarget> {
  const keys = await freshRoom();
  const opened: { transport: PeerTransport; identity: Identity }[] = [];
  const live = new Set<PeerTransport>();
  const openAs = (identity: Identity): PeerTransport => {
    const transport = openPeer(keys, identity, {
      ...(via === "webrtc" ? {} : { rtc: "off" }),
      ...(via === "port" ? {} : { profileChannelName: `logboom/${keys.roomId}` }),
    });
    const others = via === "port" ? [...live] : [];
    setTimeout(() => {
      for (const other of others) if (live.has(other)) connectPort(transport, other);
    }); // once somebody listens
    opened.push({ transport, identity });
    live.add(transport);
    const close = transport.close;
    transport.close = () => {
      live.delete(transport);
      return close();
    };
    return transport;
  };
  const identityBehind = (transport: Transport): Identity => {
    const found = opened.find((one) => one.transport === transport);
    if (found === undefined) throw new Error("not opened here");
    return found.identity;
  };
  return {
    open: async () => openAs(await freshIdentity()),
    reopen: async (closed) => openAs(identityBehind(closed)),
    until: (condition) => eventually(() => condition() && viaEverywhere(live, via)),
    async close() {
      await Promise.all([...live].map((transport) => transport.close()));
    },
  };
}

/** What is under test is what carries the frames. */
function viaEverywhere(transports: ReadonlySet<PeerTransport>, via: string): boolean {
  return [...transports].every((one) => one.peers().every((peer) => one.via(peer) === via));
}

export async function eventually(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("not within 20 s");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
