/**
 * The proof that a client knows a room: a signature over this connection's challenge by the key whose hash is the room's id.
 * Checked with node:crypto, which verifies some five thousand a second; tweetnacl's fifty would be a way to stall the relay.
 */
import { createHash, createPublicKey, verify } from "node:crypto";
import { joinProof, roomIdBytes } from "logboom/relay-protocol";

export interface JoinClaim {
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
  readonly host: string;
}

/** DER of SubjectPublicKeyInfo for Ed25519, up to the key itself (RFC 8410 §4). */
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

/** The room's id when the claim holds for this connection; undefined otherwise, for whatever reason. */
export function provenRoom(
  claim: JoinClaim,
  connId: number,
  challenge: Uint8Array,
): string | undefined {
  const roomId = createHash("sha256")
    .update("logboom/room/v1")
    .update(claim.publicKey)
    .digest()
    .subarray(0, roomIdBytes);
  try {
    const key = createPublicKey({
      key: Buffer.concat([spkiPrefix, claim.publicKey]),
      format: "der",
      type: "spki",
    });
    const signed = joinProof({ host: claim.host, roomId, connId, challenge });
    return verify(null, signed, key, claim.signature) ? roomId.toString("base64url") : undefined;
  } catch {
    return undefined; // not a key
  }
}
