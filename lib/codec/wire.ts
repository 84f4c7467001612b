/**
 * Reading and writing fixed-width fields, big-endian: what relay frames, envelopes and link messages are made of.
 *
 * A reader checks every length before it takes a byte and throws only `DecodeError`. What it hands out are views of
 * the message, not copies.
 */
import { concatBytes } from "../base/bytes.js";
import { DecodeError, InvariantError } from "../base/errors.js";

// Every platform has these two. They are not part of the language, and the pure layers compile without DOM and Node types.
declare const TextDecoder: new (
  encoding: string,
  options: { readonly fatal: boolean },
) => { decode(bytes: Uint8Array): string };
declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> };

export class WireReader {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.bytes(1)[0] as number;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  /** A safe integer in eight bytes. */
  u53(): number {
    const high = this.u32();
    const low = this.u32();
    if (high >= 2 ** 21) throw new DecodeError(`number above 2^53 - 1: high half ${high}`);
    return high * 2 ** 32 + low;
  }

  bytes(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      throw new DecodeError(`needs ${length} bytes at ${this.#at}, has ${this.remaining}`);
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** UTF-8 after one byte of length; ill-formed text is an error. */
  text(): string {
    const bytes = this.bytes(this.u8());
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw new DecodeError("text is not UTF-8", { cause });
    }
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.remaining > 0) throw new DecodeError(`${this.remaining} bytes too many`);
  }
}

/** Parts of a message in order; numbers go through the functions below. */
export function message(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatBytes(...parts);
}

export function u8(value: number): Uint8Array<ArrayBuffer> {
  requireBelow(value, 0x100);
  return Uint8Array.of(value);
}

export function u16(value: number): Uint8Array<ArrayBuffer> {
  requireBelow(value, 0x10000);
  return Uint8Array.of(value >>> 8, value & 0xff);
}

export function u32(value: number): Uint8Array<ArrayBuffer> {
  requireBelow(value, 2 ** 32);
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

export function u53(value: number): Uint8Array<ArrayBuffer> {
  requireBelow(value, 2 ** 53);
  return message(u32(Math.floor(value / 2 ** 32)), u32(value % 2 ** 32));
}

/** At most 255 bytes of UTF-8. */
export function text(value: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(value);
  return message(u8(bytes.length), bytes);
}

/** Written by us, so a value out of range is our fault and not the world's. */
function requireBelow(value: number, bound: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value >= bound) {
    throw new InvariantError("number does not fit its field", { value, bound });
  }
}
