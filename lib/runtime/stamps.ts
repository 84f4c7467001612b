/**
 * Stamps: what a leader puts before each command, so that replicas need neither clock nor randomness (DESIGN §10).
 *
 *     entry   kind (1) ‖ now (6) ‖ log time (6) ‖ seed (4) ‖ the command          all numbers big endian
 *
 * The seed is the leader's; together with the entry's index it starts the entry's own series of random numbers: two entries of a cluster
 * never share one, and two clusters hardly ever.
 *
 * Not here: where the times come from (clocks.ts, stamper.ts); that they never go back is up to who applies (membered-machine.ts).
 */
import { DecodeError, InvariantError } from "../base/errors.js";
import { type Random, seededRandom } from "../base/random.js";
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

/** The entries to propose for `commands`, which go into the log together. Empty ones are barriers, and stay empty. */
export function stampAll(
  commands: readonly Uint8Array[],
  { now, logTime }: Times,
  seed: number,
): readonly Uint8Array[] {
  if (!isTime(now) || !isTime(logTime)) {
    throw new InvariantError("a stamp's times are whole milliseconds of 48 bits", { now, logTime });
  }
  const head = headOf(now, logTime);
  return commands.map((command, at) => {
    if (command.length === 0) return command;
    const entry = new Uint8Array(stampBytes + command.length);
    entry.set(head);
    const own = (seed + at) >>> 0;
    entry[13] = own >>> 24;
    entry[14] = own >>> 16;
    entry[15] = own >>> 8;
    entry[16] = own;
    entry.set(command, stampBytes);
    return entry;
  });
}

function headOf(now: number, logTime: number): Uint8Array {
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  head[0] = stampedKind;
  view.setUint16(1, Math.floor(now / 2 ** 32));
  view.setUint32(3, now % 2 ** 32);
  view.setUint16(7, Math.floor(logTime / 2 ** 32));
  view.setUint32(9, logTime % 2 ** 32);
  return head;
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
