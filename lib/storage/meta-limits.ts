/** The bounds of small values and of identities, the same for every adapter. */
import { LogboomError } from "../base/errors.js";

export const metaKeyLengthMax = 256;
export const metaValueBytesMax: number = 1024 * 1024;

/** @throws LogboomError `BAD_INPUT` */
export function checkMeta(key: string, value: Uint8Array | undefined): void {
  if (key.length === 0 || key.length > metaKeyLengthMax) {
    throw new LogboomError(
      "BAD_INPUT",
      `a meta key has 1 to ${metaKeyLengthMax} characters, got ${key.length}`,
    );
  }
  if (value !== undefined && value.length > metaValueBytesMax) {
    throw new LogboomError(
      "BAD_INPUT",
      `a meta value has at most ${metaValueBytesMax} bytes, got ${value.length} for ${key}`,
    );
  }
}

/** The platform's randomness: storeIds and seeds must not be guessed. */
export function platformRandomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}
