/** Runs a whole script of one of three kinds: a cluster's conversation, quorum arithmetic, or configuration changes. */
import { type Directive, runDataDriven, type ScriptOutcome } from "./datadriven.js";
import { Script, type ScriptOptions } from "./script.js";
import { runCommand } from "./script-commands.js";
import { confChangeScript } from "./script-confchange.js";
import { runQuorumDirective } from "./script-quorum.js";

export type ScriptKind = "interaction" | "quorum" | "confchange";
export const scriptKinds: readonly ScriptKind[] = ["interaction", "quorum", "confchange"];

/** @param options.record  run to the end and take the actual output down instead of comparing */
export function runScript(
  kind: ScriptKind,
  source: string,
  options: ScriptOptions & {
    readonly record?: boolean;
    readonly agrees?: (expected: string, actual: string) => boolean;
  } = {},
): ScriptOutcome {
  return runDataDriven(source, handlerFor(kind, options), options);
}

function handlerFor(kind: ScriptKind, options: ScriptOptions): (directive: Directive) => string {
  if (kind === "quorum") return runQuorumDirective;
  if (kind === "confchange") return confChangeScript();
  const script = new Script(options);
  return (directive) => runCommand(script, directive);
}
