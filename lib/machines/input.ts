/**
 * Input: what a caller passed, checked before anything is proposed.
 *
 * Schemas run here alone, never on replicas: two versions of a schema, or one that looks at the clock, would make replicas
 * differ. What a schema gives (defaults filled in, strings trimmed) is what is proposed.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { LogboomError } from "../base/errors.js";
import type { AnyMachine } from "./machine.js";
import { tame, type Value } from "./values.js";

/** Upper bound of an encoded input. */
export const inputBytesMax: number = 512 * 1024;
const issuesShown = 3;

/**
 * The value to propose for `input`: at once, or as a promise when the command's schema is asynchronous.
 *
 * @throws LogboomError `BAD_INPUT` naming command, path and rule (rejects with it when asynchronous); `TOO_LARGE`
 */
export function validateInput(
  machine: AnyMachine,
  command: string,
  input: unknown,
): Value | undefined | Promise<Value | undefined> {
  const commands = machine.commands as Readonly<Record<string, unknown>>;
  if (!Object.hasOwn(commands, command)) {
    const known = Object.keys(commands).join(", ");
    throw new LogboomError(
      "BAD_INPUT",
      `${machine.name} has no command ${command}; it has ${known}`,
    );
  }
  const schema = (commands[command] as { input?: StandardSchemaV1 }).input;
  if (typeof commands[command] === "function" || schema === undefined) return take(command, input);
  const answer = ask(command, () => schema["~standard"].validate(input));
  if (answer instanceof Promise) {
    return answer.then(
      (settled) => accept(command, settled),
      (cause: unknown) => failed(command, cause),
    );
  }
  return accept(command, answer);
}

type Answer = StandardSchemaV1.Result<unknown>;

function ask(command: string, validate: () => Answer | Promise<Answer>): Answer | Promise<Answer> {
  try {
    return validate();
  } catch (cause) {
    return failed(command, cause);
  }
}

function failed(command: string, cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new LogboomError("BAD_INPUT", `${command}: the schema failed: ${why}`, { cause });
}

function accept(command: string, answer: Answer): Value | undefined {
  if (answer.issues === undefined) return take(command, answer.value);
  const shown = answer.issues.slice(0, issuesShown).map(describeIssue);
  const more = answer.issues.length - shown.length;
  const rest = more > 0 ? `; and ${more} more` : "";
  throw new LogboomError("BAD_INPUT", `${command}: ${shown.join("; ")}${rest}`, {
    cause: answer.issues,
  });
}

function describeIssue(issue: StandardSchemaV1.Issue): string {
  const path = (issue.path ?? []).map((step) => String(typeof step === "object" ? step.key : step));
  return path.length === 0 ? issue.message : `input.${path.join(".")}: ${issue.message}`;
}

function take(command: string, input: unknown): Value | undefined {
  return input === undefined
    ? undefined
    : tame(input, `${command}: input`, { bytesMax: inputBytesMax });
}
