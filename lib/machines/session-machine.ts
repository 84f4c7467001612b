/**
 * SessionMachine: exactly once, around any state machine (dissertation §6.3).
 *
 * A command carries who sent it and that client's number for it; met again, whether by a retry after a change of leader, through
 * another node or after a restart, it gets the result it had and is not applied. Sessions, their results and log time are in
 * every snapshot. The machine within sees the command alone, with the times of its entry, and draws random numbers by client and
 * sequence. It keeps no state of its own on disk (`appliedIndex`): sessions must go with it.
 *
 *     RaftNode.open({ …, machine: createSessionMachine(machine) });
 *
 *     command   version (1) ‖ client (16) ‖ sequence (8) ‖ low (8) ‖ since (8) ‖ the machine's command
 *     snapshot  length (4) ‖ [version, log time, sessions] in MessagePack ‖ the machine's chunks
 *
 * Results are kept, so they must be values (values.ts). What does not decode is refused, on every replica alike.
 */

import { hex } from "../base/bytes.js";
import { DecodeError, isLogboomError } from "../base/errors.js";
import * as wire from "../codec/wire.js";
import type { AppliedConfChange, NodeMachine, StampedEntry } from "../runtime/state-machine.js";
import { unfinishedMax } from "./command.js";
import { decodeValue, encodeValue } from "./msgpack.js";
import { type Draws, drawsOf } from "./seed.js";
import {
  count,
  createSessions,
  loadSessions,
  type Numbered,
  type Sessions,
  tuple,
} from "./sessions.js";
import type { Value } from "./values.js";

/** What applying a client's command came to. */
export type SessionResult<Result> =
  | { readonly kind: "done"; readonly result: Result; readonly repeated: boolean }
  /** The session is over, or the client knows this command's end: it was not applied, now or again. */
  | { readonly kind: "expired" }
  | { readonly kind: "malformed" };

export interface SessionMachine<Result extends Value | undefined>
  extends NodeMachine<SessionResult<Result>> {
  /** Log time as of the last command: milliseconds that leaders have led. */
  readonly logTime: number;
  /** Open sessions. */
  readonly sessions: number;
}

const commandVersion = 1;
const snapshotVersion = 1;

export function createSessionMachine<Result extends Value | undefined>(
  machine: NodeMachine<Result>,
): SessionMachine<Result> {
  return new Wrapped(machine);
}

/** A command with its number, to be proposed. @param client 32 hexadecimal digits */
export function encodeNumbered(numbered: Numbered, command: Uint8Array): Uint8Array {
  const client = Uint8Array.from({ length: 16 }, (_, i) =>
    Number.parseInt(numbered.client.slice(2 * i, 2 * i + 2), 16),
  );
  return wire.message(
    wire.u8(commandVersion),
    client,
    wire.u53(numbered.sequence),
    wire.u53(numbered.low),
    wire.u53(numbered.since),
    command,
  );
}

interface Parsed extends Numbered {
  readonly command: Uint8Array;
}

/** @throws DecodeError */
function decodeNumbered(bytes: Uint8Array): Parsed {
  const reader = new wire.WireReader(bytes);
  if (reader.u8() !== commandVersion) throw new DecodeError("a command without a session");
  const client = hex(reader.bytes(16));
  const [sequence, low, since] = [reader.u53(), reader.u53(), reader.u53()];
  if (low < 1 || low > sequence || sequence - low >= unfinishedMax) {
    throw new DecodeError(`low must be in (sequence - ${unfinishedMax}, sequence]`);
  }
  return { client, sequence, low, since, command: reader.rest() };
}

class Wrapped<Result extends Value | undefined> implements SessionMachine<Result> {
  readonly version: number;
  readonly #machine: NodeMachine<Result>;
  #sessions: Sessions = createSessions();
  #logTime = 0;

  constructor(machine: NodeMachine<Result>) {
    this.#machine = machine;
    this.version = machine.version ?? 1;
  }

  get logTime(): number {
    return this.#logTime;
  }
  get sessions(): number {
    return this.#sessions.size();
  }

  apply(entry: StampedEntry): SessionResult<Result> {
    const { index, term, now, version } = entry;
    const logTime = Math.max(this.#logTime, entry.logTime);
    this.#logTime = logTime;
    const parsed = tryDecode(entry.data);
    if (parsed === undefined) return { kind: "malformed" };
    const admission = this.#sessions.admit(parsed, logTime);
    if (admission.kind === "expired") return { kind: "expired" };
    if (admission.kind === "repeated") {
      const { outcome } = admission;
      const result = (outcome.kind === "done" ? outcome.result : undefined) as Result;
      return { kind: "done", result, repeated: true };
    }
    const { client, sequence, command: data } = parsed;
    let draws: Draws | undefined;
    const random = (): number => {
      draws ??= drawsOf(client, sequence);
      return draws.random();
    };
    const result = this.#machine.apply({ index, term, data, now, logTime, version, random });
    this.#sessions.record(parsed, { kind: "done", result });
    return { kind: "done", result, repeated: false };
  }

  migrate(to: number): void {
    this.#machine.migrate?.(to);
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

  restore(body: Uint8Array, machineVersion: number): void {
    const reader = new wire.WireReader(body);
    const saved = decodeValue(reader.bytes(reader.u32()), "sessions");
    const [version, logTime, sessions] = tuple(saved, 3, "sessions");
    if (version !== snapshotVersion) throw new DecodeError(`sessions: format ${String(version)}`);
    const loaded = loadSessions(sessions);
    const time = count(logTime, "sessions: log time");
    this.#machine.restore(reader.rest(), machineVersion);
    this.#sessions = loaded;
    this.#logTime = time;
  }
}

function tryDecode(bytes: Uint8Array): Parsed | undefined {
  try {
    return decodeNumbered(bytes);
  } catch (error) {
    if (isLogboomError(error) && error.code === "DECODE") return undefined;
    throw error;
  }
}
