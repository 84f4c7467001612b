/**
 * Room keys: everything that follows from a room's 32-byte secret.
 *
 * HKDF-SHA-256 (RFC 5869) yields a key for sealing and the seed of the key pair with which members show the relay that they know the
 * room. The room's id at the relay is a hash of that pair's public half: it certifies itself, so the relay keeps no
 * database, cannot derive the secret, and lets nobody in who does not hold it.
 *
 * Not here: who is a member (the invite's bearer may knock; admission is the room's business).
 */
import { concatBytes } from "../base/bytes.js";
import { LogboomError } from "../base/errors.js";
import { type SigningKey, signingKeyOf, subtle } from "./identity.js";

export const roomSecretBytes = 32;

export interface RoomKeys {
  /** 22 characters of base64url: the room's name at the relay. */
  readonly roomId: string;
  /** The same as 16 bytes. */
  readonly roomIdBytes: Uint8Array;
  /** Proves knowledge of the room to a relay. Every member holds the same. */
  readonly relayAuth: SigningKey;
  /** 32 bytes for seal.ts. */
  readonly sealKey: Uint8Array;
}

/** @throws LogboomError `BAD_INPUT` unless `secret` has 32 bytes; `INSECURE_CONTEXT` without WebCrypto. */
export async function roomKeysOf(secret: Uint8Array): Promise<RoomKeys> {
  if (secret.length !== roomSecretBytes) {
    throw new LogboomError(
      "BAD_INPUT",
      `a room secret has ${roomSecretBytes} bytes, got ${secret.length}`,
    );
  }
  const material = await subtle().importKey("raw", secret.slice(), "HKDF", false, ["deriveBits"]);
  const relayAuth = await signingKeyOf(await expand(material, "relay-auth"));
  const sealKey = await expand(material, "signal-seal");
  const roomIdBytes = await roomIdOf(relayAuth.publicKey);
  return { roomId: base64Url(roomIdBytes), roomIdBytes, relayAuth, sealKey };
}

/** SHA-256("logboom/room/v1" ‖ relayAuthPublicKey)[0..16]. The relay computes the same with node:crypto. */
async function roomIdOf(relayAuthPublicKey: Uint8Array): Promise<Uint8Array> {
  const preimage = concatBytes(utf8("logboom/room/v1"), relayAuthPublicKey);
  return new Uint8Array(await subtle().digest("SHA-256", preimage), 0, 16);
}

async function expand(material: CryptoKey, info: string): Promise<Uint8Array> {
  const bits = await subtle().deriveBits(
    { name: "HKDF", hash: "SHA-256", salt: utf8("logboom/v1"), info: utf8(info) },
    material,
    256,
  );
  return new Uint8Array(bits);
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new TextEncoder().encode(text));
}

function base64Url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
