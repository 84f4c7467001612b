/**
 * Frames of etcd's log files: a length word, a body, zeros up to a multiple of eight.
 *
 *     0  u64  little-endian: body length in the low 56 bits; bit 63 says that bits 56–58 hold the padding
 *     8  body, then the padding
 *
 * So every frame begins on an eight-byte boundary, and a length word never lies across two sectors. A word of zero is "end of
 * what was written". Frames without padding, of old files, are read too. etcd server/storage/wal/encoder.go.
 */

export const frameHeaderBytes = 8;
const low32 = 0x100000000;

/** Zeros that follow a body of `length` bytes. */
export function framePadding(length: number): number {
  return -length & 7;
}

/** Writes the length word of a body of `length` bytes at `at`. */
export function writeFrameHeader(view: DataView, at: number, length: number): void {
  const padding = framePadding(length);
  view.setUint32(at, length, true);
  const high = Math.floor(length / low32);
  view.setUint32(at + 4, padding === 0 ? high : ((0x80 | padding) << 24) | high, true);
}

/** The body's length. With 56 bits it may exceed what is safe: compare it with what is there before anything else. */
export function readBodyLength(view: DataView, at: number): number {
  return view.getUint32(at, true) + (view.getUint32(at + 4, true) & 0xffffff) * low32;
}

/** How many zeros follow the body. */
export function readPadding(view: DataView, at: number): number {
  const top = view.getUint8(at + 7);
  return top & 0x80 ? top & 7 : 0;
}

/** Nothing was written from here on. */
export function isEndOfFrames(view: DataView, at: number): boolean {
  return view.getUint32(at, true) === 0 && view.getUint32(at + 4, true) === 0;
}
