/**
 * CRC-32C (Castagnoli): the checksum of etcd's log files, iSCSI and ext4. Not zlib's, which has another polynomial.
 *
 * Sixteen bytes per step through sixteen tables ("slicing"), so that the processor has independent look-ups to overlap.
 * Measured against hash-wasm 4.13 and @node-rs/crc32 1.10 (Node 20, MB per second of processor time): 128 B ours 1333, theirs 448 and
 * 850; 1 MiB ours 1464, theirs 2118 and 5983. Records are small, this is 60 lines, and it is synchronous everywhere.
 *
 * RFC 3720 appendix B.4 has test values; compare Go's hash/crc32.
 */

/** 0x1EDC6F41 with its bits reversed. */
const polynomial = 0x82f63b78;
const tables = makeTables();

/**
 * The checksum of `bytes` in [from, to), continuing from `previous`, the checksum of what came before (0 at the start):
 * `crc32c(ab) === crc32c(b, crc32c(a))`.
 *
 * @returns an unsigned 32-bit integer
 */
export function crc32c(
  bytes: Uint8Array,
  previous = 0,
  from = 0,
  to: number = bytes.length,
): number {
  const t = tables;
  const sliced = to - ((to - from) % 16);
  let crc = ~previous;
  let at = from;
  for (; at < sliced; at += 16) {
    crc =
      (t[0xf00 + ((crc ^ (bytes[at] as number)) & 0xff)] as number) ^
      (t[0xe00 + (((crc >>> 8) ^ (bytes[at + 1] as number)) & 0xff)] as number) ^
      (t[0xd00 + (((crc >>> 16) ^ (bytes[at + 2] as number)) & 0xff)] as number) ^
      (t[0xc00 + ((crc >>> 24) ^ (bytes[at + 3] as number))] as number) ^
      (t[0xb00 + (bytes[at + 4] as number)] as number) ^
      (t[0xa00 + (bytes[at + 5] as number)] as number) ^
      (t[0x900 + (bytes[at + 6] as number)] as number) ^
      (t[0x800 + (bytes[at + 7] as number)] as number) ^
      (t[0x700 + (bytes[at + 8] as number)] as number) ^
      (t[0x600 + (bytes[at + 9] as number)] as number) ^
      (t[0x500 + (bytes[at + 10] as number)] as number) ^
      (t[0x400 + (bytes[at + 11] as number)] as number) ^
      (t[0x300 + (bytes[at + 12] as number)] as number) ^
      (t[0x200 + (bytes[at + 13] as number)] as number) ^
      (t[0x100 + (bytes[at + 14] as number)] as number) ^
      (t[bytes[at + 15] as number] as number);
  }
  for (; at < to; at++) crc = (t[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Table k at 256·k: the effect of a byte that is followed by k zero bytes. */
function makeTables(): Int32Array {
  const table = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    table[byte] = crc;
  }
  for (let at = 256; at < table.length; at++) {
    const before = table[at - 256] ?? 0;
    table[at] = (table[before & 0xff] ?? 0) ^ (before >>> 8);
  }
  return table;
}
