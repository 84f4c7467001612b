/** What the pages of through-relay.test.ts run: peers of a room whose secret the test hands out. */
import { identityOf } from "../../lib/security/identity.js";
import type { PeerTransport } from "../../lib/security/peer-transport.js";
import { roomKeysOf } from "../../lib/security/room-keys.js";
import { openPeer } from "../transport/peers.js";

export interface PageFace {
  open(secret: number[], relayUrl: string, seed: number): Promise<number>;
  peers(): { id: number; via: string | undefined }[];
  send(to: number, text: string): boolean;
  received(): string[];
  relayStatus(): string;
  close(): Promise<void>;
}

let transport: PeerTransport | undefined;
const texts: string[] = [];

const face: PageFace = {
  async open(secret, relayUrl, seed) {
    const keys = await roomKeysOf(Uint8Array.from(secret));
    const identity = await identityOf(new Uint8Array(32).fill(seed), new Uint8Array(16).fill(seed));
    const opened = openPeer(keys, identity, { relayUrl });
    opened.onFrame((_, frame) => texts.push(new TextDecoder().decode(frame)));
    transport = opened;
    return opened.self;
  },
  peers: () => (transport?.peers() ?? []).map((id) => ({ id, via: transport?.via(id) })),
  send: (to, text) => transport?.send(to, new TextEncoder().encode(text)) ?? false,
  received: () => texts,
  relayStatus: () => transport?.relayStatus ?? "off",
  close: async () => transport?.close(),
};

(globalThis as unknown as { face: PageFace }).face = face;
