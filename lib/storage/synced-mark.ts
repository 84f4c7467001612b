/**
 * The synced mark: up to where the log was on the disk for certain, in a small file beside it. Pure.
 *
 * etcd's format cannot tell a record that never reached the disk from one that did and was damaged later: both may show a
 * sector of zeros at the end. So after every flush the place is noted here, without a flush of its own. The note is never
 * ahead of the disk; it may lag (a power cut), and then the log is judged by etcd's rule alone. What is damaged before the
 * mark is reported, never truncated. Noting follows the answer to whoever waits for the flush, soon but without holding it up
 * (`Directory.soon`: at once in Node, within 20 ms in private files).
 *
 *     0  u64 sequence · 8  u64 offset · 16  u32 CRC-32C of the first sixteen bytes; little-endian
 */
import { crc32c, crc32cOf } from "../base/crc32c.js";
import type { Place } from "./wal-replay.js";

export const markBytes = 20;

export function encodeMark({ sequence, offset }: Place): Uint8Array {
  const bytes = new Uint8Array(markBytes);
  const view = new DataView(bytes.buffer);
  putNumber(view, 0, sequence);
  putNumber(view, 8, offset);
  view.setUint32(16, crc32cOf(view, 0, 0, 16), true);
  return bytes;
}

/** Not `setBigUint64`: a mark is made for every flush. */
function putNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}

/** Undefined when it is not a mark: then nothing is known. */
export function decodeMark(bytes: Uint8Array): Place | undefined {
  if (bytes.length < markBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(16, true) !== crc32c(bytes, 0, 0, 16)) return undefined;
  const sequence = Number(view.getBigUint64(0, true));
  const offset = Number(view.getBigUint64(8, true));
  return Number.isSafeInteger(sequence) && Number.isSafeInteger(offset)
    ? { sequence, offset }
    : undefined;
}

/** Whether the log ends at `place` before something that was on the disk. */
export function isBefore(place: Place, mark: Place | undefined): boolean {
  if (mark === undefined) return false;
  return (
    place.sequence < mark.sequence ||
    (place.sequence === mark.sequence && place.offset < mark.offset)
  );
}
