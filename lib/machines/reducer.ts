/**
 * Reducer: one command run on one state.
 *
 * A pure function of machine, state and call: the same on every replica, in the optimistic run and in every replay. The command
 * writes to a draft; what it leaves is tamed and becomes the next state, or nothing at all when it was rejected. A command that
 * throws is rejected too, with the reason `threw`: a defect met by every replica alike must not stop them all. The error's text
 * is the engine's own and never replicated; it is in `cause`, for the console of whoever looks.
 *
 * Invariant: a rejection leaves the state's identity.  Not here: sessions (sessions.ts), validation of inputs (input.ts).
 */
import { openDraft } from "./draft.js";
import type { AnyMachine, Ctx } from "./machine.js";
import { runPurely } from "./purity.js";
import { type ClientId, drawsOf } from "./seed.js";
import { type Drafts, tame, type Value } from "./values.js";

/** Upper bound of what a command may return, and of `detail` in `ctx.reject`: both are kept for retries. */
export const resultBytesMax: number = 64 * 1024;
const resultBounds = { bytesMax: resultBytesMax };

/** One call, as it was proposed. */
export interface CommandCall {
  readonly command: string;
  /** A tame value, or undefined for a command without input. */
  readonly input: Value | undefined;
  readonly client: ClientId;
  readonly sequence: number;
  readonly author: string;
  /** Milliseconds since 1970, as stamped. */
  readonly now: number;
}

export type Ran =
  | { readonly kind: "done"; readonly state: Value; readonly result: Value | undefined }
  | {
      readonly kind: "rejected";
      readonly reason: string;
      readonly detail: Value | undefined;
      /** What was thrown when the reason is `threw`: for people, not replicated. */
      readonly cause: unknown;
    };

type Run = (state: unknown, input: unknown, ctx: Ctx<string>) => unknown;

/** @param state  tame, as `initialState` or an earlier run gave it */
export function runCommand(machine: AnyMachine, state: Value, call: CommandCall): Ran {
  const run = findCommand(machine, call.command);
  if (run === undefined) return rejected("unknown-command");
  const desk = createDesk(machine, call);
  const drafting = openDraft(state as object);
  try {
    const returned = runPurely(() => run(drafting.draft, call.input, desk.ctx));
    const result = takeResult(call.command, returned, drafting);
    const next = tame(drafting.draft, `the state after ${call.command}`, { drafts: drafting });
    // A command that caught its own rejection stays rejected: `reject` promises that nothing happens.
    if (desk.rejection() !== undefined) return desk.rejection() as Ran;
    return { kind: "done", state: next, result };
  } catch (cause) {
    return desk.rejection() ?? rejected("threw", undefined, cause);
  } finally {
    drafting.close();
    desk.close();
  }
}

/** The state of a new room. */
export function initialState(machine: AnyMachine): Value {
  const state: unknown = runPurely(() => machine.initial());
  return tame(state, "initial()");
}

/** Own properties only: `toString` is no command. */
export function findCommand(machine: AnyMachine, name: string): Run | undefined {
  const commands = machine.commands as Readonly<Record<string, Run | { run: Run }>>;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined || typeof command === "function") return command;
  return (state, input, ctx) => command.run(state, input, ctx);
}

/** What a command gets as `ctx`, and what came of it. */
interface Desk {
  readonly ctx: Ctx<string>;
  rejection(): Ran | undefined;
  /** From here on `ctx` refuses: something kept it beyond the command. */
  close(): void;
}

function createDesk(machine: AnyMachine, call: CommandCall): Desk {
  const draws = drawsOf(call.client, call.sequence);
  let rejection: Ran | undefined;
  let open = true;
  const whileOpen = (what: string): void => {
    if (!open) throw new Error(`ctx.${what} of ${call.command} was used after the command ended`);
  };
  const ctx: Ctx<string> = {
    now: call.now,
    author: call.author,
    id() {
      whileOpen("id()");
      return draws.id();
    },
    random() {
      whileOpen("random()");
      return draws.random();
    },
    reject(code, detail) {
      whileOpen("reject()");
      if (!machine.rejects.includes(code)) {
        throw new Error(`ctx.reject("${String(code)}"): the code is not in the machine's rejects`);
      }
      const kept =
        detail === undefined ? undefined : tame(detail, `detail of "${code}"`, resultBounds);
      rejection ??= rejected(code, kept);
      throw new Error(`rejected: ${code}`);
    },
  };
  return {
    ctx: Object.freeze(ctx),
    rejection: () => rejection,
    close() {
      open = false;
    },
  };
}

function rejected(reason: string, detail?: Value, cause?: unknown): Ran {
  return { kind: "rejected", reason, detail, cause };
}

function takeResult(command: string, returned: unknown, drafts: Drafts): Value | undefined {
  if (returned === undefined) return undefined;
  if (isThenable(returned)) {
    // Nobody waits for it, so nobody would handle its failure either.
    Promise.resolve(returned).catch(() => {});
    throw new Error(`${command} returned a promise: a command runs at once and cannot wait`);
  }
  return tame(returned, `the result of ${command}`, { ...resultBounds, drafts });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as { then?: unknown }).then === "function"
  );
}
