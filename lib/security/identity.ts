/**
 * Identity: who is speaking. A peer's Ed25519 key pair, its NodeId, and the only place that signs and verifies.
 *
 * A NodeId is derived from the key and from the store's random id, so a wiped store is a new peer by construction. It is a
 * name, never a proof: a proof is a signature by the key behind it (authenticated.ts).
 *
 * WebCrypto signs and verifies where it knows Ed25519 (a hundred times faster and off the JavaScript heap); tweetnacl does
 * elsewhere. Left alone the two disagree: tweetnacl accepts S + L for S, several libraries accept small-order keys for any message. So
 * what either may disagree about is refused here, before a backend is asked. RFC 8032 §5.1.7; Chalkias et al., "Taming the
 * many EdDSAs" (2020).
 *
 * Not here: whose key counts as a member's (the replicated key table).
 */
import nacl from "tweetnacl";
import { concatBytes } from "../base/bytes.js";
import { LogboomError } from "../base/errors.js";
import type { NodeId } from "../core/types.js";

export const publicKeyBytes = 32;
export const signatureBytes = 64;
export const seedBytes = 32;
export const storeIdBytes = 16;

/** A key pair of which the private half stays inside. */
export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

export interface Identity extends SigningKey {
  readonly nodeId: NodeId;
  /** 16 bytes. */
  readonly storeId: Uint8Array;
}

/** One way to compute Ed25519. `verify` is given 32 and 64 bytes that passed the strict checks. */
export interface Ed25519 {
  readonly name: "webcrypto" | "tweetnacl";
  keyOf(seed: Uint8Array): Promise<SigningKey>;
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** The identity a store's seed and id stand for. @throws LogboomError `BAD_INPUT` for wrong lengths. */
export async function identityOf(signSeed: Uint8Array, storeId: Uint8Array): Promise<Identity> {
  const key = await signingKeyOf(signSeed);
  const nodeId = await nodeIdOf(key.publicKey, storeId);
  return { ...key, storeId: storeId.slice(), nodeId };
}

/** @throws LogboomError `BAD_INPUT` unless `seed` has 32 bytes. */
export async function signingKeyOf(seed: Uint8Array): Promise<SigningKey> {
  requireLength(seed, seedBytes, "an Ed25519 seed");
  return (await ed25519()).keyOf(seed);
}

/** True when `signature` is a strict Ed25519 signature of `message`. Anything malformed is false, never an error. */
export async function verifySignature(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (!isStrict(publicKey, signature)) return false;
  return (await ed25519()).verify(publicKey, message, signature);
}

const nodeLabel = new TextEncoder().encode("logboom/node/v1");

/** First 53 bits of SHA-256("logboom/node/v1" ‖ publicKey ‖ storeId); 1 in the case of 0, which names nobody. */
export async function nodeIdOf(publicKey: Uint8Array, storeId: Uint8Array): Promise<NodeId> {
  requireLength(publicKey, publicKeyBytes, "a public key");
  requireLength(storeId, storeIdBytes, "a store id");
  const hash = new DataView(
    await subtle().digest("SHA-256", concatBytes(nodeLabel, publicKey, storeId)),
  );
  const id = hash.getUint32(0) * 2 ** 21 + (hash.getUint32(4) >>> 11);
  return id === 0 ? 1 : id;
}

/** SubtleCrypto. @throws LogboomError `INSECURE_CONTEXT` where the page was not loaded over https or from localhost. */
export function subtle(): SubtleCrypto {
  const found = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (found === undefined) {
    throw new LogboomError(
      "INSECURE_CONTEXT",
      "WebCrypto is missing: the page must be loaded over https or from localhost",
    );
  }
  return found;
}

// ── the strict rules ────────────────────────────────────────────────────────────────────────────────────────────────

/** p = 2^255 − 19 and the group's order L, little-endian. */
const fieldPrime = bytesOf("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
const groupOrder = bytesOf("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

/** The y-coordinates of the eight points of small order; the sign bit of x is not part of them. */
const smallOrder: ReadonlySet<string> = new Set(
  [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ].map((text) => bytesOf(text).join()),
);

/**
 * What every backend agrees to judge: the key and R are canonical encodings (y < p) of points that are not of small order,
 * and S < L. A true signer meets these rules always but for odds of 2^-250.
 */
export function isStrict(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return (
    publicKey.length === publicKeyBytes &&
    signature.length === signatureBytes &&
    isStrictPoint(publicKey) &&
    isStrictPoint(signature.subarray(0, 32)) &&
    isBelow(signature.subarray(32), groupOrder)
  );
}

function isStrictPoint(encoded: Uint8Array): boolean {
  const y = encoded.slice();
  y[31] = (y[31] ?? 0) & 0x7f;
  return isBelow(y, fieldPrime) && !smallOrder.has(y.join());
}

/** `a < b` as little-endian numbers of 32 bytes. Public values: it need not take constant time. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

// ── the backends ────────────────────────────────────────────────────────────────────────────────────────────────────

/** PKCS #8 wrapping of an Ed25519 seed (RFC 8410 §7): the one form in which WebCrypto takes a private key without its public half. */
const pkcs8Prefix = bytesOf("302e020100300506032b657004220420");

export const webCryptoEd25519: Ed25519 = {
  name: "webcrypto",
  async keyOf(seed) {
    const pkcs8 = concatBytes(pkcs8Prefix, seed);
    const readable = await subtle().importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
    const { x } = await subtle().exportKey("jwk", readable);
    const key = await subtle().importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
    return {
      publicKey: fromBase64Url(x ?? ""),
      sign: async (message) => new Uint8Array(await subtle().sign("Ed25519", key, message.slice())),
    };
  },
  async verify(publicKey, message, signature) {
    try {
      const key = await subtle().importKey("raw", publicKey.slice(), "Ed25519", false, ["verify"]);
      return await subtle().verify("Ed25519", key, signature.slice(), message.slice());
    } catch {
      return false; // a key that is no point of the curve is refused by importKey in some engines, by verify in others
    }
  },
};

export const tweetnaclEd25519: Ed25519 = {
  name: "tweetnacl",
  async keyOf(seed) {
    const pair = nacl.sign.keyPair.fromSeed(seed.slice());
    return {
      publicKey: pair.publicKey,
      sign: async (message) => nacl.sign.detached(message, pair.secretKey),
    };
  },
  async verify(publicKey, message, signature) {
    return nacl.sign.detached.verify(message, signature, publicKey);
  },
};

let chosen: Promise<Ed25519> | undefined;

/** WebCrypto if it can sign here, else tweetnacl; found out once. */
function ed25519(): Promise<Ed25519> {
  chosen ??= webCryptoEd25519
    .keyOf(new Uint8Array(seedBytes))
    .then((key) => key.sign(new Uint8Array(0)))
    .then(
      () => webCryptoEd25519,
      () => tweetnaclEd25519,
    );
  return chosen;
}

// ── small conversions ───────────────────────────────────────────────────────────────────────────────────────────────

function requireLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) {
    throw new LogboomError("BAD_INPUT", `${what} has ${length} bytes, got ${bytes.length}`);
  }
}

function bytesOf(hexText: string): Uint8Array {
  return Uint8Array.from(hexText.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function fromBase64Url(text: string): Uint8Array {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
