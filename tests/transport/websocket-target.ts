/** Nodes listening on ports of their own, each told where the others are. */
import { seededRandom } from "../../lib/base/random.js";
import type { NodeId } from "../../lib/core/types.js";
import type { Transport } from "../../lib/transport/transport.js";
import {
  openWebSocketTransport,
  type WebSocketTransport,
  type WebSocketTransportOptions,
} from "../../lib/transport/websocket.js";
import { realClock } from "./real-clock.js";
import { type ClosableTarget, eventually } from "./targets.js";

export function openSocketNode(
  self: NodeId,
  change: Partial<WebSocketTransportOptions> = {},
): Promise<WebSocketTransport> {
  return openWebSocketTransport({
    self,
    cluster: "conformance",
    listen: { port: 0, host: "127.0.0.1" },
    clock: realClock,
    random: seededRandom(self),
    ...change,
  });
}

export function addressOf(transport: WebSocketTransport): string {
  return `ws://127.0.0.1:${transport.port}`;
}

export function webSocketTarget(): ClosableTarget {
  const live = new Set<WebSocketTransport>();
  const addresses = new Map<NodeId, string>();
  let last = 0;
  const open = async (self: NodeId): Promise<Transport> => {
    const transport = await openSocketNode(self);
    addresses.set(self, addressOf(transport));
    live.add(transport);
    for (const each of live) each.setAddresses(new Map(addresses));
    const close = transport.close.bind(transport);
    transport.close = () => {
      live.delete(transport);
      return close();
    };
    return transport;
  };
  return {
    open: () => open(++last),
    reopen: (closed) => open(closed.self),
    until: eventually,
    async close() {
      await Promise.all([...live].map((transport) => transport.close()));
    },
  };
}
