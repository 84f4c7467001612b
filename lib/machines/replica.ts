/**
 * Replica: a typed machine as the replicated StateMachine that a node drives.
 *
 * Each entry is a stamped command. It is decoded, checked against its client's session, run on the state, and its outcome is kept
 * for repetitions. Replicas that applied the same log are equal in state, sessions, clocks and counters, so their snapshots
 * are the same bytes. An entry that does not decode (of a later version, or garbage) changes nothing but a counter.
 *
 * Invariants: `state` keeps its identity until it changes; `now` and `logTime` never go back; `apply` throws for nothing an
 * entry may hold.  Not here: stamping (stamper.ts), who waits for an outcome (room).
 */
import { DecodeError, isLogboomError } from "../base/errors.js";
import type { AppliedEntry, StateMachine } from "../runtime/state-machine.js";
import { type Command, decodeStamped, type Stamp } from "./command.js";
import type { Immutable, Machine } from "./machine.js";
import { decodeValue, encodeValue } from "./msgpack.js";
import { initialState, runCommand } from "./reducer.js";
import type { ClientId } from "./seed.js";
import {
  count,
  createSessions,
  loadSessions,
  type Outcome,
  type Sessions,
  tuple,
} from "./sessions.js";
import type { Value } from "./values.js";

/** What became of one entry. */
export type Applied =
  | {
      readonly kind: "done";
      readonly client: ClientId;
      readonly sequence: number;
      readonly result: Value | undefined;
      /** Its effect was that of an earlier entry. */
      readonly repeated: boolean;
    }
  | {
      readonly kind: "rejected";
      readonly client: ClientId;
      readonly sequence: number;
      readonly reason: string;
      readonly detail: Value | undefined;
      readonly repeated: boolean;
      /** With the reason `threw`, when it ran just now: what was thrown. Not replicated; for a console. */
      readonly cause: unknown;
    }
  /** Its session or its result is gone: not applied by this entry, nor by a later one (`SESSION_EXPIRED`). */
  | { readonly kind: "expired"; readonly client: ClientId; readonly sequence: number }
  /** Not a command: counted, otherwise without effect. */
  | { readonly kind: "malformed"; readonly error: DecodeError };

export interface Replica<S> extends StateMachine<Applied> {
  /** Deeply frozen, without prototypes; the same identity until it changes. */
  readonly state: Immutable<S>;
  /** Time stamped on the last command, made non-decreasing: milliseconds since 1970, 0 before the first. */
  readonly now: number;
  /** Time that leaders spent leading, as of the last command: for `Command.since` and `createStamper`. */
  readonly logTime: number;
  /** Entries that did not decode, since the room was founded. */
  readonly malformed: number;
  /** Outcome of an applied command, as long as its client may ask: until its `low` passes it or its session ends. */
  outcomeOf(client: ClientId, sequence: number): Outcome | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: commands and codes do not matter to the log.
export function createReplica<S>(machine: Machine<S, any, any>): Replica<S> {
  return new MachineReplica<S>(machine);
}

/** Everything that applying entries changes. */
interface Contents {
  readonly state: Value;
  readonly sessions: Sessions;
  readonly now: number;
  readonly logTime: number;
  readonly malformed: number;
}

const snapshotVersion = 1;
/** Snapshots are handed out in chunks of this size. */
const chunkBytes = 64 * 1024;

class MachineReplica<S> implements Replica<S> {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly #machine: Machine<S, any, any>;
  #contents: Contents;

  // biome-ignore lint/suspicious/noExplicitAny: as above.
  constructor(machine: Machine<S, any, any>) {
    this.#machine = machine;
    this.#contents = {
      state: initialState(machine),
      sessions: createSessions(),
      now: 0,
      logTime: 0,
      malformed: 0,
    };
  }

  get state(): Immutable<S> {
    return this.#contents.state as Immutable<S>;
  }

  get now(): number {
    return this.#contents.now;
  }

  get logTime(): number {
    return this.#contents.logTime;
  }

  get malformed(): number {
    return this.#contents.malformed;
  }

  outcomeOf(client: ClientId, sequence: number): Outcome | undefined {
    return this.#contents.sessions.outcomeOf(client, sequence);
  }

  apply(entry: AppliedEntry): Applied {
    try {
      const { stamp, command } = decodeStamped(entry.data);
      return this.#applyCommand(stamp, command);
    } catch (error) {
      if (!isDecodeError(error)) throw error;
      this.#contents = { ...this.#contents, malformed: this.#contents.malformed + 1 };
      return { kind: "malformed", error };
    }
  }

  #applyCommand(stamp: Stamp, command: Command): Applied {
    const { client, sequence } = command;
    const now = Math.max(this.#contents.now, stamp.now);
    const logTime = Math.max(this.#contents.logTime, stamp.logTime);
    const { sessions } = this.#contents;
    this.#contents = { ...this.#contents, now, logTime };
    const admission = sessions.admit(command, logTime);
    if (admission.kind === "expired") return { kind: "expired", client, sequence };
    if (admission.kind === "repeated") {
      const { outcome } = admission;
      return outcome.kind === "done"
        ? { ...outcome, client, sequence, repeated: true }
        : { ...outcome, client, sequence, repeated: true, cause: undefined };
    }
    return this.#run(command, now);
  }

  #run(command: Command, now: number): Applied {
    const { client, sequence, author, name, input } = command;
    const { state, sessions } = this.#contents;
    const ran = runCommand(this.#machine, state, {
      command: name,
      input,
      client,
      sequence,
      author,
      now,
    });
    if (ran.kind === "rejected") {
      const { reason, detail, cause } = ran;
      sessions.record(command, { kind: "rejected", reason, detail });
      return { kind: "rejected", client, sequence, reason, detail, repeated: false, cause };
    }
    const { result } = ran;
    this.#contents = { ...this.#contents, state: ran.state };
    sessions.record(command, { kind: "done", result });
    return { kind: "done", client, sequence, result, repeated: false };
  }

  /** Encoded at the call, so that what is applied while the chunks are read does not show in them. */
  snapshot(): Iterable<Uint8Array> {
    const { state, sessions, now, logTime, malformed } = this.#contents;
    const { name, version } = this.#machine;
    const body = encodeValue(
      [snapshotVersion, name, version, now, logTime, malformed, sessions.save(), state],
      "snapshot",
    );
    return chunksOf(body);
  }

  restore(body: Uint8Array): void {
    const [format, name, version, now, logTime, malformed, sessions, state] = tuple(
      decodeValue(body, "snapshot"),
      8,
      "snapshot",
    );
    if (format !== snapshotVersion) throw new DecodeError(`snapshot: format ${String(format)}`);
    if (name !== this.#machine.name) {
      throw new DecodeError(`snapshot: of machine ${String(name)}, not ${this.#machine.name}`);
    }
    count(version, "snapshot: version");
    if (typeof state !== "object" || state === null || state instanceof Uint8Array) {
      throw new DecodeError("snapshot: no state");
    }
    this.#contents = {
      state,
      sessions: loadSessions(sessions),
      now: count(now, "snapshot: now"),
      logTime: count(logTime, "snapshot: logTime"),
      malformed: count(malformed, "snapshot: malformed"),
    };
  }
}

function* chunksOf(body: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < body.length; at += chunkBytes) yield body.subarray(at, at + chunkBytes);
}

function isDecodeError(error: unknown): error is DecodeError {
  return isLogboomError(error) && error.code === "DECODE";
}
