import { describe, expect, test } from "vitest";
import { appendId, decodeAppend, encodeAppend } from "../../lib/storage/opfs-protocol.js";

const bytes = Uint8Array.of(1, 2, 3, 250);

describe("an append on its way to the storage worker", () => {
  test.each([0, 1, 5_000_000_000])("comes out as it went in, at %d", (at) => {
    const call = { id: 0xffffffff, file: 7, at, bytes, zeros: 524_288 };
    const buffer = encodeAppend(call, (length) => new ArrayBuffer(length));
    expect(decodeAppend(buffer)).toEqual(call);
    expect(appendId(buffer)).toBe(0xffffffff);
  });

  test("lies in memory that held a longer one, whole and alone", () => {
    const used = new Uint8Array(100).fill(9).buffer;
    const call = { id: 2, file: 1, at: 64, bytes, zeros: 0 };
    expect(encodeAppend(call, () => used)).toBe(used);
    expect(decodeAppend(used)).toEqual(call);
  });

  test("takes its bytes from within a larger piece of memory", () => {
    const part = new Uint8Array([8, ...bytes, 8]).subarray(1, 5);
    const call = { id: 2, file: 1, at: 64, bytes: part, zeros: 0 };
    const buffer = encodeAppend(call, (length) => new ArrayBuffer(length));
    expect(decodeAppend(buffer).bytes).toEqual(bytes);
  });
});
