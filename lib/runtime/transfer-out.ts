/**
 * TransferOut: one snapshot's body, streamed from the store to one follower.
 *
 * The follower says from where it wants it, so that what it has already is not sent twice, and confirms what is in its store: at most
 * `windowBytes` are under way, whatever the body's size. Chunks travel as bulk, behind heartbeats, votes and acknowledgements. What is
 * lost is asked for again; a follower that stores nothing for a while ends the transfer, and the core begins another later.
 */
import type { Cancel, Clock } from "../base/clock.js";
import { crc32c } from "../base/crc32c.js";
import type { Message, NodeId, SnapshotMetadata } from "../core/types.js";
import type { TransferFrame } from "./transfer-frames.js";

/** Bytes of a body in one frame. */
export const chunkBytes: number = 64 * 1024;
/** Bytes sent and not yet stored by the follower. */
export const windowBytes: number = 512 * 1024;
/** Milliseconds without news after which the offer is repeated, and how often that is done in a row. */
const retryMs = 1000;
const retriesMax = 10;
/** Milliseconds until a frame is tried again that the transport's queue did not take. */
const fullMs = 10;

export interface TransferOutOptions {
  readonly id: number;
  readonly to: NodeId;
  /** The MsgSnap, with metadata alone. */
  readonly message: Message;
  readonly metadata: SnapshotMetadata;
  readonly clock: Clock;
  read(metadata: SnapshotMetadata): AsyncIterable<Uint8Array>;
  send(to: NodeId, frame: TransferFrame): boolean;
  /** Once: the follower has it, the follower is gone, or (with an error) our store cannot be read. */
  ended(outcome: "arrived" | "failed", storeError?: unknown): void;
}

export class TransferOut {
  readonly #options: TransferOutOptions;
  readonly #retry: Cancel;
  #silent = 0;
  #ended = false;
  /** Of streams begun: an older one stops by itself. */
  #stream = 0;
  #stored = 0;
  #wake: (() => void) | undefined;

  constructor(options: TransferOutOptions) {
    this.#options = options;
    this.#offer();
    this.#retry = options.clock.every(retryMs, () => {
      this.#silent += 1;
      if (this.#silent > retriesMax) this.end("failed");
      else if (this.#silent > 1) this.#offer();
    });
  }

  get id(): number {
    return this.#options.id;
  }
  get to(): NodeId {
    return this.#options.to;
  }
  /** Bytes that are in the follower's store. */
  get stored(): number {
    return this.#stored;
  }

  receive(frame: Exclude<TransferFrame, { type: "offer" | "chunk" | "end" }>): void {
    this.#silent = 0;
    if (frame.type === "done") {
      this.end("arrived");
    } else if (frame.type === "stored") {
      this.#stored = Math.max(this.#stored, frame.offset);
      this.#wake?.();
    } else {
      this.#stored = frame.offset;
      this.#stream += 1;
      this.#wake?.();
      void this.#run(this.#stream, frame.offset);
    }
  }

  end(outcome: "arrived" | "failed", storeError?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#retry();
    this.#wake?.();
    this.#options.ended(outcome, storeError);
  }

  #offer(): void {
    const { id, to, message } = this.#options;
    this.#options.send(to, { type: "offer", id, message });
  }

  #superseded(stream: number): boolean {
    return this.#ended || stream !== this.#stream;
  }

  async #run(stream: number, from: number): Promise<void> {
    const { id, metadata } = this.#options;
    let offset = 0;
    let crc = 0;
    try {
      for await (const chunk of this.#options.read(metadata)) {
        crc = crc32c(chunk, crc);
        let at = Math.max(0, from - offset);
        for (; at < chunk.length; at += chunkBytes) {
          const bytes = chunk.subarray(at, at + chunkBytes);
          const sent = await this.#push(stream, {
            type: "chunk",
            id,
            offset: offset + at,
            bytes,
          });
          if (!sent) return;
        }
        offset += chunk.length;
        if (this.#superseded(stream)) return;
      }
    } catch (error) {
      if (!this.#superseded(stream)) this.end("failed", error);
      return;
    }
    await this.#push(stream, { type: "end", id, length: offset, crc });
  }

  /** Sends when there is room, here and at the follower; false when this stream is over. */
  async #push(
    stream: number,
    frame: Extract<TransferFrame, { type: "chunk" | "end" }>,
  ): Promise<boolean> {
    // The end waits for the last chunk's confirmation: it is quick, and to overtake that chunk would have it asked for again.
    const upTo = frame.type === "chunk" ? frame.offset - windowBytes + 1 : frame.length;
    while (!this.#superseded(stream)) {
      if (this.#stored < upTo) await this.#news();
      else if (this.#options.send(this.#options.to, frame)) return true;
      else await this.#news(fullMs);
    }
    return false;
  }

  /** Until something is heard of the follower, or for `ms`. */
  #news(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = ms === undefined ? undefined : this.#options.clock.after(ms, () => wake());
      const wake = (): void => {
        cancel?.();
        if (this.#wake === wake) this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
    });
  }
}
