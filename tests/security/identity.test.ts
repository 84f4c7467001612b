import { createHash } from "node:crypto";
import fc from "fast-check";
import nacl from "tweetnacl";
import { describe, expect, test } from "vitest";
import {
  identityOf,
  isStrict,
  nodeIdOf,
  signingKeyOf,
  tweetnaclEd25519,
  verifySignature,
  webCryptoEd25519,
} from "../../lib/security/identity.js";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const message = new TextEncoder().encode("a message");

const order = 2n ** 252n + 27742317777372353535851937790883648493n;
const prime = 2n ** 255n - 19n;
const littleEndian = (n: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 0xffn));
const numberOf = (le: Uint8Array): bigint =>
  le.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

const power = (base: bigint, exponent: bigint): bigint => {
  let [result, square] = [1n, base % prime];
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * square) % prime;
    square = (square * square) % prime;
  }
  return result;
};
const d = ((prime - 121665n) * power(121666n, prime - 2n)) % prime;

/** Doubling a point of order 8 gives y = 0, so x² = −y², and the curve's equation becomes d·y⁴ + 2y² − 1 = 0. */
const hasOrderEight = (y: bigint): boolean =>
  (d * power(y, 4n) + 2n * y * y - 1n + prime) % prime === 0n;
const orderEight = numberOf(
  bytes("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
);

describe("an identity", () => {
  test("has the public key RFC 8032 gives for its seed (§7.1, test 1), on both backends", async () => {
    const seed = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    const publicKey = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    for (const backend of [webCryptoEd25519, tweetnaclEd25519]) {
      const key = await backend.keyOf(seed);
      expect(key.publicKey).toEqual(publicKey);
      expect(Buffer.from(await key.sign(new Uint8Array(0))).toString("hex")).toBe(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
      );
    }
  });

  test("is named by the first 53 bits of SHA-256(label, key, store)", async () => {
    const seed = new Uint8Array(32).fill(7);
    const storeId = new Uint8Array(16).fill(9);
    const identity = await identityOf(seed, storeId);
    const hash = createHash("sha256")
      .update("logboom/node/v1")
      .update(identity.publicKey)
      .update(storeId)
      .digest();
    expect(BigInt(identity.nodeId)).toBe(hash.readBigUInt64BE() >> 11n);
    expect(Number.isSafeInteger(identity.nodeId)).toBe(true);
  });

  test("changes with the store, so a wiped store is a new peer", async () => {
    const seed = new Uint8Array(32).fill(7);
    const before = await identityOf(seed, new Uint8Array(16).fill(1));
    const after = await identityOf(seed, new Uint8Array(16).fill(2));
    expect(after.nodeId).not.toBe(before.nodeId);
    expect(after.publicKey).toEqual(before.publicKey);
  });

  test.each([
    [
      "a seed of 31 bytes",
      () => identityOf(new Uint8Array(31), new Uint8Array(16)),
      /32 bytes, got 31/,
    ],
    [
      "a store id of 15 bytes",
      () => identityOf(new Uint8Array(32), new Uint8Array(15)),
      /16 bytes, got 15/,
    ],
    [
      "a public key of 33 bytes",
      () => nodeIdOf(new Uint8Array(33), new Uint8Array(16)),
      /32 bytes, got 33/,
    ],
  ])("%s is a clear error", async (_, run, rule) => {
    await expect(run()).rejects.toThrow(rule);
    await expect(run()).rejects.toMatchObject({ code: "BAD_INPUT" });
  });
});

describe("a signature", () => {
  test("verifies on either backend, whichever made it", async () => {
    const seed = crypto.getRandomValues(new Uint8Array(32));
    const backends = [webCryptoEd25519, tweetnaclEd25519];
    for (const maker of backends) {
      const key = await maker.keyOf(seed);
      const signature = await key.sign(message);
      for (const judge of backends) {
        expect(await judge.verify(key.publicKey, message, signature)).toBe(true);
      }
      expect(await verifySignature(key.publicKey, message, signature)).toBe(true);
    }
  });

  test("is refused when a bit of key, message or signature differs", async () => {
    const key = await signingKeyOf(new Uint8Array(32).fill(3));
    const signature = await key.sign(message);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: (32 + 9 + 64) * 8 - 1 }), async (bit) => {
        const all = Uint8Array.from([...key.publicKey, ...message, ...signature]);
        all[bit >> 3] = (all[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const [k, m, s] = [all.subarray(0, 32), all.subarray(32, 41), all.subarray(41)];
        expect(await verifySignature(k, m, s)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test("malleated by adding the group's order is refused, though tweetnacl alone accepts it", async () => {
    const key = await signingKeyOf(new Uint8Array(32).fill(5));
    const signature = await key.sign(message);
    const malleated = signature.slice();
    malleated.set(littleEndian(numberOf(signature.subarray(32)) + order), 32);
    expect(nacl.sign.detached.verify(message, malleated, key.publicKey)).toBe(true);
    expect(isStrict(key.publicKey, malleated)).toBe(false);
    expect(await verifySignature(key.publicKey, message, malleated)).toBe(false);
  });

  const good = async () => {
    const key = await signingKeyOf(new Uint8Array(32).fill(5));
    return { publicKey: key.publicKey, signature: await key.sign(message) };
  };
  const points: readonly (readonly [string, bigint])[] = [
    ["the identity (y = 1)", 1n],
    ["the point of order 2 (y = −1)", prime - 1n],
    ["the points of order 4 (y = 0)", 0n],
    ["two points of order 8", orderEight],
    ["the other two points of order 8", prime - orderEight],
    ["y = 0 written as p", prime],
    ["y = 1 written as p + 1", prime + 1n],
    ["a y that is not canonical (p + 3)", prime + 3n],
    ["the largest encoding (2^255 − 1)", 2n ** 255n - 1n],
  ];
  test.each(points)(
    "under the key, or with the R, of %s is refused, with either sign",
    async (_, y) => {
      const { publicKey, signature } = await good();
      for (const sign of [0, 0x80]) {
        const point = littleEndian(y);
        point[31] = (point[31] ?? 0) | sign;
        // The identity as R with S = 0 "verifies" under small-order keys in a library without these rules.
        const forged = new Uint8Array(64);
        forged.set(littleEndian(1n));
        for (const candidate of [signature, forged]) {
          expect(isStrict(point, candidate)).toBe(false);
          expect(await verifySignature(point, message, candidate)).toBe(false);
        }
        const withR = signature.slice();
        withR.set(point);
        expect(isStrict(publicKey, withR)).toBe(false);
      }
    },
  );

  test("rules know the points of order 8 from the curve's equation", () => {
    expect(hasOrderEight(orderEight)).toBe(true);
    expect(hasOrderEight(prime - orderEight)).toBe(true);
  });

  test("whose S is the order exactly is refused, one below it is left to the backend", async () => {
    const { publicKey, signature } = await good();
    const at = signature.slice();
    at.set(littleEndian(order), 32);
    expect(isStrict(publicKey, at)).toBe(false);
    at.set(littleEndian(order - 1n), 32);
    expect(isStrict(publicKey, at)).toBe(true);
    expect(await verifySignature(publicKey, message, at)).toBe(false);
  });

  test.each([[0], [31], [33], [63], [65]])(
    "of %i bytes, or under a key so long, is refused",
    async (length) => {
      const { publicKey, signature } = await good();
      const odd = new Uint8Array(length).fill(9);
      expect(await verifySignature(publicKey, message, odd)).toBe(false);
      expect(await verifySignature(odd, message, signature)).toBe(false);
    },
  );

  test("under a key that is no point of the curve is refused on both backends", async () => {
    const { signature } = await good();
    const noPoint = littleEndian(2n); // y = 2 has no x on edwards25519
    expect(await webCryptoEd25519.verify(noPoint, message, signature)).toBe(false);
    expect(await tweetnaclEd25519.verify(noPoint, message, signature)).toBe(false);
  });
});
