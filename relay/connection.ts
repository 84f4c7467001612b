/**
 * One connection: challenge, proof, then envelopes in and out, within its limits.
 *
 * Whatever a client sends ends at worst its own connection. Over its rate a client loses messages first (signaling is
 * retried) and the connection only when it goes on.
 */
import { randomBytes } from "node:crypto";
import {
  challengeBytes,
  decodeToRelay,
  encodeToClient,
  everybody,
  relayClose,
  type ToClient,
  type ToRelay,
} from "logboom/relay-protocol";
import type { RawData, WebSocket } from "ws";
import type { RelayLimits } from "./limits.js";
import { provenRoom } from "./proof.js";
import type { Member, Rooms } from "./rooms.js";
import type { Counters } from "./stats.js";
import { TokenBucket } from "./token-bucket.js";

/** What all connections of a relay share. */
export interface Surroundings {
  readonly rooms: Rooms;
  readonly limits: RelayLimits;
  readonly counters: Counters;
  /** Hosts a proof may be for; undefined: any. */
  readonly hosts: ReadonlySet<string> | undefined;
  now(): number;
}

export class Connection implements Member {
  readonly connId: number;
  readonly #socket: WebSocket;
  readonly #relay: Surroundings;
  readonly #challenge = randomBytes(challengeBytes);
  readonly #openedAt: number;
  readonly #messages: TokenBucket;
  readonly #bytes: TokenBucket;
  #roomId: string | undefined;
  #dropped = 0;
  #heardAt: number;

  constructor(socket: WebSocket, connId: number, relay: Surroundings) {
    const { limits } = relay;
    const now = relay.now();
    this.connId = connId;
    this.#socket = socket;
    this.#relay = relay;
    this.#openedAt = now;
    this.#heardAt = now;
    this.#messages = new TokenBucket(limits.messagesPerSecond, limits.messagesBurst, now);
    this.#bytes = new TokenBucket(limits.bytesPerSecond, limits.bytesBurst, now);
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    socket.on("pong", () => {
      this.#heardAt = relay.now();
    });
    this.deliver({ type: "challenge", connId, challenge: this.#challenge });
  }

  get joined(): boolean {
    return this.#roomId !== undefined;
  }

  deliver(frame: ToClient): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > this.#relay.limits.queuedBytes) {
      this.#relay.counters.slowReaders++;
      this.#socket.terminate(); // a close frame would wait behind what is not read
      return;
    }
    this.#socket.send(encodeToClient(frame), noteNothing);
  }

  /** Called once, when the socket is gone. */
  gone(): void {
    if (this.#roomId === undefined) return;
    const staying = this.#relay.rooms.leave(this.#roomId, this.connId);
    for (const member of staying) member.deliver({ type: "left", connId: this.connId });
  }

  /** Deadlines, looked at every now and then; `ping` is true when it is time for one. */
  check(ping: boolean): void {
    const { limits } = this.#relay;
    const now = this.#relay.now();
    if (!this.joined && now - this.#openedAt > limits.joinMs) {
      this.#close(relayClose.joinTimeout, "no join in time");
    } else if (now - this.#heardAt > 2 * limits.pingMs) {
      this.#socket.terminate();
    } else if (ping && this.#socket.readyState === this.#socket.OPEN) {
      this.#socket.ping(undefined, undefined, noteNothing);
    }
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return; // closed by us: what still arrives is nobody's
    this.#heardAt = this.#relay.now();
    const bytes = asBytes(data);
    if (!this.#withinRate(bytes.length)) return;
    let frame: ToRelay;
    try {
      if (!isBinary) throw new Error("text");
      frame = decodeToRelay(bytes);
    } catch {
      this.#relay.counters.badFrames++;
      this.#close(relayClose.badFrame, "malformed frame");
      return;
    }
    if (frame.type === "join") this.#join(frame);
    else if (frame.type === "send") this.#forward(frame);
    else this.deliver({ type: "pong" });
  }

  #withinRate(bytes: number): boolean {
    const now = this.#relay.now();
    if (this.#messages.take(1, now) && this.#bytes.take(bytes, now)) {
      this.#dropped = 0;
      return true;
    }
    this.#relay.counters.dropped++;
    if (++this.#dropped > this.#relay.limits.droppedMax) this.#close(relayClose.flood, "flood");
    return false;
  }

  #join(frame: ToRelay & { type: "join" }): void {
    const { hosts, rooms, counters } = this.#relay;
    const roomId =
      this.joined || hosts?.has(frame.host) === false
        ? undefined
        : provenRoom(frame, this.connId, this.#challenge);
    if (roomId === undefined) {
      counters.badProofs++;
      this.#close(relayClose.badProof, "wrong proof");
      return;
    }
    const met = rooms.enter(roomId, this);
    if (met === undefined) {
      counters.full++;
      this.#close(relayClose.roomFull, "no place");
      return;
    }
    this.#roomId = roomId;
    this.deliver({ type: "joined", members: met.map((member) => member.connId) });
    for (const member of met) member.deliver({ type: "arrived", connId: this.connId });
  }

  #forward(frame: ToRelay & { type: "send" }): void {
    const { rooms, counters } = this.#relay;
    if (this.#roomId === undefined) {
      counters.badFrames++;
      this.#close(relayClose.badFrame, "join first");
      return;
    }
    const receiver = rooms.member(this.#roomId, frame.to);
    const receivers =
      frame.to === everybody
        ? rooms.others(this.#roomId, this.connId)
        : receiver === undefined
          ? [] // just gone
          : [receiver];
    for (const member of receivers) {
      counters.forwarded++;
      member.deliver({ type: "envelope", from: this.connId, body: frame.body });
    }
  }

  #close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }
}

/** A failed send ends in the socket's own `close`; ws wants a callback so that it is not thrown. */
function noteNothing(): void {}

function asBytes(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
