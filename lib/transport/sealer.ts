/**
 * Sealer: what the transports know of sealing. They carry sealed bytes over ways that others can read; the key and the
 * cipher are `security/seal.ts`'s.
 */
export interface Sealer {
  /** The longest plaintext `seal` takes. */
  readonly plainBytesMax: number;
  seal(plain: Uint8Array): Uint8Array;
  /** The plaintext; undefined for anything that was not sealed with this key. Never throws. */
  open(sealed: Uint8Array): Uint8Array | undefined;
}
