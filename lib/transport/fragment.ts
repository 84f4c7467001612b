/**
 * Fragments: frames of any size over channels that carry small messages.
 *
 *     message = tag (1 byte) ‖ body
 *       whole           the frame
 *       first, next     a fragmented frame: its length (4 bytes) and first part; then part after part
 *       bulkFirst, …    the same in the bulk lane
 *
 * Two lanes, each in order. The bulk lane (snapshots, large appends) moves only while the other is empty, one message at a time, so a heartbeat
 * waits for at most what the channel has already taken. A channel keeps order and loses nothing while it lives, so
 * parts need no numbers; whatever does not fit the lane's frame is malformed and the link is given up.
 *
 * Pure: no time, no channel. Bounds: a frame at most `frameBytesMax`, a reassembly holds only bytes that were received.
 */
import { concatBytes } from "../base/bytes.js";
import { DecodeError } from "../base/errors.js";
import * as wire from "../codec/wire.js";
import { frameBytesMax } from "./transport.js";

export const fragmentTag = { whole: 16, first: 17, next: 18, bulkFirst: 19, bulkNext: 20 } as const;

export interface QueueLimits {
  /** Bytes waiting in one lane beyond which a further frame is dropped. Default 16 MiB; a single larger frame is still taken. */
  readonly queuedBytesMax: number;
  /** Frames waiting in one lane beyond which a further one is dropped. Default 4,096. */
  readonly queuedFramesMax: number;
}

export const queueDefaults: QueueLimits = {
  queuedBytesMax: 16 * 1024 * 1024,
  queuedFramesMax: 4096,
};

interface Lane {
  readonly first: number;
  readonly next: number;
  readonly frames: Uint8Array[];
  /** Bytes of `frames[0]` that have left already. */
  sent: number;
  bytes: number;
}

const newLane = (first: number, next: number): Lane => ({
  first,
  next,
  frames: [],
  sent: 0,
  bytes: 0,
});

/** Frames in, messages of at most `messageBytesMax` bytes out. */
export class Fragmenter {
  readonly #messageBytesMax: number;
  readonly #limits: QueueLimits;
  readonly #urgent = newLane(fragmentTag.first, fragmentTag.next);
  readonly #bulk = newLane(fragmentTag.bulkFirst, fragmentTag.bulkNext);

  constructor(messageBytesMax: number, limits: QueueLimits = queueDefaults) {
    this.#messageBytesMax = messageBytesMax;
    this.#limits = limits;
  }

  /** False when the lane is full or the frame too long: it was not taken. The frame is not copied. */
  enqueue(frame: Uint8Array, bulk: boolean): boolean {
    const lane = bulk ? this.#bulk : this.#urgent;
    if (frame.length > frameBytesMax) return false;
    const full =
      lane.frames.length >= this.#limits.queuedFramesMax ||
      (lane.bytes > 0 && lane.bytes + frame.length > this.#limits.queuedBytesMax);
    if (full) return false;
    lane.frames.push(frame);
    lane.bytes += frame.length;
    return true;
  }

  get empty(): boolean {
    return this.#urgent.frames.length === 0 && this.#bulk.frames.length === 0;
  }

  /** The message to send next; undefined when nothing waits. */
  next(): Uint8Array<ArrayBuffer> | undefined {
    const lane = this.#urgent.frames.length > 0 ? this.#urgent : this.#bulk;
    const frame = lane.frames[0];
    if (frame === undefined) return undefined;
    if (lane.sent === 0 && frame.length + 1 <= this.#messageBytesMax) {
      this.#finish(lane, frame);
      return wire.message(wire.u8(fragmentTag.whole), frame);
    }
    const head =
      lane.sent === 0
        ? wire.message(wire.u8(lane.first), wire.u32(frame.length))
        : wire.u8(lane.next);
    const part = frame.subarray(lane.sent, lane.sent + this.#messageBytesMax - head.length);
    lane.sent += part.length;
    if (lane.sent === frame.length) this.#finish(lane, frame);
    return wire.message(head, part);
  }

  #finish(lane: Lane, frame: Uint8Array): void {
    lane.frames.shift();
    lane.sent = 0;
    lane.bytes -= frame.length;
  }
}

interface Partial {
  readonly total: number;
  readonly parts: Uint8Array[];
  received: number;
}

/** Messages in, frames out. */
export class Reassembler {
  readonly #frameBytesMax: number;
  #urgent: Partial | undefined;
  #bulk: Partial | undefined;

  constructor(maximum: number = frameBytesMax) {
    this.#frameBytesMax = maximum;
  }

  /**
   * The frame this message completes, if it does. @throws DecodeError for a part that fits nowhere, an unknown tag, a frame
   * that is too long: the sender is not one of ours, and what follows cannot be trusted to fit.
   */
  accept(message: Uint8Array): Uint8Array | undefined {
    const reader = new wire.WireReader(message);
    const tag = reader.u8();
    switch (tag) {
      case fragmentTag.whole:
        return reader.rest();
      case fragmentTag.first:
        requireIdle(this.#urgent);
        this.#urgent = this.#begin(reader);
        return undefined;
      case fragmentTag.bulkFirst:
        requireIdle(this.#bulk);
        this.#bulk = this.#begin(reader);
        return undefined;
      case fragmentTag.next: {
        const frame = extend(this.#urgent, reader.rest());
        if (frame !== undefined) this.#urgent = undefined;
        return frame;
      }
      case fragmentTag.bulkNext: {
        const frame = extend(this.#bulk, reader.rest());
        if (frame !== undefined) this.#bulk = undefined;
        return frame;
      }
      default:
        throw new DecodeError(`no message has tag ${tag}`);
    }
  }

  #begin(reader: wire.WireReader): Partial {
    const total = reader.u32();
    if (total > this.#frameBytesMax) {
      throw new DecodeError(`frame of ${total} bytes, at most ${this.#frameBytesMax}`);
    }
    const part = reader.rest();
    if (part.length === 0 || part.length >= total) {
      throw new DecodeError(`first part of ${part.length} bytes in a frame of ${total}`);
    }
    return { total, parts: [part], received: part.length };
  }
}

function requireIdle(partial: Partial | undefined): void {
  if (partial !== undefined) throw new DecodeError("a frame begins before the last one ended");
}

function extend(partial: Partial | undefined, part: Uint8Array): Uint8Array | undefined {
  if (partial === undefined) throw new DecodeError("a part without a frame");
  if (part.length === 0 || partial.received + part.length > partial.total) {
    throw new DecodeError(
      `part of ${part.length} bytes, ${partial.total - partial.received} missing`,
    );
  }
  partial.parts.push(part);
  partial.received += part.length;
  return partial.received === partial.total ? concatBytes(...partial.parts) : undefined;
}
