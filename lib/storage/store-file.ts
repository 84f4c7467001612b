/**
 * The small file beside a log: who the store belongs to, its boot counter, and small values. Pure.
 *
 * It is replaced as a whole, and is the last thing made when a store is created: where it is missing there is no store.
 *
 *     0  "logboom\x01" · 8  u32 CRC-32C of the rest, little-endian · 12  protobuf: 1 storeId, 2 signSeed, 3 boot,
 *     4 repeated { 1 key, 2 value }, 5 what of an earlier store here was gone
 */
import { crc32c } from "../base/crc32c.js";
import { DecodeError } from "../base/errors.js";
import { Reader, recordSize, varintSize, Writer } from "../base/protobuf.js";

export const storeFileName = "store";

export interface StoreFile {
  readonly storeId: Uint8Array;
  readonly signSeed: Uint8Array;
  readonly boot: number;
  readonly replaced?: string;
  readonly meta: ReadonlyMap<string, Uint8Array>;
}

const magic = Uint8Array.from([0x6c, 0x6f, 0x67, 0x62, 0x6f, 0x6f, 0x6d, 1]);
const headerBytes = 12;
const tags = {
  storeId: 10,
  signSeed: 18,
  boot: 24,
  meta: 34,
  replaced: 42,
  key: 10,
  value: 18,
} as const;

export function encodeStoreFile({
  storeId,
  signSeed,
  boot,
  replaced,
  meta,
}: StoreFile): Uint8Array {
  const reason = replaced === undefined ? undefined : new TextEncoder().encode(replaced);
  const values = [...meta].map(([key, value]) => ({ key: new TextEncoder().encode(key), value }));
  const valueSize = (one: { key: Uint8Array; value: Uint8Array }): number =>
    recordSize(tags.key, one.key.length) + recordSize(tags.value, one.value.length);
  let size = recordSize(tags.storeId, storeId.length) + recordSize(tags.signSeed, signSeed.length);
  size += 1 + varintSize(boot);
  if (reason !== undefined) size += recordSize(tags.replaced, reason.length);
  for (const one of values) size += recordSize(tags.meta, valueSize(one));
  const writer = new Writer(headerBytes + size);
  writer.raw(magic);
  writer.raw(new Uint8Array(4));
  writer.lengthDelimited(tags.storeId, storeId);
  writer.lengthDelimited(tags.signSeed, signSeed);
  writer.number(tags.boot, boot);
  for (const one of values) {
    writer.record(tags.meta, valueSize(one));
    writer.lengthDelimited(tags.key, one.key);
    writer.lengthDelimited(tags.value, one.value);
  }
  if (reason !== undefined) writer.lengthDelimited(tags.replaced, reason);
  const bytes = writer.finish();
  new DataView(bytes.buffer).setUint32(8, crc32c(bytes, 0, headerBytes), true);
  return bytes;
}

/** @throws DecodeError */
export function decodeStoreFile(bytes: Uint8Array): StoreFile {
  if (bytes.length < headerBytes || !magic.every((byte, n) => bytes[n] === byte)) {
    throw new DecodeError("it does not begin as Logboom's store file");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(8, true) !== crc32c(bytes, 0, headerBytes)) {
    throw new DecodeError("its checksum does not match");
  }
  const reader = new Reader(bytes);
  reader.position = headerBytes;
  let storeId = new Uint8Array(0);
  let signSeed = new Uint8Array(0);
  let boot = 0;
  let replaced: string | undefined;
  const meta = new Map<string, Uint8Array>();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === tags.storeId) storeId = reader.lengthDelimited().slice();
    else if (tag === tags.signSeed) signSeed = reader.lengthDelimited().slice();
    else if (tag === tags.boot) boot = reader.varint();
    else if (tag === tags.meta) {
      const outer = reader.enter();
      const [key, value] = readValue(reader);
      reader.leave(outer);
      meta.set(key, value);
    } else if (tag === tags.replaced) {
      replaced = new TextDecoder().decode(reader.lengthDelimited());
    } else reader.skip(tag);
  }
  if (storeId.length !== 16 || signSeed.length !== 32 || boot < 1) {
    throw new DecodeError("it lacks an identity");
  }
  return { storeId, signSeed, boot, meta, ...(replaced === undefined ? {} : { replaced }) };
}

function readValue(reader: Reader): [string, Uint8Array] {
  let key = "";
  let value = new Uint8Array(0);
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === tags.key) key = new TextDecoder().decode(reader.lengthDelimited());
    else if (tag === tags.value) value = reader.lengthDelimited().slice();
    else reader.skip(tag);
  }
  return [key, value];
}
