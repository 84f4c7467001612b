/**
 * Damages to a file of the log, one by one, each with a name: bytes cut off, bits flipped, sectors zeroed, moved and lost, and two
 * damages at once at the end.
 */
import { readSegment } from "../storage/wal.js";

/** What was done, and the bytes after it. */
export type Damage = readonly [what: string, damaged: () => Uint8Array<ArrayBuffer>];

function flipped(bytes: Uint8Array, ...bits: number[]): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  for (const bit of bits) copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** Every truncation and every bit of one file. */
export function* cutsAndFlips(bytes: Uint8Array<ArrayBuffer>, used: number): Generator<Damage> {
  for (let length = 0; length < used; length++) {
    yield [`cut to ${length} bytes`, () => bytes.slice(0, length)];
  }
  for (let bit = 0; bit < used * 8; bit++) {
    yield [`bit ${bit} flipped`, () => flipped(bytes, bit)];
  }
}

/** Every sector of one file zeroed, written over another, written twice, left out, and every two of them swapped. */
export function* sectorDamages(bytes: Uint8Array<ArrayBuffer>, used: number): Generator<Damage> {
  const sector = 512;
  for (let at = 0; at < used; at += sector) {
    const end = Math.min(bytes.length, at + sector);
    yield [`sector ${at} zeroed`, () => bytes.slice().fill(0, at, at + sector)];
    yield [`sector ${at} twice`, () => spliced(bytes, end, at)];
    yield [`sector ${at} left out`, () => spliced(bytes, at, end)];
    for (let other = 0; other < used; other += sector) {
      if (other === at) continue;
      const copyOver = (): Uint8Array<ArrayBuffer> => {
        const copy = bytes.slice();
        copy.set(bytes.subarray(other, other + sector).subarray(0, bytes.length - at), at);
        return copy;
      };
      yield [`sector ${other} again at ${at}`, copyOver];
      if (other < at) continue;
      const swap = (): Uint8Array<ArrayBuffer> => {
        const copy = copyOver();
        copy.set(bytes.subarray(at, at + sector).subarray(0, bytes.length - other), other);
        return copy;
      };
      yield [`sectors ${at} and ${other} swapped`, swap];
    }
  }
}

/** The bytes up to `to`, then those from `from` on; as long as before. */
function spliced(bytes: Uint8Array, to: number, from: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes.subarray(0, to));
  copy.set(bytes.subarray(from, from + bytes.length - to), to);
  return copy;
}

/** Two damages at once in the last two records: any two bytes flipped, or one flipped and the end cut off. */
export function* pairs(
  bytes: Uint8Array<ArrayBuffer>,
  used: number,
  bytesMax: number,
): Generator<Damage> {
  const starts: number[] = [];
  readSegment(bytes, { last: true, crc: 0 }, (_record, offset) => starts.push(offset));
  const from = starts.at(-2) ?? 0;
  const step = Math.max(1, Math.ceil((used - from) / bytesMax));
  const places: number[] = [];
  // Lengths, types and checksums all; of what follows in long records each so many.
  for (let at = from; at < used; at++) {
    const inHead = starts.slice(-2).some((start) => at >= start && at < start + 24);
    if (inHead || (at - from) % step === 0) places.push(at);
  }
  for (const [n, first] of places.entries()) {
    const bit = first * 8 + ((n * 3) & 7);
    for (const second of places.slice(n + 1)) {
      const other = second * 8 + ((n * 5 + second) & 7);
      yield [`bits ${bit} and ${other} flipped`, () => flipped(bytes, bit, other)];
      const cut = (): Uint8Array<ArrayBuffer> => flipped(bytes, bit).slice(0, second);
      yield [`bit ${bit} flipped, cut to ${second} bytes`, cut];
    }
  }
}

/** What is written of a segment, and a little of the zeros behind it. */
export function usedBytes(bytes: Uint8Array): number {
  let used = bytes.length;
  while (used > 0 && bytes[used - 1] === 0) used--;
  return Math.min(bytes.length, used + 16);
}
