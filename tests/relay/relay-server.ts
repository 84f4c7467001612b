/** A relay on a port of its own, and clients that speak its protocol by hand. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket } from "ws";
import type { RoomKeys } from "../../lib/security/room-keys.js";
import {
  decodeToClient,
  encodeToRelay,
  joinProof,
  type ToClient,
  type ToRelay,
} from "../../lib/transport/relay-frames.js";
import { attachRelay, type Relay, type RelayOptions } from "../../relay/attach.js";

export interface TestRelay {
  readonly url: string;
  readonly host: string;
  readonly relay: Relay;
  readonly server: Server;
  stop(): Promise<void>;
}

export async function startRelay(options: RelayOptions = {}, port = 0): Promise<TestRelay> {
  const server = createServer((_, response) => response.end("a page"));
  const relay = attachRelay(server, options);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `ws://${host}/relay`,
    host,
    relay,
    server,
    async stop() {
      await relay.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A connection driven frame by frame. */
export class RawClient {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  readonly #frames: ToClient[] = [];
  #waiting: (() => void) | undefined;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url, { headers });
    this.socket.on("error", () => {});
    this.socket.on("message", (data: Buffer) => {
      this.#frames.push(decodeToClient(data));
      this.#waiting?.();
    });
    this.closed = new Promise((resolve) => this.socket.on("close", (code) => resolve(code)));
  }

  /** The next frame, which must be of this type. */
  async next<T extends ToClient["type"]>(type: T): Promise<Extract<ToClient, { type: T }>> {
    while (this.#frames.length === 0) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    const frame = this.#frames.shift() as ToClient;
    if (frame.type !== type) throw new Error(`expected ${type}, got ${frame.type}`);
    return frame as Extract<ToClient, { type: T }>;
  }

  send(frame: ToRelay): void {
    this.socket.send(encodeToRelay(frame));
  }

  /** Answers the challenge. Returns this connection's id and the members met. */
  async join(keys: RoomKeys, change: (frame: ToRelay & { type: "join" }) => ToRelay = (f) => f) {
    const { connId, challenge } = await this.next("challenge");
    const host = new URL(this.socket.url).host;
    const proof = joinProof({ host, roomId: keys.roomIdBytes, connId, challenge });
    const signature = await keys.relayAuth.sign(proof);
    this.send(change({ type: "join", publicKey: keys.relayAuth.publicKey, signature, host }));
    return connId;
  }

  close(): void {
    this.socket.terminate();
  }
}
