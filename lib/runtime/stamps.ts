/**
 * Stamps: what a leader puts before each command, so that replicas need neither clock nor randomness (DESIGN §10).
 *
 *     command  kind 1 (1) ‖ now (6) ‖ log time (6) ‖ seed (4) ‖ the command          all numbers big endian
 *     marker   kind 2 (1) ‖ id (8)                                                  where states are compared; no command
 *
 * The seed is the leader's; together with the entry's index it starts the entry's own series of random numbers: two entries of a cluster
 * never share one, and two clusters hardly ever.
 *
 * Not here: where the times come from (clocks.ts, stamper.ts); that they never go back is up to who applies (membered-machine.ts).
 */
import { DecodeError, InvariantError } from "../base/errors.js";
import { type Random, seededRandom } from "../base/random.js";
import * as wire from "../codec/wire.js";
import type { AppliedEntry, StampedEntry } from "./state-machine.js";

/** What a leader stamps: milliseconds, whole and from 0 on. */
export interface Times {
  readonly now: number;
  readonly logTime: number;
}

export const stampBytes = 17;
/** 48 bits: the year 10889. */
const timeMax = 2 ** 48 - 1;
const stampedKind = 1;
const markerKind = 2;

/** The entries to propose for `commands`, which go into the log together. Empty ones are barriers, and stay empty. */
export function stampAll(
  commands: readonly Uint8Array[],
  { now, logTime }: Times,
  seed: number,
): readonly Uint8Array[] {
  if (!isTime(now) || !isTime(logTime)) {
    throw new InvariantError("a stamp's times are whole milliseconds of 48 bits", { now, logTime });
  }
  const room = new Room(commands);
  return commands.map((command, at) => {
    if (command.length === 0) return command;
    const entry = room.take(stampBytes + command.length);
    writeStamp(entry, now, logTime, (seed + at) >>> 0);
    entry.set(command, stampBytes);
    return entry;
  });
}

/** Commands up to so many bytes share one piece of memory, which goes with the last of them: to make one for each costs five times as much. */
const sharedMax = 1024;

class Room {
  readonly #shared: Uint8Array;
  #from = 0;

  constructor(commands: readonly Uint8Array[]) {
    let length = 0;
    for (const command of commands) {
      if (command.length <= sharedMax) length += stampBytes + command.length;
    }
    this.#shared = new Uint8Array(length);
  }

  take(length: number): Uint8Array {
    if (length > sharedMax + stampBytes) return new Uint8Array(length);
    const from = this.#from;
    this.#from += length;
    return this.#shared.subarray(from, this.#from);
  }
}

function writeStamp(entry: Uint8Array, now: number, logTime: number, seed: number): void {
  entry[0] = stampedKind;
  write48(entry, 1, now);
  write48(entry, 7, logTime);
  write32(entry, 13, seed);
}

function write48(entry: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 2 ** 32);
  entry[at] = high >>> 8;
  entry[at + 1] = high;
  write32(entry, at + 2, value % 2 ** 32);
}

function write32(entry: Uint8Array, at: number, value: number): void {
  entry[at] = value >>> 24;
  entry[at + 1] = value >>> 16;
  entry[at + 2] = value >>> 8;
  entry[at + 3] = value;
}

function isTime(ms: number): boolean {
  return Number.isSafeInteger(ms) && ms >= 0 && ms <= timeMax;
}

/** The times on a stamped entry. @throws DecodeError for what no leader of this version stamped */
export function timesOf(data: Uint8Array): Times {
  if (data.length < stampBytes || data[0] !== stampedKind) {
    const kind = data[0] === undefined ? "nothing" : `kind ${data[0]}`;
    throw new DecodeError(
      `an entry of ${data.length} bytes that begins with ${kind}: not of a RaftNode of this version`,
    );
  }
  return { now: u48(data, 1), logTime: u48(data, 7) };
}

function u48(data: Uint8Array, at: number): number {
  const high = byte(data, at) * 0x100 + byte(data, at + 1);
  return high * 2 ** 32 + u32(data, at + 2);
}

function u32(data: Uint8Array, at: number): number {
  const high = byte(data, at) * 0x100 + byte(data, at + 1);
  return high * 0x10000 + byte(data, at + 2) * 0x100 + byte(data, at + 3);
}

function byte(data: Uint8Array, at: number): number {
  return data[at] as number;
}

/** The entry where check `id` compares states. */
export function markerEntry(id: number): Uint8Array {
  return wire.message(wire.u8(markerKind), wire.u53(id));
}

/** Which check an entry marks; undefined for a command. @throws DecodeError */
export function markerOf(data: Uint8Array): number | undefined {
  if (data[0] !== markerKind) return undefined;
  const reader = new wire.WireReader(data.subarray(1));
  const id = reader.u53();
  reader.end();
  return id;
}

/** A command as its machine sees it. `data` is one that `timesOf` takes. */
export class Stamped implements StampedEntry {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
  readonly now: number;
  readonly logTime: number;
  readonly version: number;
  readonly #seed: number;
  #random: Random | undefined;

  constructor({ index, term, data }: AppliedEntry, { now, logTime }: Times, version: number) {
    this.index = index;
    this.term = term;
    this.data = data.subarray(stampBytes);
    this.now = now;
    this.logTime = logTime;
    this.version = version;
    this.#seed = u32(data, 13);
  }

  random(): number {
    this.#random ??= seededRandom(this.#seed, this.index);
    const [high, low] = [this.#random.below(2 ** 26), this.#random.below(2 ** 27)];
    return (high * 2 ** 27 + low) / 2 ** 53;
  }
}
