/**
 * Members: where each is to be found, and since when: a table beside the machine, changed by configuration entries alone.
 *
 * What is proposed with a change of configuration (its `context`) holds addresses, so that a node is added together with where it
 * lives, and a known one can move. A second kind of context carries an external backup in pieces, so that every replica restores it
 * at the same entry; a third activates a version of the machine. A context of another form is somebody else's and changes nothing, on every replica alike.
 *
 * Snapshot body: version (1) ‖ length of the head (4) ‖ head ‖ the machine's chunks. All numbers big endian.
 */
import { concatBytes } from "../base/bytes.js";
import { DecodeError, isLogboomError } from "../base/errors.js";
import * as wire from "../codec/wire.js";
import type { ConfState, Index, NodeId } from "../core/types.js";

/** Bytes of one address, in UTF-8. */
export const addressBytesMax = 255;

export type Addresses = ReadonlyMap<NodeId, string>;

/** Who is a member, by which entry, and where each lives. */
export interface Configuration {
  /** Of the entry that last changed it: what `ifIndex` is compared with. */
  readonly index: Index;
  readonly confState: ConfState;
  readonly addresses: Addresses;
}

export type ChangeContext =
  | { readonly type: "addresses"; readonly addresses: Addresses }
  | { readonly type: "activate"; readonly version: number }
  | {
      readonly type: "restore";
      /** Of the machine that gave the backup. */
      readonly version: number;
      /** Of this backup: another id begins anew. */
      readonly id: number;
      readonly offset: number;
      readonly last: boolean;
      readonly data: Uint8Array;
    };

const addressesKind = 1;
const restoreKind = 2;
const activateKind = 3;

export function encodeContext(context: ChangeContext): Uint8Array {
  if (context.type === "addresses") {
    return wire.message(wire.u8(addressesKind), encodeAddresses(context.addresses));
  }
  if (context.type === "activate") {
    return wire.message(wire.u8(activateKind), wire.u53(context.version));
  }
  const { id, version, offset, last, data } = context;
  return wire.message(
    wire.u8(restoreKind),
    wire.u53(version),
    wire.u53(id),
    wire.u53(offset),
    wire.u8(last ? 1 : 0),
    data,
  );
}

/** Undefined for what is not ours. */
export function decodeContext(bytes: Uint8Array): ChangeContext | undefined {
  try {
    const reader = new wire.WireReader(bytes);
    const kind = reader.u8();
    if (kind === addressesKind) {
      const addresses = decodeAddresses(reader);
      reader.end();
      return { type: "addresses", addresses };
    }
    if (kind === activateKind) {
      const version = reader.u53();
      reader.end();
      return { type: "activate", version };
    }
    if (kind !== restoreKind) return undefined;
    const [version, id, offset, last] = [reader.u53(), reader.u53(), reader.u53(), reader.u8()];
    return { type: "restore", version, id, offset, last: last === 1, data: reader.rest() };
  } catch (error) {
    if (isLogboomError(error)) return undefined;
    throw error;
  }
}

export function encodeAddresses(addresses: Addresses): Uint8Array {
  const rows = [...addresses].map(([id, address]) =>
    wire.message(wire.u53(id), wire.text(address)),
  );
  return wire.message(wire.u16(rows.length), ...rows);
}

function decodeAddresses(reader: wire.WireReader): Addresses {
  const addresses = new Map<NodeId, string>();
  for (let left = reader.u16(); left > 0; left--) addresses.set(reader.u53(), reader.text());
  return addresses;
}

/** Everybody named in a configuration. */
export function memberIds(confState: ConfState): ReadonlySet<NodeId> {
  const { voters, learners, votersOutgoing, learnersNext } = confState;
  return new Set([...voters, ...learners, ...votersOutgoing, ...learnersNext]);
}

export function isVoter({ voters, votersOutgoing }: ConfState, id: NodeId): boolean {
  return voters.includes(id) || votersOutgoing.includes(id);
}

/** What stands before the machine's state in a snapshot. */
export interface Head {
  /** Index of the entry that last changed the configuration. */
  readonly configurationIndex: Index;
  readonly addresses: Addresses;
  /** The machine version that is active. */
  readonly version: number;
  /** As of the last command, see `StampedEntry`. */
  readonly now: number;
  readonly logTime: number;
  /** A backup of which only a part has arrived. */
  readonly backup: { readonly id: number; readonly data: Uint8Array } | undefined;
}

export const emptyHead: Head = {
  configurationIndex: 0,
  addresses: new Map(),
  version: 1,
  now: 0,
  logTime: 0,
  backup: undefined,
};

export const bodyVersion = 2;
/** Version and length. */
export const prefixBytes = 5;

export function encodeHead(parts: Head): Uint8Array {
  const { configurationIndex, addresses, version, now, logTime, backup } = parts;
  const head = wire.message(
    wire.u53(configurationIndex),
    encodeAddresses(addresses),
    wire.u53(version),
    wire.u53(now),
    wire.u53(logTime),
    wire.u53(backup?.id ?? 0),
    backup?.data ?? new Uint8Array(0),
  );
  return concatBytes(wire.u8(bodyVersion), wire.u32(head.length), head);
}

/** The length of the head behind a prefix. @throws DecodeError */
export function headLength(prefix: Uint8Array): number {
  const reader = new wire.WireReader(prefix);
  const version = reader.u8();
  if (version !== bodyVersion) {
    throw new DecodeError(`snapshot body of version ${version}, this library reads ${bodyVersion}`);
  }
  return reader.u32();
}

/** @throws DecodeError */
export function decodeHead(head: Uint8Array): Head {
  const reader = new wire.WireReader(head);
  const configurationIndex = reader.u53();
  const addresses = decodeAddresses(reader);
  const [version, now, logTime] = [reader.u53(), reader.u53(), reader.u53()];
  if (version < 1) throw new DecodeError("machine versions begin at 1, got 0");
  const id = reader.u53();
  const data = reader.rest();
  return {
    configurationIndex,
    addresses,
    version,
    now,
    logTime,
    backup: id === 0 ? undefined : { id, data: data.slice() },
  };
}
