/**
 * Peers of one profile over BroadcastChannel, and peers of one page over MessagePort.
 *
 * One BroadcastChannel per room and profile carries both signaling and links, sealed with the room's key, because every script of the
 * origin may listen:
 *
 *     message = version ‖ kind ‖ to (0: all) ‖ from ‖ session (16) ‖ sealed(the same header ‖ payload)
 *
 * The header is open so that a tab need not unseal what is for another, and is sealed in as well so that it cannot be changed.
 * A BroadcastChannel takes everything and tells nothing, so the receiver acknowledges bytes and the sender stops at
 * what link.ts allows. A port needs neither seal nor handshake: both its ends were made by one piece of code in one page.
 */
import { equalBytes } from "../base/bytes.js";
import { DecodeError } from "../base/errors.js";
import * as wire from "../codec/wire.js";
import type { NodeId } from "../core/types.js";
import type { Channel, ChannelHandlers } from "./channel.js";
import type { Sealer } from "./sealer.js";
import type { Session } from "./session.js";
import type { Way, WayEvents } from "./way.js";

const version = 1;
const kind = { signaling: 0, data: 1, ack: 2, close: 3 } as const;
const headerBytes = 1 + 1 + 8 + 8 + 16;
const noSession = new Uint8Array(16);

/** Bytes received after which the sender is told. */
const ackEveryBytes = 64 * 1024;

export interface BroadcastOptions {
  readonly self: NodeId;
  /** Same for all tabs of a profile that may meet. */
  readonly name: string;
  readonly sealer: Sealer;
  readonly events: WayEvents;
}

export interface BroadcastBus extends Way {
  /** The channel of a session that both sides agreed upon. */
  openChannel(session: Session): Channel;
  /** Messages that were malformed or could not be opened. */
  readonly refused: number;
}

/** True where the platform has BroadcastChannel. */
export function broadcastAvailable(): boolean {
  return typeof globalThis.BroadcastChannel === "function";
}

export function openBroadcast(options: BroadcastOptions): BroadcastBus {
  const bus = new Bus(options);
  // Later, as with every way: the owner may not be ready for events while it is still opening this one.
  queueMicrotask(() => bus.start());
  return bus;
}

interface Header {
  readonly kind: number;
  readonly to: NodeId;
  readonly from: NodeId;
  readonly session: Uint8Array;
}

class Bus implements BroadcastBus {
  readonly #options: BroadcastOptions;
  readonly #posts: BroadcastChannel;
  readonly #channels = new Map<string, BroadcastLinkChannel>();
  #refused = 0;
  #closed = false;

  constructor(options: BroadcastOptions) {
    this.#options = options;
    this.#posts = new BroadcastChannel(options.name);
    this.#posts.onmessage = (event: MessageEvent) => this.#receive(event.data);
    this.#posts.onmessageerror = () => {
      this.#refused++;
    };
  }

  get refused(): number {
    return this.#refused;
  }

  start(): void {
    if (!this.#closed) this.#options.events.up([]);
  }

  send(_address: number, plain: Uint8Array): void {
    this.post({ kind: kind.signaling, to: 0, from: this.#options.self, session: noSession }, plain);
  }

  openChannel(session: Session): Channel {
    const { self, sealer } = this.#options;
    const channel: BroadcastLinkChannel = new BroadcastLinkChannel(
      sealer.plainBytesMax - headerBytes,
      (what, payload) =>
        this.post({ kind: what, to: session.peer, from: self, session: session.id }, payload),
      () => {
        if (this.#channels.get(session.key) === channel) this.#channels.delete(session.key);
      },
      session,
    );
    this.#channels.set(session.key, channel);
    return channel;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#posts.onmessage = null;
    this.#posts.close();
  }

  post(header: Header, payload: Uint8Array): boolean {
    if (this.#closed) return false;
    const head = encodeHeader(header);
    this.#posts.postMessage(
      wire.message(head, this.#options.sealer.seal(wire.message(head, payload))),
    );
    return true;
  }

  #receive(data: unknown): void {
    if (this.#closed) return;
    try {
      if (!(data instanceof Uint8Array)) throw new DecodeError("a message that is not bytes");
      const reader = new wire.WireReader(data);
      const head = reader.bytes(headerBytes);
      const header = decodeHeader(head);
      if (header.to !== 0 && header.to !== this.#options.self) return;
      const plain = this.#options.sealer.open(reader.rest());
      if (plain === undefined || !equalBytes(plain.subarray(0, headerBytes), head)) {
        throw new DecodeError("not sealed with this room's key");
      }
      this.#deliver(header, plain.subarray(headerBytes));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refused++;
    }
  }

  #deliver(header: Header, payload: Uint8Array): void {
    if (header.kind === kind.signaling) {
      this.#options.events.received(0, payload);
      return;
    }
    for (const channel of this.#channels.values()) {
      // Of an earlier session: an older generation, dropped.
      if (channel.session.peer !== header.from) continue;
      if (equalBytes(channel.session.id, header.session)) channel.receive(header.kind, payload);
    }
  }
}

class BroadcastLinkChannel implements Channel {
  readonly kind = "broadcast";
  readonly messageBytesMax: number;
  readonly session: Session;
  readonly #post: (what: number, payload: Uint8Array) => boolean;
  readonly #forget: () => void;
  #handlers: ChannelHandlers | undefined;
  #early: Uint8Array[] = [];
  #sent = 0;
  #acknowledged = 0;
  #received = 0;
  #told = 0;
  #closed = false;

  constructor(
    messageBytesMax: number,
    post: (what: number, payload: Uint8Array) => boolean,
    forget: () => void,
    session: Session,
  ) {
    this.messageBytesMax = messageBytesMax;
    this.#post = post;
    this.#forget = forget;
    this.session = session;
  }

  get bufferedBytes(): number {
    return this.#sent - this.#acknowledged;
  }

  listen(handlers: ChannelHandlers): void {
    this.#handlers = handlers;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) handlers.message(bytes);
  }

  send(message: Uint8Array<ArrayBuffer>): boolean {
    if (this.#closed) return false;
    this.#sent += message.length;
    return this.#post(kind.data, message);
  }

  close(): void {
    if (this.#closed) return;
    this.#post(kind.close, new Uint8Array(0));
    this.#end();
  }

  receive(what: number, payload: Uint8Array): void {
    if (this.#closed) return;
    if (what === kind.data) this.#take(payload);
    else if (what === kind.ack) this.#acknowledge(payload);
    else {
      this.#end();
      this.#handlers?.closed("the channel closed");
    }
  }

  #take(payload: Uint8Array): void {
    this.#received += payload.length;
    if (this.#received - this.#told >= ackEveryBytes) {
      this.#told = this.#received;
      this.#post(kind.ack, wire.u53(this.#received));
    }
    if (this.#handlers !== undefined) this.#handlers.message(payload);
    else if (this.#early.length < earlyMax) this.#early.push(payload);
  }

  #acknowledge(payload: Uint8Array): void {
    const received = new wire.WireReader(payload).u53();
    if (received > this.#sent) throw new DecodeError("more acknowledged than sent");
    this.#acknowledged = Math.max(this.#acknowledged, received);
    this.#handlers?.drained();
  }

  #end(): void {
    this.#closed = true;
    this.#forget();
  }
}

/** Messages that may come before anybody listens: a handshake's first ones. */
const earlyMax = 4;

function encodeHeader(header: Header): Uint8Array {
  return wire.message(
    wire.u8(version),
    wire.u8(header.kind),
    wire.u53(header.to),
    wire.u53(header.from),
    header.session,
  );
}

function decodeHeader(bytes: Uint8Array): Header {
  const reader = new wire.WireReader(bytes);
  const spoken = reader.u8();
  if (spoken !== version) throw new DecodeError(`version ${spoken}, not ${version}`);
  const what = reader.u8();
  if (what > kind.close) throw new DecodeError(`no message has kind ${what}`);
  return { kind: what, to: reader.u53(), from: reader.u53(), session: reader.bytes(16) };
}

// ── ports ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One end of a MessageChannel. Posts bytes, the number of bytes received so far, and a word at the end. */
export function portChannel(port: MessagePort): Channel {
  let handlers: ChannelHandlers | undefined;
  let closed = false;
  let [sent, acknowledged, received, told] = [0, 0, 0, 0];
  const end = (): void => {
    closed = true;
    port.onmessage = null;
    port.close();
  };
  const take = (data: unknown): void => {
    if (data instanceof Uint8Array) {
      received += data.length;
      if (received - told >= ackEveryBytes) {
        told = received;
        port.postMessage(told);
      }
      handlers?.message(data);
    } else if (typeof data === "number" && data > acknowledged && data <= sent) {
      acknowledged = data;
      handlers?.drained();
    } else {
      end();
      handlers?.closed(data === closing ? "the channel closed" : "a message out of place");
    }
  };
  return {
    kind: "port",
    messageBytesMax: 64 * 1024,
    get bufferedBytes() {
      return sent - acknowledged;
    },
    listen(next) {
      handlers = next;
      port.onmessage = (event: MessageEvent) => {
        if (!closed) take(event.data);
      };
    },
    send(message) {
      if (closed) return false;
      sent += message.length;
      port.postMessage(message);
      return true;
    },
    close() {
      if (closed) return;
      port.postMessage(closing);
      end();
    },
  };
}

const closing = "closing";
