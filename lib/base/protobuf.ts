/**
 * Protocol buffers' wire format, as far as raftpb and etcd's files need it: varints and length-delimited fields.
 *
 * `Reader` walks one `Uint8Array` and hands out views of it; what lies in bounds is decided before anything is made, so
 * that a length in hostile bytes costs nothing. Numbers are safe integers or a `DecodeError`. `Writer` fills an array whose
 * size was computed first: two passes, no buffer that grows. https://protobuf.dev/programming-guides/encoding
 *
 * Invariant: start ≤ position ≤ end ≤ bytes.length, whatever the bytes say.  Not here: which fields exist (codec/raftpb-fields.ts,
 * core/confchange-codec.ts).
 */
import { assert } from "./assert.js";
import { DecodeError, InvariantError } from "./errors.js";

/**
 * What becomes of numbers that are zero: `"omitted"` as etcd/raft 3.7 and raft-rs do, `"written"` as etcd/raft up to 3.6 and its WAL do.
 * Readers take either.
 */
export type Zeros = "omitted" | "written";

const noBytes = new Uint8Array(0);

/** Wire types: the low three bits of a tag. */
export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
export const wireGroupStart = 3;
export const wireFixed32 = 5;

/** Groups within groups that are skipped before the bytes are called hostile. Nobody writes groups any more. */
export const groupDepthMax = 32;

/** 2^49: where `Reader` splits a varint, because seven groups of seven bits are exact in a double with room to spare. */
const split = 0x2000000000000;
const fieldNumberMax = 0x1fffffff;

/** Where skipped fields lie: start, end, start, end … in ascending order. */
export type Ranges = number[];

export class Reader {
  /** Where the next read begins. */
  position = 0;
  private readonly bytes: Uint8Array;
  private end: number;
  /** Where the field whose tag was read last begins. */
  private fieldStart = 0;
  /** Bits 49 to 63 of the varint that `lower()` read. */
  private upper = 0;

  /** @param bytes  not copied: what is read are views of it, so it must not change afterwards. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.end = bytes.length;
  }

  /** False at the end of the bytes or of the record that was entered. */
  more(): boolean {
    return this.position < this.end;
  }

  /** The next field's tag: field number × 8 + wire type. */
  tag(): number {
    this.fieldStart = this.position;
    const tag = this.varint();
    const field = Math.floor(tag / 8);
    if (field < 1 || field > fieldNumberMax) throw this.error(`field number ${field}`);
    return tag;
  }

  /** An unsigned number. @throws DecodeError above 2^53−1 */
  varint(): number {
    const byte = this.position < this.end ? (this.bytes[this.position] as number) : 0x80;
    if (byte < 0x80) {
      this.position++;
      return byte;
    }
    const lower = this.lower();
    return this.safe(this.upper * split + lower);
  }

  /** A number in two's complement (int32, int64). @throws DecodeError beyond ±(2^53−1) */
  signedVarint(): number {
    const lower = this.lower();
    const upper = this.upper >= 0x4000 ? this.upper - 0x8000 : this.upper;
    return this.safe(upper * split + lower);
  }

  bool(): boolean {
    const lower = this.lower();
    return lower !== 0 || this.upper !== 0;
  }

  /** A view of the bytes that follow their length. */
  lengthDelimited(): Uint8Array {
    const length = this.length();
    if (length === 0) return noBytes;
    const start = this.position;
    this.position += length;
    return this.view(start, this.position);
  }

  /** Goes into a length-delimited record: `more()` then answers for it. Returns what `leave` needs. */
  enter(): number {
    const outer = this.end;
    this.end = this.length() + this.position;
    return outer;
  }

  /** Leaves a record that was read to its end. */
  leave(outer: number): void {
    this.end = outer;
  }

  /** Passes over the value whose `tag` was read. */
  skip(tag: number): void {
    this.skipValue(tag, 0);
  }

  /** Passes over the value whose `tag` was read, and adds the whole field to `ranges`. */
  keep(tag: number, ranges: Ranges | undefined): Ranges {
    const start = this.fieldStart;
    this.skipValue(tag, 0);
    if (ranges === undefined) return [start, this.position];
    if (ranges[ranges.length - 1] === start) ranges[ranges.length - 1] = this.position;
    else ranges.push(start, this.position);
    return ranges;
  }

  /** What `ranges` cover, in one piece: a view where they touch, else a copy. */
  kept(ranges: Ranges | undefined): Uint8Array | undefined {
    if (ranges === undefined) return undefined;
    if (ranges.length === 2) return this.view(ranges[0] as number, ranges[1] as number);
    let length = 0;
    for (let i = 0; i < ranges.length; i += 2) {
      length += (ranges[i + 1] as number) - (ranges[i] as number);
    }
    const whole = new Uint8Array(length);
    let offset = 0;
    for (let i = 0; i < ranges.length; i += 2) {
      const part = this.bytes.subarray(ranges[i], ranges[i + 1]);
      whole.set(part, offset);
      offset += part.length;
    }
    return whole;
  }

  /** An error that says where. */
  error(what: string): DecodeError {
    return new DecodeError(`${what}, in the field at byte ${this.fieldStart}`);
  }

  // Not `subarray`, which on a Node Buffer makes another Buffer and is slower everywhere.
  private view(from: number, to: number): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + from, to - from);
  }

  private safe(value: number): number {
    if (!Number.isSafeInteger(value)) throw this.error("number beyond 2^53−1");
    return value;
  }

  private length(): number {
    const length = this.varint();
    if (length > this.end - this.position) {
      throw this.error(`length ${length} with ${this.end - this.position} bytes left`);
    }
    return length;
  }

  /** Reads a varint of up to 64 bits: returns its low 49 bits and leaves the others in `upper`. */
  private lower(): number {
    let lower = 0;
    let scale = 1;
    this.upper = 0;
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) throw this.error("varint cut short");
      const byte = this.bytes[this.position++] as number;
      if (i < 7) {
        lower += (byte & 0x7f) * scale;
        scale *= 128;
      } else {
        this.upper |= (byte & 0x7f) << ((i - 7) * 7);
      }
      if (byte < 0x80) {
        if (i === 9 && byte > 1) throw this.error("varint of more than 64 bits");
        return lower;
      }
    }
    throw this.error("varint of more than 10 bytes");
  }

  private skipValue(tag: number, depth: number): void {
    switch (tag % 8) {
      case wireVarint:
        this.lower();
        return;
      case wireFixed64:
        this.advance(8);
        return;
      case wireBytes:
        this.advance(this.length());
        return;
      case wireGroupStart:
        this.skipGroup(tag + 1, depth + 1);
        return;
      case wireFixed32:
        this.advance(4);
        return;
      default:
        throw this.error(`wire type ${tag % 8}`);
    }
  }

  private skipGroup(endTag: number, depth: number): void {
    if (depth > groupDepthMax) throw this.error(`groups nested deeper than ${groupDepthMax}`);
    for (;;) {
      const tag = this.varint();
      if (tag === endTag) return;
      if (tag < 8) throw this.error("field number 0");
      this.skipValue(tag, depth);
    }
  }

  private advance(count: number): void {
    if (count > this.end - this.position) throw this.error("value cut short");
    this.position += count;
  }
}

/** Fills an array of a size computed beforehand. What cannot be written (a negative id, a fraction) is an `InvariantError`. */
export class Writer {
  private readonly bytes: Uint8Array<ArrayBuffer>;
  private position: number;

  /** @param from  where the first write goes */
  constructor(size: number, from = 0) {
    this.bytes = new Uint8Array(size);
    this.position = from;
  }

  varint(value: number): void {
    if (!(value >= 0 && Number.isSafeInteger(value))) throw unwritable(value);
    let rest = value;
    if (rest >= 0x10000000) {
      // Four groups at once, so that what remains fits the integer operations below.
      const low = rest & 0xfffffff;
      rest = Math.floor(rest / 0x10000000);
      this.bytes[this.position++] = (low & 0x7f) | 0x80;
      this.bytes[this.position++] = ((low >>> 7) & 0x7f) | 0x80;
      this.bytes[this.position++] = ((low >>> 14) & 0x7f) | 0x80;
      this.bytes[this.position++] = (low >>> 21) | 0x80;
    }
    while (rest > 0x7f) {
      this.bytes[this.position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.position++] = rest;
  }

  /** Two's complement, ten bytes when negative (int64). */
  signedVarint(value: number): void {
    if (value >= 0) {
      this.varint(value);
      return;
    }
    if (!Number.isSafeInteger(value)) throw unwritable(value);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.bytes[this.position++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.position++] = Number(rest);
  }

  /** `value` behind its tag. */
  number(tag: number, value: number): void {
    this.varint(tag);
    this.varint(value);
  }

  /** `value` behind its tag and length. */
  lengthDelimited(tag: number, value: Uint8Array): void {
    this.varint(tag);
    this.varint(value.length);
    this.raw(value);
  }

  /** Begins a record of `size` bytes, which the caller writes next. */
  record(tag: number, size: number): void {
    this.varint(tag);
    this.varint(size);
  }

  raw(value: Uint8Array): void {
    this.bytes.set(value, this.position);
    this.position += value.length;
  }

  /** The array, which must be full. */
  finish(): Uint8Array<ArrayBuffer> {
    assert(this.position === this.bytes.length, "encoded size is not the computed one");
    return this.bytes;
  }
}

// Not `assert`, whose details would be an object made for every number written.
function unwritable(value: number): InvariantError {
  return new InvariantError("not a number that can be written", { value });
}

/** Bytes that `Writer.varint(value)` takes. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  return 4 + varintSize(Math.floor(value / 0x10000000));
}

/** Bytes that `Writer.signedVarint(value)` takes. */
export function signedVarintSize(value: number): number {
  return value < 0 ? 10 : varintSize(value);
}

/** Bytes that `Writer.number(tag, value)` takes. */
export function numberSize(tag: number, value: number): number {
  return varintSize(tag) + varintSize(value);
}

/** Bytes of a length-delimited field of `length` bytes. */
export function recordSize(tag: number, length: number): number {
  return varintSize(tag) + varintSize(length) + length;
}
