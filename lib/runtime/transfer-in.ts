/**
 * TransferIn: a snapshot's body on its way into this follower's store.
 *
 * One at a time, since one leader sends. A chunk is confirmed when the store has taken it, which is what holds the sender back. When
 * the link breaks, what has arrived stays for a minute: the same snapshot offered again goes on where it was. When this process
 * dies, an unfinished body is gone with it, and the next offer begins at the front. Only with the whole body in the store, and its
 * checksum right, does the core see the MsgSnap.
 *
 * Bounds: frames that wait for the store. What is beyond is dropped, and asked for again.
 */
import type { Cancel, Clock } from "../base/clock.js";
import { crc32c } from "../base/crc32c.js";
import type { Message, NodeId, SnapshotMetadata } from "../core/types.js";
import type { SnapshotSink } from "../storage/storage.js";
import type { TransferFrame } from "./transfer-frames.js";
import { windowBytes } from "./transfer-out.js";

/** Milliseconds without a frame after which an unfinished body is given up. */
const idleMs = 60_000;
const queuedBytesMax = 2 * windowBytes;

export interface TransferInOptions {
  readonly clock: Clock;
  write(metadata: SnapshotMetadata): Promise<SnapshotSink>;
  send(to: NodeId, frame: TransferFrame): boolean;
  /** Whether the core could use it at all. */
  needs(message: Message): boolean;
  /** The body is in the store, or is not needed: the core may see the message. */
  arrived(from: NodeId, message: Message): void;
  storeFailed(error: unknown): void;
}

interface Partial {
  readonly from: NodeId;
  readonly metadata: SnapshotMetadata;
  readonly sink: SnapshotSink;
  id: number;
  message: Message;
  offset: number;
  crc: number;
  /** The gap that was last asked to be filled. */
  askedFor: number;
}

type Incoming = Extract<TransferFrame, { type: "offer" | "chunk" | "end" }>;

export class TransferIn {
  readonly #options: TransferInOptions;
  #partial: Partial | undefined;
  #work: Promise<void> = Promise.resolve();
  #queued = 0;
  #idle: Cancel | undefined;
  #closed = false;

  constructor(options: TransferInOptions) {
    this.#options = options;
  }

  receive(from: NodeId, frame: Incoming): void {
    const bytes = frame.type === "chunk" ? frame.bytes.length : chunkOverhead;
    if (this.#closed || this.#queued + bytes > queuedBytesMax) return;
    this.#queued += bytes;
    this.#work = this.#work
      .then(() => this.#take(from, frame))
      .catch((error) => this.#failed(error))
      .finally(() => {
        this.#queued -= bytes;
      });
  }

  /** Leaves nothing behind; resolves when the store is quiet. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
    await this.#giveUp();
  }

  #failed(error: unknown): void {
    if (!this.#closed) this.#options.storeFailed(error);
  }

  async #take(from: NodeId, frame: Incoming): Promise<void> {
    if (this.#closed) return;
    if (frame.type === "offer") await this.#offered(from, frame.id, frame.message);
    const partial = this.#partial;
    if (partial === undefined || partial.from !== from || partial.id !== frame.id) return;
    this.#touch();
    if (frame.type === "chunk") await this.#chunk(partial, frame.offset, frame.bytes);
    else if (frame.type === "end") await this.#end(partial, frame.length, frame.crc);
  }

  async #offered(from: NodeId, id: number, message: Message): Promise<void> {
    const metadata = message.snapshot?.metadata;
    if (metadata === undefined) return;
    if (!this.#options.needs(message)) {
      this.#options.send(from, { type: "done", id });
      this.#options.arrived(from, message);
      return;
    }
    const { from: sender, metadata: known } = this.#partial ?? {};
    const same = sender === from && known?.index === metadata.index && known.term === metadata.term;
    if (!same) {
      await this.#giveUp();
      const sink = await this.#options.write(metadata);
      this.#partial = { from, metadata, sink, id, message, offset: 0, crc: 0, askedFor: -1 };
    }
    const partial = this.#partial;
    if (partial === undefined) return;
    partial.id = id;
    partial.message = message;
    this.#options.send(from, { type: "wanted", id, offset: partial.offset });
  }

  async #chunk(partial: Partial, offset: number, bytes: Uint8Array): Promise<void> {
    if (offset > partial.offset) {
      this.#askAgain(partial);
      return;
    }
    const news = bytes.subarray(partial.offset - offset);
    if (news.length === 0) return;
    await partial.sink.write(news);
    partial.crc = crc32c(news, partial.crc);
    partial.offset += news.length;
    this.#options.send(partial.from, { type: "stored", id: partial.id, offset: partial.offset });
  }

  async #end(partial: Partial, length: number, crc: number): Promise<void> {
    if (partial.offset < length) {
      this.#askAgain(partial);
      return;
    }
    if (partial.offset > length || partial.crc !== crc) {
      // Not the body it was begun with: from the front, at the next offer.
      await this.#giveUp();
      return;
    }
    this.#forget();
    await partial.sink.finish();
    this.#options.arrived(partial.from, partial.message);
    this.#options.send(partial.from, { type: "done", id: partial.id });
  }

  /** Once for each gap: the chunks behind it come all the same, and are not taken. */
  #askAgain(partial: Partial): void {
    if (partial.askedFor === partial.offset) return;
    partial.askedFor = partial.offset;
    this.#options.send(partial.from, { type: "wanted", id: partial.id, offset: partial.offset });
  }

  #touch(): void {
    this.#idle?.();
    this.#idle = this.#options.clock.after(idleMs, () => {
      this.#work = this.#work.then(() => this.#giveUp()).catch((error) => this.#failed(error));
    });
  }

  #forget(): void {
    this.#idle?.();
    this.#idle = undefined;
    this.#partial = undefined;
  }

  async #giveUp(): Promise<void> {
    const partial = this.#partial;
    this.#forget();
    await partial?.sink.abort();
  }
}

/** What a frame without a chunk counts for in the queue. */
const chunkOverhead = 256;
