/**
 * Seal: bytes that only holders of the room's key can read or make (nacl.secretbox: XSalsa20-Poly1305).
 *
 *     sealed = version (1 byte) ‖ nonce (24 random bytes) ‖ secretbox(plain)
 *
 * A random nonce of 24 bytes does not repeat in practice, so a key needs no counter shared among its holders.
 * Sealing says "a holder of the room's key", not who: who is `authenticated.ts`'s. It does not stop replays; those are
 * the signaling's.
 */
import nacl from "tweetnacl";
import { LogboomError } from "../base/errors.js";
import type { Sealer } from "../transport/sealer.js";

const version = 1;
const overhead = 1 + nacl.secretbox.nonceLength + nacl.secretbox.overheadLength;

/** The longest sealed message: 16 KiB, the relay's limit for a message less its header. */
export const sealedBytesMax: number = 16 * 1024 - 64;
export const plainBytesMax: number = sealedBytesMax - overhead;

export interface CountingSealer extends Sealer {
  /** How many messages `open` refused. */
  readonly refused: number;
}

/** @param key  32 bytes. @throws LogboomError `BAD_INPUT` for another length. */
export function createSealer(key: Uint8Array): CountingSealer {
  if (key.length !== nacl.secretbox.keyLength) {
    throw new LogboomError("BAD_INPUT", `a sealing key has 32 bytes, got ${key.length}`);
  }
  let refused = 0;
  return {
    plainBytesMax,
    get refused() {
      return refused;
    },
    seal(plain) {
      if (plain.length > plainBytesMax) {
        throw new LogboomError(
          "TOO_LARGE",
          `at most ${plainBytesMax} bytes can be sealed, got ${plain.length}`,
        );
      }
      const nonce = crypto.getRandomValues(new Uint8Array(nacl.secretbox.nonceLength));
      const box = nacl.secretbox(plain, nonce, key);
      const sealed = new Uint8Array(1 + nonce.length + box.length);
      sealed[0] = version;
      sealed.set(nonce, 1);
      sealed.set(box, 1 + nonce.length);
      return sealed;
    },
    open(sealed) {
      const plain = openBox(sealed, key);
      if (plain === undefined) refused++;
      return plain;
    },
  };
}

function openBox(sealed: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  if (sealed.length < overhead || sealed.length > sealedBytesMax || sealed[0] !== version) {
    return undefined;
  }
  const nonce = sealed.subarray(1, 1 + nacl.secretbox.nonceLength);
  const box = sealed.subarray(1 + nacl.secretbox.nonceLength);
  return nacl.secretbox.open(box, nonce, key) ?? undefined;
}
