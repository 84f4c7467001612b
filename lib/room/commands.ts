/**
 * Commands: this handle's calls whose end is not yet known.
 *
 * A call gets its number when it is first sent, and is sent again under that number after every change of leader, for as long as
 * its end is open; sessions apply it once all the same (dissertation §6.3). A call never times out by itself.
 *
 * Invariant: a call is settled once, by what the log says, by its signal or by closing.  Not here: how a command travels.
 */
import { LogboomError } from "../base/errors.js";
import { type Client, createClient } from "../machines/client.js";
import { encodeCommand, unfinishedMax } from "../machines/command.js";
import { Rejected } from "../machines/machine.js";
import type { Applied } from "../machines/replica.js";
import type { ClientId } from "../machines/seed.js";
import type { Outcome } from "../machines/sessions.js";
import type { Value } from "../machines/values.js";

/** Calls of one handle that may wait at a time. */
export const waitingMax = 10_000;

export interface CommandsOptions {
  /** New for every handle; never shared by two. */
  readonly client: ClientId;
  readonly author: string;
  readonly machineVersion: number;
  /** Log time as far as this page's peer has applied; undefined while it does not know the room's state. */
  logTime(): number | undefined;
  /** Puts an encoded command on its way to the leader; false when there is no way now. */
  send(command: Uint8Array): boolean;
  /** A command of this handle was rejected by the machine. */
  rejected(event: { command: string; input: unknown; reason: string }): void;
}

interface Call {
  readonly command: string;
  readonly input: Value | undefined;
  /** Set when it is first sent. */
  sequence: number | undefined;
  bytes: Uint8Array | undefined;
  resolve(result: unknown): void;
  reject(error: LogboomError): void;
}

export class Commands {
  readonly #options: CommandsOptions;
  readonly #calls = new Set<Call>();
  readonly #numbered = new Map<number, Call>();
  #client: Client | undefined;
  /** The last number given. */
  #last = 0;
  #closed: LogboomError | undefined;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /** @param input  a tame value, as `validateInput` gives it: the caller's own object is not touched again */
  call(command: string, input: Value | undefined, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) throw this.#closed;
      if (signal?.aborted === true) throw aborted("none", signal);
      if (this.#calls.size >= waitingMax) throw tooMany();
      const call: Call = { command, input, sequence: undefined, bytes: undefined, resolve, reject };
      this.#calls.add(call);
      signal?.addEventListener("abort", () => this.#abort(call, signal), { once: true });
      this.#send(call);
    });
  }

  /** What an applied entry says of a call of this client. */
  applied(applied: Exclude<Applied, { kind: "malformed" }>): void {
    const call = this.#numbered.get(applied.sequence);
    if (call === undefined) return;
    if (applied.kind === "expired") this.#fail(call, expired(call.command));
    else this.#settle(call, applied, applied.kind === "rejected" ? applied.cause : undefined);
  }

  /** After a snapshot took the place of entries: `outcomeOf` is what the sessions know. */
  restored(outcomeOf: (sequence: number) => Outcome | undefined): void {
    for (const [sequence, call] of [...this.#numbered]) {
      const outcome = outcomeOf(sequence);
      if (outcome !== undefined) this.#settle(call, outcome);
    }
  }

  /** Sends everything again, in order: there is a new leader, or a new way to it. */
  resend(): void {
    for (const call of this.#calls) if (!this.#send(call)) return;
  }

  /** Ends all calls and refuses new ones. */
  close(error: LogboomError): void {
    this.#closed = error;
    for (const call of [...this.#calls]) this.#fail(call, error);
  }

  /** False when nothing can be sent now. */
  #send(call: Call): boolean {
    call.bytes ??= this.#number(call);
    return call.bytes !== undefined && this.#options.send(call.bytes);
  }

  /** Gives the call its number, if the room's state is known and the session takes one more. */
  #number(call: Call): Uint8Array | undefined {
    const { client: id, author, machineVersion } = this.#options;
    const logTime = this.#options.logTime();
    if (logTime === undefined) return undefined;
    this.#client ??= createClient(id, logTime);
    const client = this.#client;
    // Half of what the session would take: the numbers between the oldest open call and this one.
    if (this.#last >= client.low() + unfinishedMax / 2 - 1) return undefined;
    const sequence = client.begin();
    this.#last = sequence;
    call.sequence = sequence;
    this.#numbered.set(sequence, call);
    const { command: name, input } = call;
    const { since } = client;
    const low = client.low();
    return encodeCommand({ client: id, sequence, low, since, author, machineVersion, name, input });
  }

  #settle(call: Call, outcome: Outcome, cause?: unknown): void {
    this.#end(call);
    if (outcome.kind === "done") {
      call.resolve(outcome.result);
    } else {
      const { command, input } = call;
      this.#options.rejected({ command, input, reason: outcome.reason });
      call.reject(new Rejected(outcome.reason, { command, detail: outcome.detail, cause }));
    }
    this.#sendUnnumbered();
  }

  #abort(call: Call, signal: AbortSignal): void {
    if (this.#calls.has(call)) {
      this.#fail(call, aborted(call.sequence === undefined ? "none" : "unknown", signal));
    }
  }

  #fail(call: Call, error: LogboomError): void {
    this.#end(call);
    call.reject(error);
  }

  #end(call: Call): void {
    this.#calls.delete(call);
    if (call.sequence === undefined) return;
    this.#numbered.delete(call.sequence);
    this.#client?.finish(call.sequence);
  }

  /** A place in the session is free: whoever waits for one goes next. */
  #sendUnnumbered(): void {
    if (this.#numbered.size === this.#calls.size) return;
    for (const call of this.#calls) {
      if (call.bytes === undefined && !this.#send(call)) return;
    }
  }
}

function aborted(outcome: "none" | "unknown", signal: AbortSignal): LogboomError {
  const what =
    outcome === "none" ? "before it was sent" : "after it was sent: it may still be committed";
  return new LogboomError("ABORTED", `the call was aborted ${what}`, {
    outcome,
    cause: signal.reason,
  });
}

function expired(command: string): LogboomError {
  return new LogboomError(
    "SESSION_EXPIRED",
    `${command}: the room no longer knows this page's session, so it cannot tell whether the command was applied before`,
    { outcome: "unknown" },
  );
}

function tooMany(): LogboomError {
  return new LogboomError(
    "PROPOSAL_DROPPED",
    `${waitingMax} commands of this page wait already: wait until some of them are settled`,
  );
}
