/** Values for properties: every kind, with the corners more often than chance would have them. */
import fc from "fast-check";

const numbers = fc.oneof(
  fc.constantFrom(
    0,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    2 ** 53,
    -(2 ** 53),
  ),
  fc.constantFrom(
    127,
    128,
    255,
    256,
    65535,
    65536,
    2 ** 32 - 1,
    2 ** 32,
    -32,
    -33,
    -128,
    -129,
    -32768,
    -32769,
  ),
  fc.constantFrom(-(2 ** 31), -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
  fc.maxSafeInteger(),
  fc.double(),
);

/** Any sequence of UTF-16 units, lone surrogates too. */
const strings = fc.oneof(
  fc.string(),
  fc
    .array(fc.constantFrom("\ud83d", "\ude00", "a", "é", "\uffff", "\ufeff"), { maxLength: 6 })
    .map((units) => units.join("")),
);

const keys = fc
  .oneof(strings, fc.constantFrom("0", "10", "2", "constructor", "toString", "then", "length"))
  .filter((key) => key !== "__proto__");

export const scalarValue: fc.Arbitrary<unknown> = fc.oneof(
  numbers,
  strings,
  fc.boolean(),
  fc.constant(null),
  fc.bigInt(),
  fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
  fc.uint8Array({ maxLength: 40 }),
);

export const anyValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: "small" }, scalarValue, tie("array"), tie("object")),
  array: fc.array(tie("value"), { maxLength: 20 }),
  object: fc
    .array(fc.tuple(keys, tie("value")), { maxLength: 20 })
    .map((entries) => Object.fromEntries(entries)),
})).value;

/** One spelling for two equal values: kinds, order of keys and −0 told apart, prototypes not. */
export function spell(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes(${value.join()})`;
  if (Array.isArray(value)) return `[${value.map(spell).join()}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}:${spell(item)}`)
      .join()}}`;
  }
  if (Object.is(value, -0)) return "-0";
  return typeof value === "string" ? JSON.stringify(value) : `${typeof value} ${String(value)}`;
}
