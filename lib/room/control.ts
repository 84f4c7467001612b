/**
 * Control: what peers of a room tell each other beside Raft: who they are, commands on their way to the leader, goodbyes.
 *
 * All of it may be lost, repeated or late; nothing here changes state by itself. Commands are safe to repeat because sessions
 * apply each once.
 */
import { DecodeError } from "../base/errors.js";
import { commandBytesMax } from "../machines/command.js";
import { decodeValue, encodeValue } from "../machines/msgpack.js";
import { commandsMax } from "./command-batch.js";
import { type Member, plain, toMember } from "./members.js";
import { array, bytes, flag, integer, record, text } from "./shapes.js";

export type Control =
  /** First on every link, and again when something in it changed. */
  | {
      readonly type: "hello";
      readonly member: Member;
      readonly machine: string;
      readonly machineVersion: number;
      readonly adopted: boolean;
    }
  /** Commands for the leader to stamp and propose together, in this order. */
  | { readonly type: "commands"; readonly commands: readonly Uint8Array[] }
  /** The sender's page is going away. A hint: nothing relies on its arrival. */
  | { readonly type: "bye" }
  /** The receiver's id was removed from the room: it must come back under a new one. */
  | { readonly type: "removed" };

export function encodeControl(control: Control): Uint8Array {
  if (control.type === "hello") return encodeValue({ ...control, member: plain(control.member) });
  if (control.type === "commands") {
    return encodeValue({ ...control, commands: [...control.commands] });
  }
  return encodeValue({ ...control });
}

/** @throws DecodeError */
export function decodeControl(body: Uint8Array): Control {
  const fields = record(decodeValue(body), "control message");
  switch (fields["type"]) {
    case "hello":
      return {
        type: "hello",
        member: toMember(fields["member"]),
        machine: text(fields["machine"], "machine name", 128),
        machineVersion: integer(fields["machineVersion"], "machine version", 1),
        adopted: flag(fields["adopted"], "adopted"),
      };
    case "commands":
      return {
        type: "commands",
        commands: array(fields["commands"], "commands", commandsMax).map((command) =>
          bytes(command, "command", undefined, commandBytesMax),
        ),
      };
    case "bye":
      return { type: "bye" };
    case "removed":
      return { type: "removed" };
    default:
      throw new DecodeError(
        `control message of unknown type ${String(fields["type"]).slice(0, 40)}`,
      );
  }
}
