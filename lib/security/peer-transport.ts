/**
 * A peer's transport, put together: the links of `transport/fallback.ts` with the room's seal, the relay's proof and the
 * peer's own identity. This is what a room opens for each peer it runs; several may run in one page, each with its own NodeId.
 */
import type { Cancel, Clock } from "../base/clock.js";
import { createEmitter } from "../base/emitter.js";
import { LogboomError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import type { Boot } from "../transport/channel.js";
import { createFallbackTransport, type FallbackTransport } from "../transport/fallback.js";
import {
  connectRelay,
  type RelayClient,
  type RelayStatus,
  type WebSocketConstructor,
} from "../transport/relay-client.js";
import type { WayEvents } from "../transport/way.js";
import type { RtcImplementation } from "../transport/webrtc.js";
import { createAuthenticate } from "./authenticated.js";
import type { Identity } from "./identity.js";
import type { RoomKeys } from "./room-keys.js";
import { createSealer } from "./seal.js";

export { connectPort } from "../transport/fallback.js";

export interface PeerTransportOptions {
  readonly identity: Identity;
  /** Counter from the store, nonce 16 random bytes drawn at this opening. */
  readonly boot: Boot;
  readonly keys: RoomKeys;
  /** What the peers must agree on to be of one cluster; at most 255 bytes. Default: the room's id. */
  readonly clusterId?: Uint8Array;
  /** `wss://…` or `ws://…`. Without one, only tabs of the profile are met. */
  readonly relayUrl?: string;
  /** A name that all tabs of this profile and room share, e.g. `logboom/<room id>`. Without one, tabs meet by relay alone. */
  readonly profileChannelName?: string;
  readonly iceServers?: readonly RTCIceServer[];
  readonly clock: Clock;
  /** The platform's, not a seeded one, outside of tests: sessions must not be guessed. */
  readonly random: Random;
  /** Node: its WebRTC. `"off"`: none. */
  readonly rtc?: RtcImplementation | "off";
  /** Default: the platform's. Node 20 has none: pass `ws`'s. */
  readonly webSocket?: WebSocketConstructor;
}

export interface PeerTransport extends FallbackTransport {
  readonly relayStatus: RelayStatus;
  onRelayStatus(listener: (status: RelayStatus) => void): () => void;
}

/** @throws LogboomError `NOT_SUPPORTED` when a relay is named and the platform has no WebSocket; `BAD_INPUT` for a malformed URL. */
export function createPeerTransport(options: PeerTransportOptions): PeerTransport {
  const { identity, boot, keys, clock, random } = options;
  const sealer = createSealer(keys.sealKey);
  const statuses = createEmitter<RelayStatus>();
  let relay: RelayClient | undefined;
  const transport = createFallbackTransport({
    self: identity.nodeId,
    boot,
    clock,
    random,
    sealer,
    authenticate: createAuthenticate(identity, options.clusterId ?? keys.roomIdBytes),
    relay: relayOf(options, (url, webSocket, events) => {
      relay = connectRelay({
        url,
        webSocket,
        events,
        roomId: keys.roomIdBytes,
        auth: keys.relayAuth,
        sealer,
        clock,
        random,
        onStatus: (status) => statuses.emit(status),
        onOnline: onPlatformOnline,
      });
      return relay;
    }),
    profileChannel: options.profileChannelName,
    iceServers: options.iceServers ?? [],
    rtc: options.rtc,
  });
  return extend(transport, {
    relayStatus: () => relay?.status ?? "off",
    refused: () => transport.refused + (relay?.refused ?? 0),
    onRelayStatus: (listener) => statuses.on(listener),
    close: async () => {
      statuses.clear();
      await transport.close();
    },
  });
}

type Connect = (url: string, webSocket: WebSocketConstructor, events: WayEvents) => RelayClient;

function relayOf(
  options: PeerTransportOptions,
  connect: Connect,
): ((events: WayEvents) => RelayClient) | undefined {
  const { relayUrl } = options;
  if (relayUrl === undefined) return undefined;
  if (!/^wss?:$/.test(protocolOf(relayUrl))) {
    throw new LogboomError("BAD_INPUT", `relay must be a ws:// or wss:// URL, got ${relayUrl}`);
  }
  const platform = globalThis.WebSocket as unknown as WebSocketConstructor | undefined;
  const webSocket = options.webSocket ?? platform;
  if (webSocket === undefined) {
    throw new LogboomError("NOT_SUPPORTED", "this platform has no WebSocket; pass `webSocket`");
  }
  return (events) => connect(relayUrl, webSocket, events);
}

function protocolOf(url: string): string {
  try {
    return new URL(url).protocol;
  } catch {
    return "";
  }
}

/** The browser's `online` event; elsewhere nothing. */
function onPlatformOnline(listener: () => void): Cancel {
  if (typeof globalThis.addEventListener !== "function") return () => {};
  globalThis.addEventListener("online", listener);
  return () => globalThis.removeEventListener("online", listener);
}

interface Additions {
  relayStatus(): RelayStatus;
  refused(): number;
  onRelayStatus(listener: (status: RelayStatus) => void): () => void;
  close(): Promise<void>;
}

/** The transport with the relay's status: its methods are bound, so each may be passed on alone. */
function extend(transport: FallbackTransport, additions: Additions): PeerTransport {
  return {
    self: transport.self,
    send: (to, frame, options) => transport.send(to, frame, options),
    onFrame: (receive) => transport.onFrame(receive),
    onPeer: (listener) => transport.onPeer(listener),
    onKnown: (listener) => transport.onKnown(listener),
    peers: () => transport.peers(),
    known: () => transport.known(),
    via: (peer) => transport.via(peer),
    credentials: (peer) => transport.credentials(peer),
    addPort: (peer, port) => transport.addPort(peer, port),
    onRelayStatus: additions.onRelayStatus,
    close: additions.close,
    get iceFailed() {
      return transport.iceFailed;
    },
    get refused() {
      return additions.refused();
    },
    get relayStatus() {
      return additions.relayStatus();
    },
  };
}
