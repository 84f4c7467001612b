import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c } from "../../lib/base/crc32c.js";

describe("crc32c", () => {
  const rows: [name: string, bytes: Uint8Array, sum: number][] = [
    ["nothing", new Uint8Array(0), 0],
    ["the check value of the catalogue", new TextEncoder().encode("123456789"), 0xe3069283],
    ["32 zeros (RFC 3720 B.4)", new Uint8Array(32), 0x8a9136aa],
    ["32 ones (RFC 3720 B.4)", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["0 to 31 (RFC 3720 B.4)", Uint8Array.from({ length: 32 }, (_, n) => n), 0x46dd794e],
    ["31 to 0 (RFC 3720 B.4)", Uint8Array.from({ length: 32 }, (_, n) => 31 - n), 0x113fdb5c],
  ];
  test.each(rows)("%s", (_name, bytes, sum) => expect(crc32c(bytes)).toBe(sum));

  test("continues from the checksum of what came before", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 }), (a, b) => {
        expect(crc32c(b, crc32c(a))).toBe(crc32c(Uint8Array.from([...a, ...b])));
      }),
    );
  });

  test("equals the bit by bit definition at every length and offset", () => {
    const bytes = Uint8Array.from({ length: 80 }, (_, n) => (n * 89 + 3) % 256);
    for (let from = 0; from < 20; from++) {
      for (let to = from; to <= bytes.length; to++) {
        const part = bytes.subarray(from, to);
        expect(crc32c(part)).toBe(bitByBit(part));
      }
    }
  });
});

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
