/**
 * Seed: ids and random numbers that follow from a command's own identity.
 *
 * (client, sequence) is drawn when a command is called, so its optimistic run, the committed run on every replica and every
 * replay draw the same ids, and a later offline command may refer to an earlier one's. The client is 128 random bits and every
 * bit of it, of the sequence and of the draw's number goes through MurmurHash3's 32-bit finaliser in four lanes.
 *
 * What is drawn is part of the replicated history: changing a line here makes replicas of two versions differ.
 * tests/machines/seed.test.ts pins the output.  Not for secrets: every peer of the room can compute it.
 */
import { hex } from "../base/bytes.js";
import { LogboomError } from "../base/errors.js";

/** Who numbers commands: 16 random bytes as 32 lower-case hexadecimal digits. */
export type ClientId = string;

const clientPattern = /^[0-9a-f]{32}$/;

export function isClientId(value: unknown): value is ClientId {
  return typeof value === "string" && clientPattern.test(value);
}

/** @param random  16 bytes that nobody else has: from the platform's secure randomness. @throws LogboomError `BAD_INPUT` */
export function clientId(random: Uint8Array): ClientId {
  if (random.length === 16) return hex(random);
  throw new LogboomError(
    "BAD_INPUT",
    `a client id is made of 16 random bytes, got ${random.length}`,
  );
}

/** What a command draws, in order. */
export interface Draws {
  /** 20 characters of Crockford's base 32 in lower case: 100 bits. */
  id(): string;
  /** In [0, 1), 53 bits. */
  random(): number;
}

export function drawsOf(client: ClientId, sequence: number): Draws {
  let ids = 0;
  let numbers = 0;
  return {
    // Two series, so that a command which begins to draw numbers keeps the ids it had.
    id: () => base32(words(client, sequence, 1, ids++)),
    random() {
      const [a, b] = words(client, sequence, 2, numbers++);
      return ((a >>> 5) * 0x4000000 + (b >>> 6)) / 0x20000000000000;
    },
  };
}

type Words = [number, number, number, number];

/** 128 bits for draw number `draw` of a series. */
function words(client: ClientId, sequence: number, series: number, draw: number): Words {
  const lanes: Words = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x8aed2a6b];
  for (let i = 0; i < 4; i++) absorb(lanes, Number.parseInt(client.slice(8 * i, 8 * i + 8), 16));
  absorb(lanes, sequence >>> 0);
  absorb(lanes, Math.floor(sequence / 0x100000000));
  absorb(lanes, series);
  absorb(lanes, draw);
  // Twice around, so that the last word taken in reaches every lane too.
  absorb(lanes, 0);
  absorb(lanes, 0);
  return lanes;
}

function absorb(lanes: Words, word: number): void {
  lanes[0] = mix(lanes[0] ^ word ^ lanes[3]);
  lanes[1] = mix((lanes[1] + lanes[0]) | 0);
  lanes[2] = mix(lanes[2] ^ lanes[1]);
  lanes[3] = mix((lanes[3] + lanes[2]) | 0);
}

function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** The first 25 bits of each word as five characters. */
function base32(drawn: Words): string {
  let text = "";
  for (const word of drawn) {
    for (let shift = 27; shift >= 7; shift -= 5) text += alphabet[(word >>> shift) & 31];
  }
  return text;
}
