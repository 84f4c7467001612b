import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex } from "../../lib/base/bytes.js";
import { DecodeError, InvariantError } from "../../lib/base/errors.js";
import {
  groupDepthMax,
  Reader,
  signedVarintSize,
  varintSize,
  Writer,
} from "../../lib/base/protobuf.js";
import { bytesOf } from "../codec/records.js";

const largest = Number.MAX_SAFE_INTEGER;

describe("varints", () => {
  const pairs: [number, string][] = [
    [0, "00"],
    [1, "01"],
    [127, "7f"],
    [128, "8001"],
    [300, "ac02"],
    [2 ** 21 - 1, "ffff7f"],
    [2 ** 28 - 1, "ffffff7f"],
    [2 ** 28, "8080808001"],
    [2 ** 32 - 1, "ffffffff0f"],
    [2 ** 32, "8080808010"],
    [2 ** 49, "8080808080808001"],
    [largest, "ffffffffffffff0f"],
  ];
  test.each(pairs)("%d is %s", (value, bytes) => {
    const writer = new Writer(varintSize(value));
    writer.varint(value);
    expect(hex(writer.finish())).toBe(bytes);
    expect(new Reader(bytesOf(bytes)).varint()).toBe(value);
  });

  const signed: [number, string][] = [
    [5, "05"],
    [-1, "ffffffffffffffffff01"],
    [-300, "d4fdffffffffffffff01"],
    [-largest, "81808080808080f0ff01"],
    [largest, "ffffffffffffff0f"],
  ];
  test.each(signed)("signed %d is %s", (value, bytes) => {
    const writer = new Writer(signedVarintSize(value));
    writer.signedVarint(value);
    expect(hex(writer.finish())).toBe(bytes);
    expect(new Reader(bytesOf(bytes)).signedVarint()).toBe(value);
  });

  const refused: [string, string, RegExp][] = [
    ["2^53", "8080808080808010", /number beyond 2\^53−1/],
    ["2^64−1, etcd's append thread", "ffffffffffffffffff01", /number beyond 2\^53−1/],
    ["2^64", "80808080808080808002", /more than 64 bits/],
    ["eleven bytes", "8080808080808080808000", /more than 10 bytes/],
    ["no byte", "", /cut short/],
    ["a byte that promises another", "80", /cut short/],
  ];
  test.each(refused)("%s is refused", (_, bytes, why) => {
    const read = () => new Reader(bytesOf(bytes)).varint();
    expect(read).toThrow(DecodeError);
    expect(read).toThrow(why);
  });

  test("a longer encoding than needed is read, as protobuf allows", () => {
    expect(new Reader(bytesOf("85808080808080808000")).varint()).toBe(5);
  });

  test("a signed number beyond 2^53−1 in size is refused", () => {
    for (const bytes of ["80808080808080f0ff01", "8080808080808010"]) {
      expect(() => new Reader(bytesOf(bytes)).signedVarint()).toThrow(/beyond 2\^53−1/);
    }
  });

  test("any bit makes a bool true, also above 2^53", () => {
    expect(new Reader(bytesOf("80808080808080808001")).bool()).toBe(true);
    expect(new Reader(bytesOf("8000")).bool()).toBe(false);
  });

  test.each([-1, 0.5, Number.NaN, largest + 1, Number.POSITIVE_INFINITY])(
    "%d cannot be written",
    (value) => {
      expect(() => new Writer(10).varint(value)).toThrow(InvariantError);
      if (value !== -1) expect(() => new Writer(10).signedVarint(value)).toThrow(InvariantError);
    },
  );

  test("what is written is read, in the size that was computed", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const writer = new Writer(signedVarintSize(value));
        writer.signedVarint(value);
        expect(new Reader(writer.finish()).signedVarint()).toBe(value);
      }),
    );
  });
});

describe("fields", () => {
  test("a writer that was not filled is a mistake of ours", () => {
    expect(() => new Writer(1).finish()).toThrow(InvariantError);
  });

  test("a view is of the input, also when that is a part of a larger buffer", () => {
    const whole = bytesOf("ffff 03 010203 ff");
    const reader = new Reader(whole.subarray(2, 6));
    const view = reader.lengthDelimited();
    expect([...view]).toEqual([1, 2, 3]);
    expect(view.buffer).toBe(whole.buffer);
  });

  const malformed: [string, string][] = [
    ["field number 0", "0000"],
    ["a field number above 2^29−1", "808080801000"],
    ["a length beyond the end", "0a02 00"],
    ["a length near 2^53", "0a ffffffffffffff0f"],
    ["a fixed64 cut short", "09 00000000000000"],
    ["a fixed32 cut short", "0d 000000"],
    ["wire type 6", "0e"],
    ["wire type 7", "0f"],
    ["a group that never ends", "0b 0800"],
    ["a group that another one ends", "0b 14"],
    ["an end without a beginning", "0c"],
    ["groups without end in groups", "0b".repeat(100_000)],
  ];
  test.each(malformed)("%s is refused", (_, bytes) => {
    const reader = new Reader(bytesOf(bytes));
    expect(() => reader.skip(reader.tag())).toThrow(DecodeError);
  });

  test(`groups up to ${groupDepthMax} deep are passed over`, () => {
    const reader = new Reader(bytesOf("0b".repeat(groupDepthMax) + "0c".repeat(groupDepthMax)));
    reader.skip(reader.tag());
    expect(reader.more()).toBe(false);
  });

  test("a length inside a record may not reach beyond that record", () => {
    const reader = new Reader(bytesOf("02 0a05 ffffffffff"));
    reader.enter();
    const tag = reader.tag();
    expect(() => reader.skip(tag)).toThrow(DecodeError);
  });
});
