/**
 * MessagePack for values: the bytes of commands, results and snapshots.
 *
 * The format is msgpack.org's, so other tools read it. Written here rather than taken from a package because a replicated
 * value must come back exactly: −0 and lone surrogates kept, NaN in one form of bytes, objects in their own key order and
 * without prototype; and because bytes from outside must cost no more than they are long, in depth and memory.
 * (tests/machines/msgpack.test.ts reads what is written here with @msgpack/msgpack, and the other way round.)
 *
 * Integers take their shortest form, other numbers are float 64; a bigint is extension 1: a byte of sign, then the magnitude.
 * One value has one encoding: `encodeValue(decodeValue(bytes))` may differ from bytes of another writer, never from ours.
 *
 * Invariant: `decodeValue` throws `DecodeError` or nothing.  Not here: what a value may be (values.ts).
 */
import { DecodeError, isLogboomError } from "../base/errors.js";
import {
  bigintBytesMax,
  envelopeDepthMax,
  isHighSurrogate,
  isLowSurrogate,
  tame,
  unboundedBytes,
  utf8Length,
  type Value,
  weigh,
} from "./values.js";

const bigintExtension = 1;
const formatBounds = { bytesMax: unboundedBytes, levels: envelopeDepthMax };

/** Encodes a value of any size. @throws LogboomError `BAD_INPUT` as `tame` does, with `what` in the message. */
export function encodeValue(value: unknown, what: string = "value"): Uint8Array<ArrayBuffer> {
  const tamed = tame(value, what, formatBounds);
  // The weight is an upper bound, so nothing has to grow.
  const bytes = new Uint8Array(weigh(tamed));
  const writer: Writer = { bytes, view: new DataView(bytes.buffer), at: 0 };
  write(writer, tamed);
  return bytes.slice(0, writer.at);
}

/**
 * The value of which `bytes` are the whole encoding, tame.
 *
 * @throws DecodeError for anything else: cut short, trailing bytes, keys that are no strings or come twice, `__proto__`, integers
 *         beyond 2^53, unknown extensions, more than 72 levels.
 */
export function decodeValue(bytes: Uint8Array, what: string = "value"): Value {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader: Reader = { bytes, view, at: 0, what };
  const value = read(reader, 0);
  if (reader.at !== bytes.length) fail(reader, "trailing bytes");
  try {
    return tame(value, what, formatBounds);
  } catch (cause) {
    if (isLogboomError(cause)) throw new DecodeError(cause.message, { cause });
    throw cause;
  }
}

interface Writer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  at: number;
}

function write(writer: Writer, value: Value): void {
  if (value === null) writeByte(writer, 0xc0);
  else if (typeof value === "boolean") writeByte(writer, value ? 0xc3 : 0xc2);
  else if (typeof value === "number") writeNumber(writer, value);
  else if (typeof value === "string") writeString(writer, value);
  else if (typeof value === "bigint") writeBigint(writer, value);
  else if (value instanceof Uint8Array) writeBytes(writer, value);
  else if (isArray(value)) {
    writeCount(writer, value.length, 0x90, 15, 0xdc);
    for (const item of value) write(writer, item);
  } else {
    const keys = Object.keys(value);
    writeCount(writer, keys.length, 0x80, 15, 0xde);
    for (const key of keys) {
      writeString(writer, key);
      write(writer, value[key] as Value);
    }
  }
}

function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function writeByte(writer: Writer, byte: number): void {
  writer.bytes[writer.at++] = byte;
}

/** The least `size` bytes of `value` (1, 2 or 4), after `marker`. */
function writeUnsigned(writer: Writer, marker: number, value: number, size: 1 | 2 | 4): void {
  writeByte(writer, marker);
  if (size === 1) writer.view.setUint8(writer.at, value);
  else if (size === 2) writer.view.setUint16(writer.at, value);
  else writer.view.setUint32(writer.at, value);
  writer.at += size;
}

function writeNumber(writer: Writer, value: number): void {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) writeFloat(writer, value);
  else if (value >= 0) {
    if (value < 0x80) writeByte(writer, value);
    else if (value < 0x100) writeUnsigned(writer, 0xcc, value, 1);
    else if (value < 0x10000) writeUnsigned(writer, 0xcd, value, 2);
    else if (value < 0x100000000) writeUnsigned(writer, 0xce, value, 4);
    else writeInteger64(writer, 0xcf, value);
  } else if (value >= -0x20) writeByte(writer, value & 0xff);
  else if (value >= -0x80) writeUnsigned(writer, 0xd0, value & 0xff, 1);
  else if (value >= -0x8000) writeUnsigned(writer, 0xd1, value & 0xffff, 2);
  else if (value >= -0x80000000) writeUnsigned(writer, 0xd2, value >>> 0, 4);
  else writeInteger64(writer, 0xd3, value);
}

function writeInteger64(writer: Writer, marker: number, value: number): void {
  writeByte(writer, marker);
  writer.view.setBigInt64(writer.at, BigInt(value));
  writer.at += 8;
}

function writeFloat(writer: Writer, value: number): void {
  writeByte(writer, 0xcb);
  // Which of the many NaNs a platform writes is its own affair; a state has one.
  if (Number.isNaN(value)) writer.view.setBigUint64(writer.at, 0x7ff8000000000000n);
  else writer.view.setFloat64(writer.at, value);
  writer.at += 8;
}

/** Length of an array or a map: in the marker up to `shortMax`, else in 16 or 32 bits (`marker16`, `marker16 + 1`). */
function writeCount(
  writer: Writer,
  count: number,
  short: number,
  shortMax: number,
  marker16: number,
): void {
  if (count <= shortMax) writeByte(writer, short | count);
  else if (count < 0x10000) writeUnsigned(writer, marker16, count, 2);
  else writeUnsigned(writer, marker16 + 1, count, 4);
}

function writeString(writer: Writer, text: string): void {
  const length = utf8Length(text);
  if (length >= 32 && length < 0x100) writeUnsigned(writer, 0xd9, length, 1);
  else writeCount(writer, length, 0xa0, 31, 0xda);
  writer.at = writeUtf8(writer.bytes, writer.at, text);
}

/** UTF-8, with a lone surrogate as the three bytes its number would take (WTF-8). Returns the position after it. */
function writeUtf8(bytes: Uint8Array, from: number, text: string): number {
  let at = from;
  for (let i = 0; i < text.length; i++) {
    let point = text.charCodeAt(i);
    if (isHighSurrogate(point) && isLowSurrogate(text.charCodeAt(i + 1))) {
      point = 0x10000 + ((point & 0x3ff) << 10) + (text.charCodeAt(++i) & 0x3ff);
    }
    if (point < 0x80) bytes[at++] = point;
    else {
      if (point < 0x800) bytes[at++] = 0xc0 | (point >> 6);
      else {
        if (point < 0x10000) bytes[at++] = 0xe0 | (point >> 12);
        else {
          bytes[at++] = 0xf0 | (point >> 18);
          bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
        }
        bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
      }
      bytes[at++] = 0x80 | (point & 0x3f);
    }
  }
  return at;
}

function writeBytes(writer: Writer, value: Uint8Array): void {
  if (value.length < 0x100) writeUnsigned(writer, 0xc4, value.length, 1);
  else if (value.length < 0x10000) writeUnsigned(writer, 0xc5, value.length, 2);
  else writeUnsigned(writer, 0xc6, value.length, 4);
  writer.bytes.set(value, writer.at);
  writer.at += value.length;
}

function writeBigint(writer: Writer, value: bigint): void {
  const negative = value < 0n;
  let digits = value === 0n ? "" : (negative ? -value : value).toString(16);
  if (digits.length % 2 === 1) digits = `0${digits}`;
  const length = 1 + digits.length / 2;
  if (length < 0x100) writeUnsigned(writer, 0xc7, length, 1);
  else writeUnsigned(writer, 0xc8, length, 2);
  writeByte(writer, bigintExtension);
  writeByte(writer, negative ? 1 : 0);
  for (let i = 0; i < digits.length; i += 2) {
    writeByte(writer, Number.parseInt(digits.slice(i, i + 2), 16));
  }
}

interface Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
  readonly what: string;
}

function fail(reader: Reader, why: string): never {
  throw new DecodeError(`${reader.what}: ${why} at byte ${reader.at}`);
}

/** Position of the next `length` bytes, which are there. */
function take(reader: Reader, length: number): number {
  const at = reader.at;
  if (length > reader.bytes.length - at) fail(reader, "cut short");
  reader.at = at + length;
  return at;
}

function readUnsigned(reader: Reader, size: 1 | 2 | 4): number {
  const at = take(reader, size);
  if (size === 1) return reader.view.getUint8(at);
  return size === 2 ? reader.view.getUint16(at) : reader.view.getUint32(at);
}

const sizes = [1, 2, 4] as const;

/** The 8-, 16- or 32-bit length that the marker `base + 0, 1, 2` announces. */
function readLength(reader: Reader, marker: number, base: number): number {
  return readUnsigned(reader, sizes[marker - base] ?? 4);
}

function read(reader: Reader, depth: number): unknown {
  const marker = readUnsigned(reader, 1);
  if (marker < 0x80) return marker;
  if (marker < 0x90) return readMap(reader, marker & 0x0f, depth);
  if (marker < 0xa0) return readArray(reader, marker & 0x0f, depth);
  if (marker < 0xc0) return readUtf8(reader, marker & 0x1f);
  if (marker >= 0xe0) return marker - 0x100;
  return readMarked(reader, marker, depth);
}

function readMarked(reader: Reader, marker: number, depth: number): unknown {
  switch (marker) {
    case 0xc0:
      return null;
    case 0xc2:
      return false;
    case 0xc3:
      return true;
    case 0xc4:
    case 0xc5:
    case 0xc6: {
      const length = readLength(reader, marker, 0xc4);
      const at = take(reader, length);
      return reader.bytes.subarray(at, at + length);
    }
    case 0xc7:
    case 0xc8:
    case 0xc9:
      return readExtension(reader, readLength(reader, marker, 0xc7));
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      return readExtension(reader, 2 ** (marker - 0xd4));
    case 0xd9:
    case 0xda:
    case 0xdb:
      return readUtf8(reader, readLength(reader, marker, 0xd9));
    case 0xdc:
    case 0xdd:
      return readArray(reader, readLength(reader, marker, 0xdb), depth);
    case 0xde:
    case 0xdf:
      return readMap(reader, readLength(reader, marker, 0xdd), depth);
    default:
      return readNumber(reader, marker);
  }
}

function readNumber(reader: Reader, marker: number): number {
  switch (marker) {
    case 0xca:
      return reader.view.getFloat32(take(reader, 4));
    case 0xcb:
      return reader.view.getFloat64(take(reader, 8));
    case 0xcc:
    case 0xcd:
    case 0xce:
      return readLength(reader, marker, 0xcc);
    case 0xcf:
      return safe(reader, reader.view.getBigUint64(take(reader, 8)));
    case 0xd0:
      return reader.view.getInt8(take(reader, 1));
    case 0xd1:
      return reader.view.getInt16(take(reader, 2));
    case 0xd2:
      return reader.view.getInt32(take(reader, 4));
    case 0xd3:
      return safe(reader, reader.view.getBigInt64(take(reader, 8)));
    default:
      return fail(reader, `unknown marker 0x${marker.toString(16)}`);
  }
}

function safe(reader: Reader, value: bigint): number {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : fail(reader, "an integer beyond 2^53");
}

function readArray(reader: Reader, count: number, depth: number): unknown[] {
  enter(reader, count, depth);
  const array: unknown[] = [];
  for (let i = 0; i < count; i++) array.push(read(reader, depth + 1));
  return array;
}

function readMap(reader: Reader, count: number, depth: number): object {
  enter(reader, 2 * count, depth);
  const object = Object.create(null) as Record<string, unknown>;
  for (let i = 0; i < count; i++) {
    const key = read(reader, envelopeDepthMax);
    if (typeof key !== "string") return fail(reader, "a key that is no string");
    if (key === "__proto__") fail(reader, "the key __proto__");
    if (key in object) fail(reader, "a key that comes twice");
    object[key] = read(reader, depth + 1);
  }
  return object;
}

/** Every item takes a byte at least, so a count beyond the rest is a lie: refused before anything is allocated for it. */
function enter(reader: Reader, items: number, depth: number): void {
  if (items > reader.bytes.length - reader.at) fail(reader, "cut short");
  if (depth >= envelopeDepthMax) fail(reader, `nested deeper than ${envelopeDepthMax}`);
}

function readExtension(reader: Reader, length: number): bigint {
  const type = readUnsigned(reader, 1);
  if (type !== bigintExtension) fail(reader, `unknown extension ${type}`);
  if (length < 1 || length > 1 + bigintBytesMax) fail(reader, "a bigint of a wrong length");
  const at = take(reader, length);
  const [sign, ...magnitude] = reader.bytes.subarray(at, at + length);
  const zero = magnitude.length === 0;
  if (magnitude[0] === 0 || (sign !== 0 && (sign !== 1 || zero))) fail(reader, "a bad bigint");
  if (zero) return 0n;
  const value = BigInt(`0x${magnitude.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`);
  return sign === 1 ? -value : value;
}

/** The least code point that needs as many bytes as the index says: anything lower there is overlong. */
const leastPoint = [0, 0, 0x80, 0x800, 0x10000];

function readUtf8(reader: Reader, length: number): string {
  const start = take(reader, length);
  const { bytes } = reader;
  const end = start + length;
  let text = "";
  let units: number[] = [];
  for (let at = start; at < end; ) {
    const first = bytes[at] as number;
    const size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size === 0 || first > 0xf4 || at + size > end) fail(reader, "bad UTF-8");
    let point = size === 1 ? first : first & (0x7f >> size);
    for (let i = 1; i < size; i++) {
      const next = bytes[at + i] as number;
      if ((next & 0xc0) !== 0x80) fail(reader, "bad UTF-8");
      point = (point << 6) | (next & 0x3f);
    }
    if (point < (leastPoint[size] ?? 0) || point > 0x10ffff) fail(reader, "bad UTF-8");
    if (point < 0x10000) units.push(point);
    else units.push(0xd7c0 + (point >> 10), 0xdc00 | (point & 0x3ff));
    at += size;
    if (units.length > 4000) {
      text += String.fromCharCode(...units);
      units = [];
    }
  }
  return text + String.fromCharCode(...units);
}
