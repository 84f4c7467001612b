/**
 * SessionMachine: exactly once, around any state machine (dissertation §6.3).
 *
 * A command carries who sent it and that client's number for it; met again, whether by a retry after a change of leader, through
 * another node or after a restart, it gets the result it had and is not applied. Sessions, their results and log time are in
 * every snapshot. Give the node both halves:
 *
 *     const sessions = createSessionMachine(machine, clock);
 *     RaftNode.open({ …, machine: sessions, prepare: sessions.prepare });
 *
 *     entry     version (1) ‖ log time (8) ‖ client (16) ‖ sequence (8) ‖ low (8) ‖ since (8) ‖ the command
 *     snapshot  length (4) ‖ [version, log time, sessions] in MessagePack ‖ the machine's chunks
 *
 * Results are kept, so they must be values (values.ts). What does not decode is refused, on every replica alike.
 */

import { hex } from "../base/bytes.js";
import type { Clock } from "../base/clock.js";
import { DecodeError, isLogboomError } from "../base/errors.js";
import * as wire from "../codec/wire.js";
import type { Term } from "../core/types.js";
import type { AppliedConfChange, AppliedEntry, StateMachine } from "../runtime/state-machine.js";
import { unfinishedMax } from "./command.js";
import { decodeValue, encodeValue } from "./msgpack.js";
import {
  count,
  createSessions,
  loadSessions,
  type Numbered,
  type Sessions,
  tuple,
} from "./sessions.js";
import { createStamper } from "./stamper.js";
import type { Value } from "./values.js";

/** What applying a client's command came to. */
export type SessionResult<Result> =
  | { readonly kind: "done"; readonly result: Result; readonly repeated: boolean }
  /** The session is over, or the client knows this command's end: it was not applied, now or again. */
  | { readonly kind: "expired" }
  | { readonly kind: "malformed" };

export interface SessionMachine<Result extends Value | undefined>
  extends StateMachine<SessionResult<Result>> {
  /** Log time as of what was applied: milliseconds that leaders have led. */
  readonly logTime: number;
  /** Open sessions. */
  readonly sessions: number;
  /** For `RaftNodeOptions.prepare`: the leader's log time. */
  readonly prepare: (command: Uint8Array, term: Term) => Uint8Array;
}

const entryVersion = 1;
const snapshotVersion = 1;
/** What stands before the command in an entry. */
export const sessionHeadBytes: number = 1 + 8 + 16 + 8 + 8 + 8;

export function createSessionMachine<Result extends Value | undefined>(
  machine: StateMachine<Result>,
  clock: Clock,
): SessionMachine<Result> {
  return new Wrapped(machine, clock);
}

/** A command with its number, to be proposed. @param client 32 hexadecimal digits */
export function encodeNumbered(numbered: Numbered, command: Uint8Array): Uint8Array {
  const client = Uint8Array.from({ length: 16 }, (_, i) =>
    Number.parseInt(numbered.client.slice(2 * i, 2 * i + 2), 16),
  );
  return wire.message(
    wire.u8(entryVersion),
    wire.u53(0),
    client,
    wire.u53(numbered.sequence),
    wire.u53(numbered.low),
    wire.u53(numbered.since),
    command,
  );
}

interface Entry extends Numbered {
  readonly logTime: number;
  readonly command: Uint8Array;
}

/** @throws DecodeError */
function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new wire.WireReader(bytes);
  if (reader.u8() !== entryVersion) throw new DecodeError("a command without a session");
  const logTime = reader.u53();
  const client = hex(reader.bytes(16));
  const [sequence, low, since] = [reader.u53(), reader.u53(), reader.u53()];
  if (low < 1 || low > sequence || sequence - low >= unfinishedMax) {
    throw new DecodeError(`low must be in (sequence - ${unfinishedMax}, sequence]`);
  }
  return { logTime, client, sequence, low, since, command: reader.rest() };
}

class Wrapped<Result extends Value | undefined> implements SessionMachine<Result> {
  readonly #machine: StateMachine<Result>;
  readonly #clock: Clock;
  #sessions: Sessions = createSessions();
  #logTime = 0;
  #stamper: { readonly term: Term; readonly stamp: ReturnType<typeof createStamper> } | undefined;

  constructor(machine: StateMachine<Result>, clock: Clock) {
    this.#machine = machine;
    this.#clock = clock;
  }

  get logTime(): number {
    return this.#logTime;
  }
  get sessions(): number {
    return this.#sessions.size();
  }

  readonly prepare = (command: Uint8Array, term: Term): Uint8Array => {
    if (this.#stamper?.term !== term) {
      this.#stamper = { term, stamp: createStamper(this.#clock, this.#logTime) };
    }
    if (command.length < sessionHeadBytes) return command;
    const stamped = command.slice();
    stamped.set(wire.u53(this.#stamper.stamp().logTime), 1);
    return stamped;
  };

  apply(entry: AppliedEntry): SessionResult<Result> {
    const decoded = tryDecode(entry.data);
    if (decoded === undefined) return { kind: "malformed" };
    this.#logTime = Math.max(this.#logTime, decoded.logTime);
    const admission = this.#sessions.admit(decoded, this.#logTime);
    if (admission.kind === "expired") return { kind: "expired" };
    if (admission.kind === "repeated") {
      const { outcome } = admission;
      const result = (outcome.kind === "done" ? outcome.result : undefined) as Result;
      return { kind: "done", result, repeated: true };
    }
    const { index, term } = entry;
    const result = this.#machine.apply({ index, term, data: decoded.command });
    this.#sessions.record(decoded, { kind: "done", result });
    return { kind: "done", result, repeated: false };
  }

  applyConfChange(change: AppliedConfChange): void {
    this.#machine.applyConfChange?.(change);
  }

  *snapshot(): Iterable<Uint8Array> {
    const saved = [snapshotVersion, this.#logTime, this.#sessions.save()];
    const head = encodeValue(saved, "sessions");
    const chunks = this.#machine.snapshot()[Symbol.iterator]();
    const first = chunks.next();
    yield wire.message(wire.u32(head.length), head);
    for (let next = first; next.done !== true; next = chunks.next()) yield next.value;
  }

  restore(body: Uint8Array): void {
    const reader = new wire.WireReader(body);
    const saved = decodeValue(reader.bytes(reader.u32()), "sessions");
    const [version, logTime, sessions] = tuple(saved, 3, "sessions");
    if (version !== snapshotVersion) throw new DecodeError(`sessions: format ${String(version)}`);
    const loaded = loadSessions(sessions);
    const time = count(logTime, "sessions: log time");
    this.#machine.restore(reader.rest());
    this.#sessions = loaded;
    this.#logTime = time;
  }
}

function tryDecode(bytes: Uint8Array): Entry | undefined {
  try {
    return decodeEntry(bytes);
  } catch (error) {
    if (isLogboomError(error) && error.code === "DECODE") return undefined;
    throw error;
  }
}
