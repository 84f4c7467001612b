/**
 * Relay client: the signaling socket. Joins the room with its proof, then carries sealed envelopes in and out.
 *
 * It reconnects for ever, quickly at first, then with full-jitter back-off up to 30 s, so that a relay that returns is not run
 * over by everybody at once; the platform's `online` event brings a try forward. A dead relay disturbs nothing: open
 * links do not know of it.
 *
 * Not here: what envelopes mean (signaling.ts); the relay itself (`relay/`).
 */
import type { Cancel, Clock } from "../base/clock.js";
import { DecodeError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import {
  decodeToClient,
  encodeToRelay,
  everybody,
  joinProof,
  type ToClient,
} from "./relay-frames.js";
import type { Sealer } from "./sealer.js";
import type { Way, WayEvents } from "./way.js";

export type RelayStatus = "connected" | "connecting" | "off";

/** What is used of a WebSocket: the browser's, or `ws` in Node. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: (() => void) | null;
  onerror: (() => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export type WebSocketConstructor = new (url: string) => WebSocketLike;

export interface RelayClientOptions {
  /** `wss://…` or `ws://…`. */
  readonly url: string;
  readonly roomId: Uint8Array;
  /** The room's relay key. */
  readonly auth: {
    readonly publicKey: Uint8Array;
    sign(message: Uint8Array): Promise<Uint8Array>;
  };
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly webSocket: WebSocketConstructor;
  readonly events: WayEvents;
  onStatus(status: RelayStatus): void;
  /** Calls back when the platform believes to be online again. */
  onOnline(listener: () => void): Cancel;
}

/** Milliseconds, unless it says otherwise. */
export const relayClientDefaults = {
  /** The first retry comes within this, the second within four times as much … */
  retryMs: 250,
  retryMsMax: 30_000,
  /** From dialling to being in the room. */
  joinMs: 10_000,
  /** In the room a ping goes out so often; without an answer to one by the time of the next the relay is lost. */
  pingMs: 20_000,
  /** A connection that held so long starts the back-off anew. */
  steadyMs: 5_000,
  /** Bytes waiting in the socket beyond which envelopes are dropped. */
  queuedBytesMax: 262_144,
} as const;

export interface RelayClient extends Way {
  readonly status: RelayStatus;
  /** Frames that were malformed or could not be opened. */
  readonly refused: number;
}

export function connectRelay(options: RelayClientOptions): RelayClient {
  return new Client(options);
}

class Client implements RelayClient {
  readonly #options: RelayClientOptions;
  readonly #offOnline: Cancel;
  #status: RelayStatus = "connecting";
  #refused = 0;
  #socket: WebSocketLike | undefined;
  #joinedAt: number | undefined;
  #failures = 0;
  /** The next try, the running one's deadline, or the pings. */
  #timer: Cancel = () => {};
  #unanswered = false;
  #closed = false;

  constructor(options: RelayClientOptions) {
    this.#options = options;
    this.#offOnline = options.onOnline(() => this.#tryNow());
    this.#timer = options.clock.after(0, () => this.#dial());
  }

  get status(): RelayStatus {
    return this.#status;
  }

  get refused(): number {
    return this.#refused;
  }

  send(address: number, plain: Uint8Array): void {
    const { sealer } = this.#options;
    const socket = this.#socket;
    if (socket === undefined || this.#joinedAt === undefined) return;
    if (socket.bufferedAmount > relayClientDefaults.queuedBytesMax) return;
    const body = sealer.seal(plain);
    transmit(
      socket,
      encodeToRelay({ type: "send", to: address === 0 ? everybody : address, body }),
    );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#offOnline();
    this.#drop();
    this.#status = "off";
  }

  #dial(): void {
    this.#drop();
    let socket: WebSocketLike;
    try {
      socket = new this.#options.webSocket(this.#options.url);
    } catch {
      this.#retryLater(); // a page's policy may forbid the connection
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.#receive(socket, event.data);
    socket.onerror = () => this.#lost(socket);
    socket.onclose = () => this.#lost(socket);
    this.#timer = this.#options.clock.after(relayClientDefaults.joinMs, () => this.#lost(socket));
  }

  #tryNow(): void {
    if (this.#closed || this.#socket !== undefined) return;
    this.#failures = 0;
    this.#timer();
    this.#timer = this.#options.clock.after(this.#options.random.below(500), () => this.#dial());
  }

  #receive(socket: WebSocketLike, data: unknown): void {
    if (socket !== this.#socket) return;
    try {
      if (!(data instanceof ArrayBuffer)) throw new DecodeError("text from a relay");
      this.#handle(socket, decodeToClient(new Uint8Array(data)));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refused++;
      this.#lost(socket);
    }
  }

  #handle(socket: WebSocketLike, frame: ToClient): void {
    const { events, sealer } = this.#options;
    switch (frame.type) {
      case "challenge":
        void this.#prove(socket, frame.connId, frame.challenge).catch(() => this.#lost(socket));
        return;
      case "joined":
        this.#joined(socket, frame.members);
        return;
      case "arrived":
        events.arrived(frame.connId);
        return;
      case "left":
        events.left(frame.connId);
        return;
      case "pong":
        this.#unanswered = false;
        return;
      case "envelope": {
        const plain = sealer.open(frame.body);
        if (plain === undefined) this.#refused++;
        else events.received(frame.from, plain);
      }
    }
  }

  async #prove(socket: WebSocketLike, connId: number, challenge: Uint8Array): Promise<void> {
    const { auth, roomId, url } = this.#options;
    const host = new URL(url).host;
    const signature = await auth.sign(joinProof({ host, roomId, connId, challenge }));
    if (socket !== this.#socket) return;
    transmit(socket, encodeToRelay({ type: "join", publicKey: auth.publicKey, signature, host }));
  }

  #joined(socket: WebSocketLike, members: readonly number[]): void {
    if (this.#joinedAt !== undefined) throw new DecodeError("joined twice");
    this.#timer();
    this.#unanswered = false;
    this.#timer = this.#options.clock.every(relayClientDefaults.pingMs, () => this.#ping(socket));
    this.#joinedAt = this.#options.clock.now();
    this.#setStatus("connected");
    this.#options.events.up(members);
  }

  /** A network that is gone can leave a socket open for minutes. */
  #ping(socket: WebSocketLike): void {
    if (this.#unanswered) {
      this.#lost(socket);
      return;
    }
    this.#unanswered = true;
    transmit(socket, encodeToRelay({ type: "ping" }));
  }

  #lost(socket: WebSocketLike): void {
    if (socket !== this.#socket || this.#closed) return;
    const { clock, events } = this.#options;
    const joinedAt = this.#joinedAt;
    this.#drop();
    if (joinedAt !== undefined && clock.now() - joinedAt >= relayClientDefaults.steadyMs) {
      this.#failures = 0;
    }
    this.#retryLater();
    this.#setStatus("connecting");
    if (joinedAt !== undefined) events.down();
  }

  #retryLater(): void {
    const { retryMs, retryMsMax } = relayClientDefaults;
    const bound = Math.min(retryMsMax, retryMs * 4 ** Math.min(this.#failures++, 8));
    this.#timer = this.#options.clock.after(this.#options.random.below(bound), () => this.#dial());
  }

  #drop(): void {
    this.#timer();
    this.#joinedAt = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #setStatus(status: RelayStatus): void {
    if (this.#status === status) return;
    this.#status = status;
    this.#options.onStatus(status);
  }
}

/** A socket that is closing throws in some implementations; its `close` event tells. */
function transmit(socket: WebSocketLike, frame: Uint8Array): void {
  try {
    socket.send(Uint8Array.from(frame));
  } catch {
    // told by onclose
  }
}
