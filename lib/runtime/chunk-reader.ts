/** ChunkReader: bytes from the front of a stream of chunks, then the rest of it. */
import { concatBytes } from "../base/bytes.js";
import { DecodeError } from "../base/errors.js";

export class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Uint8Array> {
    while (this.#buffer.length < length) {
      const next = await this.#chunks.next();
      if (next.done === true) throw new DecodeError("snapshot body ends in its head");
      this.#buffer = concatBytes(this.#buffer, next.value);
    }
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async *rest(): AsyncIterable<Uint8Array> {
    if (this.#buffer.length > 0) yield this.#buffer;
    for (let next = await this.#chunks.next(); next.done !== true; ) {
      yield next.value;
      next = await this.#chunks.next();
    }
  }
}
