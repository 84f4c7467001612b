/** What peers say beside Raft: read back as written, and refused by name when it is something else. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLogboomError } from "../../lib/base/errors.js";
import { encodeValue } from "../../lib/machines/msgpack.js";
import { type Control, decodeControl, encodeControl } from "../../lib/room/control.js";

const member = {
  id: 7,
  publicKey: new Uint8Array(32).fill(1),
  storeId: new Uint8Array(16).fill(2),
  name: "Kitchen tablet",
  author: "0011223344556677",
};
const messages: readonly Control[] = [
  { type: "hello", member, machine: "board", machineVersion: 3, adopted: true },
  { type: "commands", commands: [new Uint8Array([1, 2, 3]), new Uint8Array(0)] },
  { type: "bye" },
  { type: "removed" },
];

describe("control messages", () => {
  it.each(messages)("$type is read back as written", (message) => {
    expect(decodeControl(encodeControl(message))).toEqual(message);
  });

  it.each([
    ["an unknown type", { type: "reboot" }, /unknown type reboot/],
    ["no object", [1], /control message must be an object/],
    ["a hello without a member", { type: "hello" }, /member must be an object/],
    [
      "a version of zero",
      { ...messages[0], machineVersion: 0 },
      /machine version must be a safe integer of at least 1/,
    ],
    ["a command that is text", { type: "commands", commands: ["x"] }, /command must be bytes/],
    ["one command alone", { type: "commands", commands: new Uint8Array(1) }, /must be an array/],
    [
      "endless commands",
      { type: "commands", commands: Array.from({ length: 1025 }, () => new Uint8Array(1)) },
      /array of at most 1024/,
    ],
    [
      "an endless machine name",
      { ...messages[0], machine: "x".repeat(129) },
      /at most 128 characters/,
    ],
  ])("%s is refused by name", (_name, value, message) => {
    expect(() => decodeControl(encodeValue(value))).toThrow(message);
  });

  it("throws nothing but decode errors, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeControl(bytes);
        } catch (error) {
          expect(isLogboomError(error) && error.code).toBe("DECODE");
        }
      }),
    );
  });
});
