/**
 * Machine: what a user writes, a state and the commands that change it, typed end to end.
 *
 * `defineMachine` is called with everything inferred: the state from `initial`, inputs from schemas or from the annotation in a
 * short command, results from what commands return, reject codes from `rejects`. The type parameter `C` collects the commands
 * as written; `I`, a reverse-mapped one, only lends `state`, `input` and `ctx` their contextual types. The long form's method
 * is `run`: called `apply`, its contextual type would merge with `Function.prototype.apply`. (tests/types holds the cases.)
 *
 * Not here: running a command (reducer.ts), validating inputs (input.ts).
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { equalBytes } from "../base/bytes.js";
import { isLogboomError, LogboomError } from "../base/errors.js";
import { encodeValue } from "./msgpack.js";
import { runPurely } from "./purity.js";
import { tame } from "./values.js";

/** What a command gets beside state and input; the same on every replica. Its methods may be taken out of it. */
export interface Ctx<J extends string> {
  /** Milliseconds since 1970 as the leader stamped them; never goes back from one command to the next. For display. */
  readonly now: number;
  /** Who called: one id per profile and room. */
  readonly author: string;
  /** A new id of 20 lower-case letters and digits, unique in the room; the same in the optimistic and the committed run. */
  id(): string;
  /** A number in [0, 1); the same in the optimistic and the committed run. Not for secrets: every peer can compute it. */
  random(): number;
  /** Ends the command without effect; the caller's promise rejects with `Rejected`. `detail` is a value, at most 64 KiB. */
  reject(code: J, detail?: unknown): never;
}

/** What a command may return: a value, or nothing. A promise does not compile. */
export type Result =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  // biome-ignore lint/suspicious/noConfusingVoidType: a command without `return` returns void.
  | void
  | (object & { then?: never });

/** Bivariant in `input`, as methods are, so that a short command may annotate its own. */
type Method<S, J extends string, I> = { m(state: S, input: I, ctx: Ctx<J>): Result }["m"];

/** The short form is a function; the long form has a schema, which runs before the command is proposed and never on replicas. */
export type Command<S, J extends string, I> =
  | Method<S, J, I>
  | {
      // biome-ignore lint/suspicious/noExplicitAny: the schema's own input type is read by `Do`.
      readonly input: StandardSchemaV1<any, I>;
      run(state: S, input: I, ctx: Ctx<J>): Result;
    };

/** A checked definition. Frozen. */
export interface Machine<S, C, J extends string> {
  readonly name: string;
  readonly version: number;
  readonly commands: C;
  readonly rejects: readonly J[];
  initial(): S;
}

// biome-ignore lint/suspicious/noExplicitAny: any machine, its types not looked at.
export type AnyMachine = Machine<any, any, any>;

export interface CallOptions {
  /** Aborts the call: it rejects with `ABORTED`, and the outcome says whether the command may still take effect. */
  readonly signal?: AbortSignal;
}

/** A command as its caller sees it; one without input may be called without arguments. */
// biome-ignore lint/suspicious/noConfusingVoidType: what an absent parameter is inferred as.
export type Call<I, R> = [I] extends [void]
  ? (input?: I, options?: CallOptions) => Promise<Settled<R>>
  : (input: I, options?: CallOptions) => Promise<Settled<R>>;

/** A command without `return` gives `void` to TypeScript 5 and `undefined` to 6: its caller sees `void` in both. */
// biome-ignore lint/suspicious/noConfusingVoidType: the type argument of a promise.
export type Settled<R> = [R] extends [never] ? never : [R] extends [void] ? void : R;

/** `room.do`: every command as an async function; its input is the schema's INPUT type. */
export type Do<C> = {
  readonly [K in keyof C]: C[K] extends {
    // biome-ignore lint/suspicious/noExplicitAny: only the inferred parts matter.
    input: StandardSchemaV1<infer I, any>;
    // biome-ignore lint/suspicious/noExplicitAny: only the inferred parts matter.
    run(...args: any[]): infer R;
  }
    ? Call<I, R>
    : C[K] extends (...args: infer A) => infer R
      ? // biome-ignore lint/suspicious/noExplicitAny: only the inferred parts matter.
        Call<A extends [any, infer I, ...any[]] ? I : void, R>
      : never;
};

/** `T` as it is read from a room: nothing in it can be written to. */
export type Immutable<T> = T extends
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | Uint8Array
  // biome-ignore lint/suspicious/noExplicitAny: any function.
  | ((...args: any[]) => unknown)
  ? T
  : T extends object
    ? { readonly [K in keyof T]: Immutable<T[K]> }
    : T;

/**
 * Reasons that are the library's and no machine's: the command threw (or returned or stored what is no value, or too much of
 * it), or the machine has no such command (the caller runs another version).
 */
const libraryReasons: readonly string[] = ["threw", "unknown-command"];

/** The machine refused a command, on every replica alike; it had no effect. Recognise it with `isRejected`. */
export class Rejected<J extends string = string> extends LogboomError {
  override readonly reason: J;
  /** What the command gave to `ctx.reject` beside the code. */
  readonly detail: unknown;

  constructor(reason: J, about: { command?: string; detail?: unknown; cause?: unknown } = {}) {
    const { command = "the command", detail, cause } = about;
    const why = cause instanceof Error ? ` (${cause.name}: ${cause.message})` : "";
    super("REJECTED", `${command} was rejected: ${reason}${why}`, { cause });
    this.name = "Rejected";
    this.reason = reason;
    this.detail = detail;
  }
}

/**
 * True for a rejection with one of `machine`'s own codes, by which `error.reason` is typed; without `machine`, for every
 * rejection, also one with a reason of the library (`threw`, `unknown-command`). By brand and code, so that it holds across
 * copies of this library.
 */
export function isRejected(error: unknown): error is Rejected;
export function isRejected<J extends string>(
  error: unknown,
  // biome-ignore lint/suspicious/noExplicitAny: only the codes matter.
  machine: Machine<any, any, J>,
): error is Rejected<J>;
export function isRejected(error: unknown, machine?: AnyMachine): boolean {
  if (!isLogboomError(error) || error.code !== "REJECTED") return false;
  const { reason } = error as Partial<Rejected>;
  if (typeof reason !== "string") return false;
  return machine === undefined || machine.rejects.includes(reason);
}

/**
 * Checks a machine and gives it back, typed and frozen.
 *
 * @param spec.name  1–64 letters, digits, `.`, `_`, `-`; names the machine in stored rooms, so it does not change
 * @param spec.version  1, 2, 3 …: raise it when commands or state change their meaning
 * @param spec.rejects  the codes `ctx.reject` may be called with; without them it can be called with none
 * @param spec.initial  the state of a new room: a plain object or an array, the same at every call
 * @param spec.commands  by name, each a function of (draft of the state, input, ctx) or `{ input: schema, run }`
 * @throws LogboomError `BAD_CONFIG`, naming the part and the rule
 */
export function defineMachine<S, I, C, const J extends string = never>(spec: {
  readonly name: string;
  readonly version: number;
  readonly rejects?: readonly J[];
  initial(): S;
  readonly commands: C & { readonly [K in keyof I]: Command<S, J, I[K]> };
}): Machine<S, C, J> {
  demand(isObject(spec), "defineMachine takes an object: { name, version, initial, commands }");
  checkName(spec.name);
  demand(
    Number.isSafeInteger(spec.version) && spec.version >= 1,
    `version must be 1, 2, 3 …, got ${show(spec.version)}`,
  );
  const rejects: readonly J[] = checkRejects(spec.rejects ?? []);
  const commands = checkCommands(spec.commands);
  demand(
    typeof spec.initial === "function",
    "initial must be a function that gives the first state",
  );
  const initial = (): S => spec.initial();
  checkInitial(initial);
  return Object.freeze({
    name: spec.name,
    version: spec.version,
    rejects,
    commands: commands as C,
    initial,
  });
}

function demand(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new LogboomError("BAD_CONFIG", rule);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function checkName(name: unknown): void {
  demand(
    typeof name === "string" && /^[\w.-]{1,64}$/.test(name),
    `name must be 1 to 64 letters, digits, ".", "_" or "-", got ${show(name)}`,
  );
}

function checkRejects<J extends string>(rejects: readonly J[]): readonly J[] {
  demand(Array.isArray(rejects), "rejects must be an array of codes");
  for (const [i, code] of rejects.entries()) {
    demand(
      typeof code === "string" && code.length >= 1 && code.length <= 64,
      `rejects[${i}] must be a string of 1 to 64 characters, got ${show(code)}`,
    );
    demand(!libraryReasons.includes(code), `rejects[${i}]: "${code}" is the library's own reason`);
    demand(rejects.indexOf(code) === i, `rejects[${i}]: "${code}" is there twice`);
  }
  return Object.freeze([...rejects]);
}

/** Names that mean something on any object: `await room.do` would call a command named `then`. */
function isReservedName(name: string): boolean {
  return name === "then" || name in Object.prototype;
}

function checkCommands(commands: unknown): object {
  demand(isObject(commands) && !Array.isArray(commands), "commands must be an object of commands");
  const checked = Object.create(null) as Record<string, unknown>;
  for (const [name, command] of Object.entries(commands)) {
    demand(
      /^[A-Za-z_$][\w$]{0,63}$/.test(name) && !isReservedName(name),
      `commands: ${show(name)} cannot name a command (an identifier of at most 64 characters, not one like "then")`,
    );
    checkCommand(name, command);
    checked[name] = command;
  }
  return Object.freeze(checked);
}

function checkCommand(name: string, command: unknown): void {
  if (typeof command === "function") {
    checkSynchronous(name, command);
    return;
  }
  const { input, run } = (isObject(command) ? command : {}) as { input?: unknown; run?: unknown };
  demand(
    typeof run === "function",
    `commands.${name} must be a function or { input, run }, with a function run`,
  );
  checkSynchronous(name, run);
  const schema = (input as { "~standard"?: { validate?: unknown } } | null | undefined)?.[
    "~standard"
  ];
  demand(
    typeof schema?.validate === "function",
    `commands.${name}.input must be a Standard Schema (zod 3.24, valibot 1 or arktype 2 and later); without one use the short form, a function`,
  );
}

function checkSynchronous(name: string, run: { constructor: { name: string } }): void {
  const kind = run.constructor.name;
  demand(
    kind === "Function",
    `commands.${name} is an ${kind}: a command runs at once, on every replica, and cannot wait; await before calling room.do`,
  );
}

/** Run twice: a state that takes the time or a random number would differ between peers. */
function checkInitial(initial: () => unknown): void {
  const once = checkedInitial(initial);
  demand(
    equalBytes(once, checkedInitial(initial)),
    "initial() gave two different states: it must give the same on every peer, so no time and no randomness in it",
  );
}

function checkedInitial(initial: () => unknown): Uint8Array {
  let state: unknown;
  try {
    state = tame(runPurely(initial), "initial()");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LogboomError("BAD_CONFIG", `initial() failed: ${why}`, { cause });
  }
  demand(
    isObject(state) && !(state instanceof Uint8Array),
    `initial() must give a plain object or an array, got ${show(state)}`,
  );
  return encodeValue(state, "initial()");
}

/** For a message. (`String` throws for an object without prototype.) */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  return isObject(value) ? "an object" : String(value);
}
