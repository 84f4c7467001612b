import { createHash, hkdfSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { roomKeysOf } from "../../lib/security/room-keys.js";
import { createSealer, plainBytesMax, sealedBytesMax } from "../../lib/security/seal.js";

describe("a room's keys", () => {
  test("are HKDF-SHA-256 of its secret", async () => {
    const secret = new Uint8Array(32).fill(1);
    const keys = await roomKeysOf(secret);
    const expected = hkdfSync("sha256", secret, "logboom/v1", "signal-seal", 32);
    expect(keys.sealKey).toEqual(new Uint8Array(expected));
  });

  test("certify the room's id: a hash of the key that answers the relay", async () => {
    const keys = await roomKeysOf(new Uint8Array(32).fill(1));
    const hash = createHash("sha256")
      .update("logboom/room/v1")
      .update(keys.relayAuth.publicKey)
      .digest()
      .subarray(0, 16);
    expect(keys.roomId).toBe(hash.toString("base64url"));
    expect(Buffer.from(keys.roomIdBytes)).toEqual(hash);
  });

  test("are the same for everybody who holds the secret, and others for another secret", async () => {
    const one = await roomKeysOf(new Uint8Array(32).fill(1));
    const same = await roomKeysOf(new Uint8Array(32).fill(1));
    const other = await roomKeysOf(new Uint8Array(32).fill(2));
    expect(same.roomId).toBe(one.roomId);
    expect(same.sealKey).toEqual(one.sealKey);
    expect(other.roomId).not.toBe(one.roomId);
    expect(other.sealKey).not.toEqual(one.sealKey);
  });

  test("need 32 bytes", async () => {
    await expect(roomKeysOf(new Uint8Array(31))).rejects.toThrow(
      "a room secret has 32 bytes, got 31",
    );
  });
});

describe("a seal", () => {
  const key = new Uint8Array(32).fill(4);
  const sealer = createSealer(key);

  test("opens what it closed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (plain) => {
        expect(createSealer(key).open(sealer.seal(plain))).toEqual(plain);
      }),
    );
  });

  test("never closes the same bytes alike", () => {
    const plain = new Uint8Array(10);
    expect(sealer.seal(plain)).not.toEqual(sealer.seal(plain));
  });

  const sealed = sealer.seal(new TextEncoder().encode("v=0 candidate"));
  const changed = (index: number): Uint8Array => {
    const copy = sealed.slice();
    copy[index] = (copy[index] ?? 0) ^ 1;
    return copy;
  };
  test.each([
    ["nothing", new Uint8Array(0)],
    ["another version", changed(0)],
    ["another nonce", changed(1)],
    ["a changed byte", changed(sealed.length - 1)],
    ["a missing byte", sealed.subarray(0, -1)],
    ["a byte more", Uint8Array.from([...sealed, 0])],
    ["a head without a box", sealed.subarray(0, 40)],
    ["noise", crypto.getRandomValues(new Uint8Array(200))],
    ["more than the bound", new Uint8Array(sealedBytesMax + 1).fill(1)],
  ])("does not open %s, and counts it", (_, bytes) => {
    const fresh = createSealer(key);
    expect(fresh.open(bytes)).toBeUndefined();
    expect(fresh.refused).toBe(1);
  });

  test("does not open under another key", () => {
    expect(createSealer(new Uint8Array(32).fill(5)).open(sealed)).toBeUndefined();
  });

  test("takes plaintext up to its bound and names the bound beyond it", () => {
    const largest = sealer.seal(new Uint8Array(plainBytesMax));
    expect(largest.length).toBe(sealedBytesMax);
    expect(sealer.open(largest)?.length).toBe(plainBytesMax);
    expect(() => sealer.seal(new Uint8Array(plainBytesMax + 1))).toThrow(
      `at most ${plainBytesMax} bytes can be sealed, got ${plainBytesMax + 1}`,
    );
  });

  test("needs a key of 32 bytes", () => {
    expect(() => createSealer(new Uint8Array(31))).toThrow("a sealing key has 32 bytes, got 31");
  });
});
