/**
 * Link: frames over one channel, with a heartbeat.
 *
 * Only a heartbeat proves life: a frozen tab shows an open channel for 40 s and longer, then delivers a burst of what was sent
 * meanwhile. So each side says something every second (a frame will do), a link that heard nothing for five is down, and a side that finds itself
 * to have slept so long gives its links up before it reads the burst.
 *
 * Not here: finding the peer (signaling.ts), knowing who it is (an `Authenticate`), choosing among links (link-table.ts).
 */
import type { Cancel, Clock } from "../base/clock.js";
import { DecodeError } from "../base/errors.js";
import type { Channel } from "./channel.js";
import { Fragmenter, Reassembler } from "./fragment.js";
import type { LinkKind } from "./transport.js";

export interface LinkTimes {
  /** Milliseconds between pings on a link that sends nothing else. Default 1,000. */
  readonly pingMs: number;
  /** Silence after which the link is down. Default 5,000. */
  readonly silenceMs: number;
}

export const linkDefaults: LinkTimes = { pingMs: 1000, silenceMs: 5000 };

/** Above so many bytes in the channel nothing more is handed to it: 256 KiB. */
export const bufferedBytesMax: number = 256 * 1024;

/** Beside the tags of fragment.ts. */
const pingTag = 1;
const byeTag = 2;

export interface LinkEvents {
  frame(frame: Uint8Array): void;
  /** Once, unless this side closed the link. `malformed`: the peer broke the protocol. */
  down(reason: string, malformed: boolean): void;
}

export class Link {
  readonly kind: LinkKind;
  readonly #channel: Channel;
  readonly #clock: Clock;
  readonly #times: LinkTimes;
  readonly #events: LinkEvents;
  readonly #out: Fragmenter;
  readonly #in = new Reassembler();
  readonly #beating: Cancel;
  #heardAt: number;
  #beatAt: number;
  /** Whether something was sent since the last beat. */
  #said = false;
  #closed = false;

  constructor(channel: Channel, clock: Clock, events: LinkEvents, times: LinkTimes = linkDefaults) {
    this.kind = channel.kind;
    this.#channel = channel;
    this.#clock = clock;
    this.#times = times;
    this.#events = events;
    this.#out = new Fragmenter(channel.messageBytesMax);
    this.#heardAt = clock.now();
    this.#beatAt = this.#heardAt;
    this.#beating = clock.every(times.pingMs, () => this.#beat());
    channel.listen({
      message: (bytes) => this.#receive(bytes),
      drained: () => this.#pump(),
      closed: (reason) => this.#down(reason, false),
    });
  }

  /** False when the frame was not taken: the link is down or its queue full. */
  send(frame: Uint8Array, bulk: boolean): boolean {
    if (this.#closed || !this.#out.enqueue(frame, bulk)) return false;
    this.#pump();
    return true;
  }

  /** Says goodbye and lets go. Idempotent; `down` is not called. */
  close(): void {
    if (this.#closed) return;
    this.#channel.send(Uint8Array.of(byeTag));
    this.#end();
  }

  #pump(): void {
    while (!this.#closed && this.#channel.bufferedBytes <= bufferedBytesMax) {
      const message = this.#out.next();
      if (message === undefined) return;
      if (!this.#channel.send(message)) {
        this.#down("the channel refused a message", false);
        return;
      }
      this.#said = true;
    }
  }

  #beat(): void {
    if (this.#sleptTooLong()) return;
    const now = this.#clock.now();
    this.#beatAt = now;
    if (now - this.#heardAt > this.#times.silenceMs) {
      this.#down(`nothing heard for ${Math.round(now - this.#heardAt)} ms`, false);
      return;
    }
    if (!this.#said && !this.#channel.send(Uint8Array.of(pingTag))) {
      this.#down("the channel refused a ping", false);
      return;
    }
    this.#said = false;
    this.#pump();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#closed || this.#sleptTooLong()) return;
    this.#heardAt = this.#clock.now();
    const tag = bytes.length === 1 ? bytes[0] : undefined;
    if (tag === pingTag) return;
    if (tag === byeTag) {
      this.#down("the peer said goodbye", false);
      return;
    }
    const frame = this.#reassemble(bytes);
    if (frame !== undefined) this.#events.frame(frame);
  }

  #reassemble(bytes: Uint8Array): Uint8Array | undefined {
    try {
      return this.#in.accept(bytes);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#down(error.message, true);
      return undefined;
    }
  }

  /** What arrives after a freeze is older than the freeze; the other side has given the link up as well. */
  #sleptTooLong(): boolean {
    const slept = this.#clock.now() - this.#beatAt;
    if (slept <= this.#times.silenceMs) return false;
    this.#down(`this page slept for ${Math.round(slept)} ms`, false);
    return true;
  }

  #down(reason: string, malformed: boolean): void {
    if (this.#closed) return;
    this.#end();
    this.#events.down(reason, malformed);
  }

  #end(): void {
    this.#closed = true;
    this.#beating();
    this.#channel.close();
  }
}
