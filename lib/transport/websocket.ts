/**
 * WebSocket transport: Node processes to each other, over `ws`.
 *
 * A node listens, and dials every address it is told (`setAddresses`) to which it has no link. Both sides may dial at once: of two
 * links between the same lives the one dialled by the smaller id stays. What a link is after its hello, with heartbeat, two lanes
 * and bounded queues, is link.ts. A peer that moved says where it lives now in its hello, so it is found again whoever dials.
 *
 * The hello names a cluster, it proves nothing: bind to a network that can be trusted, or listen on a server with TLS that asks for
 * client certificates (`server`, `dial`).
 */
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from "ws";
import type { Cancel, Clock } from "../base/clock.js";
import { DecodeError, LogboomError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import type { NodeId } from "../core/types.js";
import type { Channel, ChannelHandlers } from "./channel.js";
import { LinkTable } from "./link-table.js";
import { frameBytesMax, type Transport } from "./transport.js";
import { decodeHello, encodeHello, type Hello, objection } from "./websocket-hello.js";

export { type SharedTransport, shareTransport } from "./shared.js";

export interface WebSocketTransportOptions {
  readonly self: NodeId;
  /** Same at every node of the cluster, 1 to 64 characters; links between different ones are refused. */
  readonly cluster: string;
  /** Where to listen: a port of its own (0: any that is free), or a server of yours, on whose upgrades it answers. Default: nowhere. */
  readonly listen?:
    | { readonly port: number; readonly host?: string }
    | { readonly server: NonNullable<ServerOptions["server"]> };
  /** Where others reach this node, `ws://…`; told to every peer. */
  readonly address?: string;
  /** Whom to dial from the start. */
  readonly addresses?: ReadonlyMap<NodeId, string>;
  readonly clock: Clock;
  readonly random: Random;
  /** For dialling: certificates, headers. */
  readonly dial?: ClientOptions;
  /** A link was refused, or a peer broke the protocol. */
  readonly onRefused?: (reason: string) => void;
}

export interface WebSocketTransport extends Transport {
  /** The port it listens on; undefined where it does not, or on a server of yours. */
  readonly port: number | undefined;
  /** Links and frames that were refused. */
  readonly refused: number;
  /** From now on, whom to dial and where. Links to others stay. */
  setAddresses(addresses: ReadonlyMap<NodeId, string>): void;
}

/** Milliseconds, unless it says otherwise. */
export const webSocketDefaults = {
  /** The first retry comes within this, the next within twice as much … */
  retryMs: 100,
  retryMsMax: 5_000,
  /** From dialling to the peer's hello. */
  handshakeMs: 5_000,
  /** The larger id leaves dialling to the smaller for so long. */
  courtesyMs: 1_000,
  /** Bytes of one WebSocket message; twice as much ends the link. */
  messageBytesMax: 65_536,
} as const;

/** @throws LogboomError `BAD_CONFIG`; what listening fails with (`EADDRINUSE` …) */
export async function openWebSocketTransport(
  options: WebSocketTransportOptions,
): Promise<WebSocketTransport> {
  const { cluster, listen } = options;
  if (cluster.length === 0 || cluster.length > 64) {
    throw new LogboomError("BAD_CONFIG", `cluster must be 1 to 64 characters, got "${cluster}"`);
  }
  const maxPayload = 2 * webSocketDefaults.messageBytesMax;
  const server = listen === undefined ? undefined : new WebSocketServer({ ...listen, maxPayload });
  if (server !== undefined && listen !== undefined && "port" in listen) await listening(server);
  return new WebSockets(options, server);
}

function listening(server: WebSocketServer): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
}

/** Whom we dial. */
interface Target {
  readonly peer: NodeId;
  address: string;
  attempts: number;
  waiting: Cancel | undefined;
  socket: WebSocket | undefined;
}

/** The link that counts. */
interface Known {
  readonly boot: number;
  /** Who dialled. */
  readonly dialler: NodeId;
  readonly socket: WebSocket;
}

class WebSockets implements WebSocketTransport {
  readonly self: NodeId;
  readonly port: number | undefined;
  refused = 0;
  readonly #options: WebSocketTransportOptions;
  readonly #server: WebSocketServer | undefined;
  readonly #boot: number;
  readonly #links: LinkTable;
  readonly #targets = new Map<NodeId, Target>();
  readonly #known = new Map<NodeId, Known>();
  /** Sockets whose hello has not come. */
  readonly #greeting = new Set<WebSocket>();
  #receive: (from: NodeId, frame: Uint8Array) => void = () => {};
  #closed = false;

  constructor(options: WebSocketTransportOptions, server: WebSocketServer | undefined) {
    this.self = options.self;
    this.#options = options;
    this.#server = server;
    this.#boot = 1 + options.random.below(2 ** 32);
    this.#links = new LinkTable({
      clock: options.clock,
      onFrame: (from, frame) => this.#receive(from, frame),
      onGone: (peer) => this.#gone(peer),
      onMalformed: () => this.#refuse("a peer broke the protocol of its link"),
    });
    const bound = server?.address();
    this.port = typeof bound === "object" && bound !== null ? bound.port : undefined;
    server?.on("connection", (socket) => this.#greet(socket, undefined));
    this.setAddresses(options.addresses ?? new Map());
  }

  send(to: NodeId, frame: Uint8Array, options?: { readonly bulk?: boolean }): boolean {
    if (this.#closed || frame.length > frameBytesMax) return false;
    return this.#links.send(to, frame, options?.bulk ?? false);
  }

  onFrame(receive: (from: NodeId, frame: Uint8Array) => void): void {
    this.#receive = receive;
  }

  onPeer(listener: Parameters<Transport["onPeer"]>[0]): () => void {
    return this.#links.events.on(listener);
  }

  peers(): readonly NodeId[] {
    return this.#links.peers();
  }

  setAddresses(addresses: ReadonlyMap<NodeId, string>): void {
    if (this.#closed) return;
    for (const target of [...this.#targets.values()]) {
      if (addresses.has(target.peer)) continue;
      target.waiting?.();
      if (target.socket !== undefined && this.#greeting.has(target.socket))
        target.socket.terminate();
      this.#targets.delete(target.peer);
    }
    for (const [peer, address] of addresses) {
      if (peer !== this.self) this.#aim(peer, address, true);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const target of this.#targets.values()) target.waiting?.();
    this.#targets.clear();
    this.#links.close();
    for (const socket of this.#greeting) socket.terminate();
    this.#known.clear();
    const server = this.#server;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      // Links have said goodbye; a peer that does not close its end must not keep us.
      for (const client of server.clients) client.terminate();
    });
  }

  // ── dialling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #aim(peer: NodeId, address: string, courtesy: boolean): void {
    const target = this.#targets.get(peer);
    if (target !== undefined) {
      if (target.address === address) return;
      target.address = address;
      target.attempts = 0;
      this.#dialLater(target, 0);
      return;
    }
    const fresh: Target = { peer, address, attempts: 0, waiting: undefined, socket: undefined };
    this.#targets.set(peer, fresh);
    const wait = courtesy && this.self > peer ? webSocketDefaults.courtesyMs : 0;
    this.#dialLater(fresh, wait);
  }

  #dialLater(target: Target, ms: number): void {
    if (this.#closed || this.#known.has(target.peer)) return;
    target.waiting?.();
    target.waiting = this.#options.clock.after(ms, () => {
      target.waiting = undefined;
      this.#dial(target);
    });
  }

  #dial(target: Target): void {
    if (this.#closed || this.#known.has(target.peer) || target.socket !== undefined) return;
    try {
      target.socket = new WebSocket(target.address, {
        ...this.#options.dial,
        maxPayload: 2 * webSocketDefaults.messageBytesMax,
        perMessageDeflate: false,
      });
    } catch (error) {
      this.#refuse(`the address ${target.address} of node ${target.peer}: ${String(error)}`);
      this.#retry(target);
      return;
    }
    this.#greet(target.socket, target);
  }

  #retry(target: Target): void {
    target.socket = undefined;
    if (this.#targets.get(target.peer) !== target) return;
    const { retryMs, retryMsMax } = webSocketDefaults;
    const most = Math.min(retryMsMax, retryMs * 2 ** Math.min(target.attempts, 10));
    target.attempts += 1;
    this.#dialLater(target, 1 + this.#options.random.below(most));
  }

  #gone(peer: NodeId): void {
    this.#known.delete(peer);
    const target = this.#targets.get(peer);
    if (target === undefined || this.#closed) return;
    target.attempts = 0;
    this.#retry(target);
  }

  // ── hello ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #greet(socket: WebSocket, target: Target | undefined): void {
    if (this.#closed) {
      socket.terminate();
      return;
    }
    socket.binaryType = "arraybuffer";
    this.#greeting.add(socket);
    const { clock, cluster, address = "" } = this.#options;
    const late = clock.after(webSocketDefaults.handshakeMs, () => socket.terminate());
    const done = (): void => {
      late();
      this.#greeting.delete(socket);
    };
    const say = (): void => {
      const to = target?.peer ?? 0;
      socket.send(encodeHello({ cluster, from: this.self, to, boot: this.#boot, address }));
    };
    if (target === undefined) say();
    else socket.once("open", say);
    socket.on("error", () => {}); // `close` follows
    socket.once("close", () => {
      done();
      if (target?.socket === socket && this.#known.get(target.peer)?.socket !== socket) {
        this.#retry(target);
      }
    });
    socket.once("message", (data) => {
      done();
      try {
        this.#admit(socket, decodeHello(bytesOf(data)), target);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#reject(socket, error.message);
      }
    });
  }

  #admit(socket: WebSocket, hello: Hello, target: Target | undefined): void {
    const against = objection(hello, this.self, this.#options.cluster);
    if (against !== undefined) {
      this.#reject(socket, against);
      return;
    }
    const { from, boot, address } = hello;
    if (target !== undefined && from !== target.peer) {
      this.#reject(socket, `node ${from} answers where node ${target.peer} was expected`);
      return;
    }
    const dialler = target === undefined ? from : this.self;
    const known = this.#known.get(from);
    // Both dialled at once: the smaller id's link stays, on both sides. Another boot is another life.
    if (known !== undefined && known.boot === boot && known.dialler < dialler) {
      socket.close();
      return;
    }
    this.#known.set(from, { boot, dialler, socket });
    if (address !== "" && target === undefined) this.#moved(from, address);
    this.#links.add(from, new SocketChannel(socket), undefined);
    const aimed = this.#targets.get(from);
    if (aimed !== undefined) aimed.attempts = 0;
  }

  /** Where a peer that dialled us says it lives: to be dialled when its link breaks. */
  #moved(peer: NodeId, address: string): void {
    const target = this.#targets.get(peer);
    if (target !== undefined) target.address = address;
  }

  #reject(socket: WebSocket, reason: string): void {
    this.#refuse(reason);
    socket.close(4000, reason.slice(0, 100));
  }

  #refuse(reason: string): void {
    this.refused += 1;
    this.#options.onRefused?.(reason);
  }
}

/** A socket after its hello, as a channel. */
class SocketChannel implements Channel {
  readonly kind = "websocket" as const;
  readonly messageBytesMax: number = webSocketDefaults.messageBytesMax;
  readonly #socket: WebSocket;
  #closed = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  listen(handlers: ChannelHandlers): void {
    const socket = this.#socket;
    this.#drained = () => {
      if (!this.#closed) handlers.drained();
    };
    socket.on("message", (data) => {
      if (!this.#closed) handlers.message(bytesOf(data));
    });
    socket.once("close", (_code, reason) => {
      if (this.#closed) return;
      this.#closed = true;
      handlers.closed(reason.length > 0 ? reason.toString() : "the socket closed");
    });
  }

  #drained: () => void = () => {};

  send(message: Uint8Array<ArrayBuffer>): boolean {
    if (this.#closed || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(message, () => this.#drained());
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}

/** Text is nothing a peer sends: it reads as an empty message, which nobody accepts. */
function bytesOf(data: unknown): Uint8Array {
  return data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(0);
}
