/**
 * Members: the replicated table of who belongs to the room, beside the machine.
 *
 * It changes only with configuration entries: their `context` brings the records of newcomers, and whoever is in no part of the
 * resulting configuration is struck off and remembered as removed (ids are never used again). It is part of every snapshot.
 * A table is a value: a change makes a new one.
 *
 * Invariant: every id of the configuration has a record; no removed id has one.
 */
import { DecodeError } from "../base/errors.js";
import type { ConfState, NodeId } from "../core/types.js";
import { decodeValue, encodeValue } from "../machines/msgpack.js";
import { array, bytes, nodeId, record, text } from "./shapes.js";

/** Who a peer is. Its id follows from `publicKey` and `storeId`. */
export interface Member {
  readonly id: NodeId;
  readonly publicKey: Uint8Array;
  readonly storeId: Uint8Array;
  /** Device name, at most 64 characters. */
  readonly name: string;
  /** One per profile and room. */
  readonly author: string;
}

export interface MemberTable {
  readonly members: ReadonlyMap<NodeId, Member>;
  /** Newest last, at most `removedMax`. */
  readonly removed: readonly NodeId[];
}

/** Removed ids that are remembered. An older one is refused all the same: it is in no configuration. */
export const removedMax = 1024;

export const noMembers: MemberTable = { members: new Map(), removed: [] };

/** The table after a configuration entry. */
export function changeMembers(
  table: MemberTable,
  confState: ConfState,
  newcomers: readonly Member[],
): MemberTable {
  const present = new Set(confStateIds(confState));
  const members = new Map<NodeId, Member>();
  const removed = [...table.removed];
  for (const member of table.members.values()) {
    if (present.has(member.id)) members.set(member.id, member);
    else removed.push(member.id);
  }
  for (const member of newcomers) {
    if (present.has(member.id) && !members.has(member.id)) members.set(member.id, member);
  }
  return { members, removed: removed.slice(-removedMax) };
}

/** Every id of a configuration, both halves and all learners. */
export function confStateIds(confState: ConfState): NodeId[] {
  const { voters, votersOutgoing, learners, learnersNext } = confState;
  return [...new Set([...voters, ...votersOutgoing, ...learners, ...learnersNext])];
}

/** The `context` of a configuration entry. */
export function encodeNewcomers(newcomers: readonly Member[]): Uint8Array {
  return encodeValue(newcomers.map(plain));
}

/** @throws DecodeError. An empty context has no newcomers. */
export function decodeNewcomers(context: Uint8Array): Member[] {
  if (context.length === 0) return [];
  return array(decodeValue(context), "newcomers", 64).map(toMember);
}

export function encodeMembers(table: MemberTable): Uint8Array {
  return encodeValue({
    members: [...table.members.values()].map(plain),
    removed: [...table.removed],
  });
}

/** @throws DecodeError */
export function decodeMembers(body: Uint8Array): MemberTable {
  const value = record(decodeValue(body), "members table");
  const members = array(value["members"], "members", 1024).map(toMember);
  const removed = array(value["removed"], "removed ids", removedMax).map((id) =>
    nodeId(id, "removed id"),
  );
  const table = new Map(members.map((member) => [member.id, member]));
  if (table.size !== members.length) throw new DecodeError("members: an id appears twice");
  return { members: table, removed };
}

/** @throws DecodeError */
export function toMember(value: unknown): Member {
  const fields = record(value, "member");
  return {
    id: nodeId(fields["id"], "member id"),
    publicKey: bytes(fields["publicKey"], "public key", 32),
    storeId: bytes(fields["storeId"], "store id", 16),
    name: text(fields["name"], "device name", 64),
    author: text(fields["author"], "author", 64),
  };
}

export function plain({ id, publicKey, storeId, name, author }: Member): {
  id: number;
  publicKey: Uint8Array;
  storeId: Uint8Array;
  name: string;
  author: string;
} {
  return { id, publicKey, storeId, name, author };
}
