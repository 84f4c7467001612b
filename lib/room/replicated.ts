/**
 * Replicated: all that a room's log decides: the members' table and the user's machine, as one state machine.
 *
 * Snapshot body: version (1 byte) ‖ length of the table (4 bytes, big endian) ‖ table ‖ the machine's chunks.
 */
import { concatBytes } from "../base/bytes.js";
import { DecodeError } from "../base/errors.js";
import type { Applied, Replica } from "../machines/replica.js";
import type { AppliedConfChange, AppliedEntry, StateMachine } from "../runtime/state-machine.js";
import {
  changeMembers,
  decodeMembers,
  decodeNewcomers,
  encodeMembers,
  type Member,
  type MemberTable,
  noMembers,
} from "./members.js";

const bodyVersion = 1;
const headBytes = 5;

export class Replicated<S> implements StateMachine<Applied> {
  readonly replica: Replica<S>;
  #table: MemberTable = noMembers;

  constructor(replica: Replica<S>) {
    this.replica = replica;
  }

  get table(): MemberTable {
    return this.#table;
  }

  /** The state a room begins with: its founder and the machine's initial state. */
  found(founder: Member): Uint8Array {
    this.#table = { members: new Map([[founder.id, founder]]), removed: [] };
    return concatBytes(...this.snapshot());
  }

  apply(entry: AppliedEntry): Applied {
    return this.replica.apply(entry);
  }

  applyConfChange({ confState, context }: AppliedConfChange): void {
    this.#table = changeMembers(this.#table, confState, newcomersOf(context));
  }

  snapshot(): Iterable<Uint8Array> {
    const table = encodeMembers(this.#table);
    const head = new Uint8Array(headBytes);
    head[0] = bodyVersion;
    new DataView(head.buffer).setUint32(1, table.length);
    return [head, table, ...this.replica.snapshot()];
  }

  restore(body: Uint8Array): void {
    if (body[0] !== bodyVersion) {
      throw new DecodeError(`snapshot body of version ${String(body[0])}, this library reads 1`);
    }
    if (body.length < headBytes) throw new DecodeError("snapshot body ends in its head");
    const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
    if (headBytes + length > body.length) throw new DecodeError("snapshot body ends in its table");
    const table = decodeMembers(body.subarray(headBytes, headBytes + length));
    this.replica.restore(body.subarray(headBytes + length));
    this.#table = table;
  }
}

/** A context that does not decode brings nobody: alike at every peer, so it is no reason to stop. */
function newcomersOf(context: Uint8Array): readonly Member[] {
  try {
    return decodeNewcomers(context);
  } catch {
    return [];
  }
}
