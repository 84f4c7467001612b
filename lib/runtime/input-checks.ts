/** What callers may ask for at all, looked at before anything is begun. */
import { LogboomError } from "../base/errors.js";
import type { NodeId } from "../core/types.js";
import { type Configuration, memberIds } from "./members.js";

/** Commands proposed together. */
const batchMax = 4096;

/** @throws LogboomError `TOO_LARGE`, `BAD_INPUT` */
export function checkCommands(commands: readonly Uint8Array[], bytesMax: number): void {
  if (commands.length > batchMax) {
    const text = `at most ${batchMax} commands are proposed together, got ${commands.length}`;
    throw new LogboomError("TOO_LARGE", text);
  }
  for (const command of commands) checkCommand(command, bytesMax);
}

function checkCommand(command: Uint8Array, bytesMax: number): void {
  if (!(command instanceof Uint8Array) || command.length === 0) {
    throw new LogboomError("BAD_INPUT", "a command is a Uint8Array of at least one byte");
  }
  if (command.length <= bytesMax) return;
  const text = `the command takes ${command.length} bytes, at most ${bytesMax} are allowed`;
  throw new LogboomError("TOO_LARGE", text);
}

/** @param list  the part of the configuration that `id` must be in; default: any @throws LogboomError `BAD_INPUT` */
export function checkMember(
  { confState }: Configuration,
  id: NodeId,
  list?: "voters" | "learners",
): void {
  const known = list === undefined ? memberIds(confState).has(id) : confState[list].includes(id);
  if (known) return;
  const what = list === "voters" ? "voter" : list === "learners" ? "learner" : "member";
  throw new LogboomError("BAD_INPUT", `node ${id} is no ${what} of the configuration known here`);
}
