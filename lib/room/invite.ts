/**
 * Invite: everything a newcomer needs, in the fragment of a link, which no browser sends to any server.
 *
 * `#logboom=1.<base64url of version 1: clusterId (16 bytes) ‖ secret (32 bytes) ‖ check (4 bytes)>`. The check is a prefix of the
 * bytes' own hash-like sum, there to tell a link cut short by a chat program from one that names another room.
 */
import { LogboomError } from "../base/errors.js";

export interface Invite {
  /** 16 bytes; names the cluster for good, also when the secret is replaced. */
  readonly clusterId: Uint8Array;
  /** 32 random bytes; who has them may join. */
  readonly secret: Uint8Array;
}

const prefix = "logboom=1.";
const clusterIdBytes = 16;
const secretBytes = 32;
const checkBytes = 4;
const textLength = Math.ceil(((clusterIdBytes + secretBytes + checkBytes) * 4) / 3);

export function newInvite(): Invite {
  return {
    clusterId: crypto.getRandomValues(new Uint8Array(clusterIdBytes)),
    secret: crypto.getRandomValues(new Uint8Array(secretBytes)),
  };
}

/** `logboom=1.…`, without the `#`. */
export function formatInvite({ clusterId, secret }: Invite): string {
  const bytes = new Uint8Array(clusterIdBytes + secretBytes + checkBytes);
  bytes.set(clusterId, 0);
  bytes.set(secret, clusterIdBytes);
  bytes.set(check(bytes.subarray(0, clusterIdBytes + secretBytes)), clusterIdBytes + secretBytes);
  return prefix + toBase64Url(bytes);
}

/** The invite in a whole link, a fragment or the bare text; undefined when there is none in it.
 *  @throws LogboomError `BAD_INVITE` when there is one and it is damaged. */
export function findInvite(text: string): Invite | undefined {
  const at = text.indexOf(prefix);
  if (at < 0) {
    const later = /logboom=(\d+)\./.exec(text);
    if (later === null) return undefined;
    throw bad(`it is of version ${later[1]}, this library knows version 1: update the application`);
  }
  const body = /^[A-Za-z0-9_-]*/.exec(text.slice(at + prefix.length))?.[0] ?? "";
  if (body.length !== textLength) {
    throw bad(
      `it has ${body.length} characters after "${prefix}" where ${textLength} belong: copy the whole link`,
    );
  }
  const bytes = fromBase64Url(body);
  const content = bytes.subarray(0, clusterIdBytes + secretBytes);
  const sum = check(content);
  for (let i = 0; i < checkBytes; i++) {
    if (bytes[clusterIdBytes + secretBytes + i] !== sum[i]) {
      throw bad("its check sum does not match: a character was changed, copy the link again");
    }
  }
  return { clusterId: content.slice(0, clusterIdBytes), secret: content.slice(clusterIdBytes) };
}

/** `text` without the invite in it, for the address bar. */
export function withoutInvite(text: string): string {
  return text.replace(/[#&]?logboom=\d+\.[A-Za-z0-9_-]*/, "");
}

/** FNV-1a over the bytes: finds slips of the hand; it is no protection and need not be. */
function check(bytes: Uint8Array): Uint8Array {
  let sum = 0x811c9dc5;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193) >>> 0;
  return new Uint8Array([sum >>> 24, (sum >>> 16) & 255, (sum >>> 8) & 255, sum & 255]);
}

function bad(why: string): LogboomError {
  return new LogboomError("BAD_INVITE", `this invite cannot be used: ${why}`);
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
}

function fromBase64Url(text: string): Uint8Array {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}
