/**
 * Data-driven scripts: commands with their expected output beside them, in the format of cockroachdb/datadriven.
 *
 * ```
 * # comment
 * command arg key=value key=(v1, v2)
 * input lines
 * ----
 * expected output, up to a blank line          (or between double ---- lines, where the output has blank lines)
 * ```
 * Pure: text in, the first difference and the re-recorded text out.
 */
import { LogboomError } from "../base/errors.js";

export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Directive {
  readonly command: string;
  readonly args: readonly Argument[];
  /** Lines between the command and the ----, trimmed as a whole. */
  readonly input: string;
  /** Line number of the command, from 1. */
  readonly line: number;
}

export interface Difference {
  readonly directive: Directive;
  readonly expected: string;
  readonly actual: string;
}

export interface ScriptOutcome {
  /** Directives that ran. */
  readonly ran: number;
  readonly difference: Difference | undefined;
  /** The script with the actual output in place of the expected. Complete only when re-recording. */
  readonly recorded: string;
}

/** One directive and the text it was read from. */
interface Step {
  readonly directive: Directive;
  readonly expected: string;
  /** Everything since the step before, up to and not including the first ----. */
  readonly source: readonly string[];
  readonly hasOutput: boolean;
}

/**
 * Runs `script` through `handle`. Stops at the first difference, since what follows depends on it, unless `record` is set.
 *
 * @param agrees  when to call two outputs equal; by default when they are
 * @throws LogboomError `BAD_INPUT` where the script itself is malformed
 */
export function runDataDriven(
  script: string,
  handle: (directive: Directive) => string,
  options: {
    readonly record?: boolean;
    readonly agrees?: (expected: string, actual: string) => boolean;
  } = {},
): ScriptOutcome {
  const agrees = options.agrees ?? ((expected, actual) => expected === actual);
  const reader = new Reader(script);
  const recorded: string[] = [];
  let ran = 0;
  for (let step = reader.next(); step !== undefined; step = reader.next()) {
    const actual = step.hasOutput ? withNewline(handle(step.directive)) : "";
    ran++;
    if (!options.record && !agrees(step.expected, actual)) {
      const { directive, expected } = step;
      return { ran, difference: { directive, expected, actual }, recorded: script };
    }
    recorded.push(...step.source);
    if (step.hasOutput) recorded.push(...recordOutput(actual));
  }
  recorded.push(...reader.rest());
  while (recorded[recorded.length - 1] === "") recorded.pop();
  return { ran, difference: undefined, recorded: `${recorded.join("\n")}\n` };
}

function withNewline(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function recordOutput(output: string): string[] {
  const lines = output === "" ? [] : output.slice(0, -1).split("\n");
  const double = lines.some((line) => line.trim() === "");
  return double ? ["----", "----", ...lines, "----", "----", ""] : ["----", ...lines, ""];
}

class Reader {
  readonly #lines: readonly string[];
  #at = 0;

  constructor(script: string) {
    const lines = script.split("\n");
    if (lines[lines.length - 1] === "") lines.pop();
    this.#lines = lines;
  }

  rest(): readonly string[] {
    return this.#lines.slice(this.#at);
  }

  next(): Step | undefined {
    const begin = this.#at;
    for (;;) {
      const line = this.#at + 1;
      const text = this.#command();
      if (text === undefined) {
        this.#at = begin;
        return undefined;
      }
      const { command, args } = parseDirective(text, line);
      if (command === "") continue;
      if (command === "subtest") {
        const directive = { command, args, input: "", line };
        const source = this.#lines.slice(begin, this.#at);
        return { directive, expected: "", source, hasOutput: false };
      }
      const { input, separated } = this.#input();
      const source = this.#lines.slice(begin, separated ? this.#at - 1 : this.#at);
      const expected = separated ? this.#expectation() : "";
      const directive = { command, args, input, line };
      return { directive, expected, source, hasOutput: true };
    }
  }

  /** The next line that is no comment, with its continuations. */
  #command(): string | undefined {
    for (let raw = this.#lines[this.#at++]; raw !== undefined; raw = this.#lines[this.#at++]) {
      let text = raw.trim();
      if (text.startsWith("#")) continue;
      while (text.endsWith("\\") && this.#at < this.#lines.length) {
        text = `${text.slice(0, -1)} ${(this.#lines[this.#at++] as string).trim()}`;
      }
      return text;
    }
    return undefined;
  }

  #input(): { readonly input: string; readonly separated: boolean } {
    const lines: string[] = [];
    while (this.#at < this.#lines.length) {
      const line = this.#lines[this.#at++] as string;
      if (line === "----") return { input: lines.join("\n").trim(), separated: true };
      lines.push(line);
    }
    return { input: lines.join("\n").trim(), separated: false };
  }

  #expectation(): string {
    if (this.#lines[this.#at] !== "----") return this.#until((line) => line.trim() === "");
    this.#at++;
    const text = this.#until((line, at) => line === "----" && this.#lines[at + 1] === "----");
    const closed = this.#lines[this.#at] === "----";
    const after = this.#lines[this.#at + 1];
    if (!closed || (after !== undefined && after !== "")) {
      throw malformed(this.#at, "a double ---- must be closed by another and a blank line");
    }
    this.#at += 2;
    return text;
  }

  /** The lines before the first that is the `end`, which is skipped. */
  #until(end: (line: string, at: number) => boolean): string {
    let text = "";
    while (this.#at < this.#lines.length) {
      const line = this.#lines[this.#at] as string;
      const at = this.#at++;
      if (end(line, at)) break;
      text += `${line}\n`;
    }
    return text;
  }
}

function malformed(line: number, rule: string): LogboomError {
  return new LogboomError("BAD_INPUT", `line ${line}: ${rule}`);
}

function parseDirective(
  text: string,
  line: number,
): { readonly command: string; readonly args: readonly Argument[] } {
  const end = text.indexOf(" ");
  const command = end < 0 ? text : text.slice(0, end);
  const args: Argument[] = [];
  let rest = end < 0 ? "" : text.slice(end).trim();
  while (rest !== "") {
    const keyEnd = rest.search(/[ =]/);
    const key = keyEnd < 0 ? rest : rest.slice(0, keyEnd);
    if (key === "") throw malformed(line, "an argument without a name");
    rest = keyEnd < 0 ? "" : rest.slice(keyEnd);
    if (!rest.startsWith("=")) {
      args.push({ key, values: [] });
    } else {
      const parsed = parseValue(rest.slice(1), line);
      args.push({ key, values: parsed.values });
      rest = parsed.rest;
    }
    rest = rest.trim();
  }
  return { command, args };
}

function parseValue(
  text: string,
  line: number,
): { readonly values: readonly string[]; readonly rest: string } {
  if (text.startsWith("(")) return parseList(text, line);
  const end = text.indexOf(" ");
  return end < 0
    ? { values: [text], rest: "" }
    : { values: [text.slice(0, end)], rest: text.slice(end) };
}

function parseList(
  text: string,
  line: number,
): { readonly values: readonly string[]; readonly rest: string } {
  const values: string[] = [];
  let value = "";
  let depth = 1;
  for (let at = 1; at < text.length; at++) {
    const character = text[at] as string;
    if (character === "(") depth++;
    else if (character === ")" && --depth === 0) {
      values.push(value);
      return { values, rest: text.slice(at + 1) };
    } else if (character === "," && depth === 1) {
      values.push(value);
      value = "";
      while (text[at + 1] === " ") at++;
      continue;
    }
    value += character;
  }
  throw malformed(line, "a list without its closing parenthesis");
}

/** The values of `key`; undefined if it is not given. */
export function argumentsOf(directive: Directive, key: string): readonly string[] | undefined {
  return directive.args.find((arg) => arg.key === key)?.values;
}

/** The one value of `key`. */
export function argumentOf(directive: Directive, key: string): string | undefined {
  return argumentsOf(directive, key)?.[0];
}

export function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) {
    throw new ScriptError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}

export function parseBoolean(text: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw new ScriptError(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** A command failed; its message is part of the output. */
export class ScriptError extends Error {}
