/** MessagePack: exact round trips, pinned bytes, a second opinion, and hostile bytes. */
import { decode as decodeWithPackage, encode as encodeWithPackage } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex } from "../../lib/base/bytes.js";
import { DecodeError } from "../../lib/base/errors.js";
import { decodeValue, encodeValue } from "../../lib/machines/msgpack.js";
import { anyValue, spell } from "./arbitrary-value.js";

function unhex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

describe("round trip", () => {
  test("keeps every value: kinds, the order of keys, −0, NaN, lone surrogates", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(spell(decodeValue(encodeValue(value)))).toBe(spell(value));
      }),
      { numRuns: 300 },
    );
  });
  test("equal values have equal bytes", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = encodeValue(value);
        expect(hex(encodeValue(decodeValue(bytes)))).toBe(hex(bytes));
      }),
    );
  });
  test("NaN has one encoding, whatever bits a platform gives it", () => {
    const odd = new Float64Array(new BigUint64Array([0xfff8000000000001n]).buffer);
    expect(hex(encodeValue(odd[0]))).toBe("cb7ff8000000000000");
  });
  test("another order of keys has other bytes", () => {
    expect(hex(encodeValue({ a: 1, b: 2 }))).not.toBe(hex(encodeValue({ b: 2, a: 1 })));
  });
  test("decoded objects have no prototype and are frozen", () => {
    const decoded = decodeValue(encodeValue({ a: { b: 1 } })) as { a: object };
    expect(Object.getPrototypeOf(decoded.a)).toBe(null);
    expect(Object.isFrozen(decoded.a)).toBe(true);
  });
  test("decoded bytes are a copy", () => {
    const bytes = encodeValue(new Uint8Array([1, 2]));
    const decoded = decodeValue(bytes) as Uint8Array;
    bytes.fill(0);
    expect([...decoded]).toEqual([1, 2]);
  });
  test("long strings, arrays and maps", () => {
    const keys = Array.from({ length: 70_000 }, (_, i) => `k${i}`);
    const value = {
      text: "ä€😀".repeat(20_000),
      map: Object.fromEntries(keys.map((k) => [k, 1])),
      keys,
    };
    expect(decodeValue(encodeValue(value))).toEqual(Object.assign(Object.create(null), value));
  });
});

describe("bytes", () => {
  test.each([
    ["null", null, "c0"],
    ["true", true, "c3"],
    ["0", 0, "00"],
    ["−0 is a float", -0, "cb8000000000000000"],
    ["NaN has one form", Number.NaN, "cb7ff8000000000000"],
    ["127", 127, "7f"],
    ["128", 128, "cc80"],
    ["65536", 65536, "ce00010000"],
    ["2^32", 2 ** 32, "cf0000000100000000"],
    ["−1", -1, "ff"],
    ["−33", -33, "d0df"],
    ["−2^31−1", -(2 ** 31) - 1, "d3ffffffff7fffffff"],
    ["1.5", 1.5, "cb3ff8000000000000"],
    ["a", "a", "a161"],
    ["a lone surrogate", "\ud800", "a3eda080"],
    ["0n", 0n, "c7010100"],
    ["−256n", -256n, "c70301010100"],
    ["bytes", new Uint8Array([1, 2]), "c4020102"],
    ["an object", { b: [1], a: {} }, "82a16291 01a16180".replace(" ", "")],
  ])("%s", (_name, value, bytes) => {
    expect(hex(encodeValue(value))).toBe(bytes);
  });
});

describe("a package reads what we write, and we what it writes", () => {
  // What it has no word for, or does not keep: bigint, −0, lone surrogates, the bytes of NaN.
  const common = fc
    .jsonValue()
    .map((value): unknown => JSON.parse(JSON.stringify(value)))
    .filter((value) => !JSON.stringify(value).includes("__proto__"));
  test("ours, read by @msgpack/msgpack", () => {
    fc.assert(
      fc.property(common, (value) => {
        expect(decodeWithPackage(encodeValue(value))).toEqual(value);
      }),
    );
  });
  test("its, read by us", () => {
    fc.assert(
      fc.property(common, (value) => {
        expect(spell(decodeValue(encodeWithPackage(value)))).toBe(spell(value));
      }),
    );
  });
});

describe("the decoder refuses", () => {
  test.each([
    ["nothing", "", "cut short"],
    ["trailing bytes", "0000", "trailing bytes"],
    ["a string cut short", "a361", "cut short"],
    ["an array that claims 2^32−1 items", "ddffffffff", "cut short"],
    ["a map that claims 2^32−1 pairs", "dfffffffff00", "cut short"],
    ["a key that is no string", "810101", "a key that is no string"],
    ["a key that is an array", "819001", "nested deeper"],
    ["a key that comes twice", "82a16101a16102", "a key that comes twice"],
    ["__proto__", "81a95f5f70726f746f5f5f80", "the key __proto__"],
    ["an integer beyond 2^53", "cf0020000000000000", "an integer beyond 2^53"],
    ["a negative one", "d3ffdfffffffffffff", "an integer beyond 2^53"],
    ["an unused marker", "c1", "unknown marker 0xc1"],
    ["a timestamp", "d6ff00000000", "unknown extension"],
    ["a bigint with a leading zero", "c7030100 0001".replace(" ", ""), "a bad bigint"],
    ["minus 0n", "c7010101", "a bad bigint"],
    ["a bigint without its sign", "c70001", "a bigint of a wrong length"],
    ["overlong UTF-8", "a2c180", "bad UTF-8"],
    ["a stray continuation", "a180", "bad UTF-8"],
    ["a code point beyond 10ffff", "a4f4908080", "bad UTF-8"],
    ["UTF-8 cut short", "a1c3", "bad UTF-8"],
    ["73 levels", `${"91".repeat(73)}c0`, "nested deeper than 72"],
  ])("%s", (_name, bytes, message) => {
    const decode = (): unknown => decodeValue(unhex(bytes), "entry");
    expect(decode).toThrow(DecodeError);
    expect(decode).toThrow(message);
  });
  test("whatever the bytes, only by DecodeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeValue(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 2000 },
    );
  });
  test("whatever is done to good bytes, only by DecodeError", () => {
    fc.assert(
      fc.property(anyValue, fc.nat(), fc.nat({ max: 255 }), (value, at, byte) => {
        const bytes = encodeValue(value);
        bytes[at % bytes.length] = byte;
        try {
          decodeValue(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
