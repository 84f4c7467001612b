/** Commands on the wire, their stamps, how a client numbers them, and how a leader stamps them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError, LogboomError } from "../../lib/base/errors.js";
import { createClient } from "../../lib/machines/client.js";
import {
  type Command,
  decodeCommand,
  decodeStamped,
  encodeCommand,
  stamp,
} from "../../lib/machines/command.js";
import { encodeValue } from "../../lib/machines/msgpack.js";
import { clientId } from "../../lib/machines/seed.js";
import { createStamper } from "../../lib/machines/stamper.js";
import { tame } from "../../lib/machines/values.js";
import { anyValue, spell } from "./arbitrary-value.js";

const client = clientId(Uint8Array.from({ length: 16 }, (_, i) => i));
const command: Command = {
  client,
  sequence: 5,
  low: 2,
  since: 7,
  author: "ann",
  machineVersion: 1,
  name: "addCard",
  input: tame({ title: "A" }, "input"),
};

function put(bytes: Uint8Array, at: number, byte: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = byte;
  return changed;
}

describe("a command", () => {
  test("comes back as it was, whatever its input, and with none", () => {
    fc.assert(
      fc.property(fc.option(anyValue, { nil: undefined }), (value) => {
        const input = value === undefined ? undefined : tame(value, "input");
        const decoded = decodeCommand(encodeCommand({ ...command, input }));
        expect(spell(decoded.input)).toBe(spell(input));
        expect({ ...decoded, input: 0 }).toEqual({ ...command, input: 0 });
      }),
    );
  });
  test("with an input of 64 levels", () => {
    let deep: unknown = 1;
    for (let i = 0; i < 64; i++) deep = [deep];
    const input = tame(deep, "input");
    expect(spell(decodeCommand(encodeCommand({ ...command, input })).input)).toBe(spell(input));
  });

  const broken: [string, Partial<Record<keyof Command, unknown>>, string][] = [
    ["a short client", { client: "00" }, "client must be 16 bytes"],
    ["sequence 0", { sequence: 0, low: 0 }, "sequence must be"],
    ["half a sequence", { sequence: 1.5, low: 1 }, "sequence must be"],
    ["low 0", { low: 0 }, "low must be from 1 to sequence"],
    ["low above sequence", { low: 6 }, "low must be from 1 to sequence"],
    ["1024 unfinished", { sequence: 1025, low: 1 }, "below low + 1024"],
    ["since below 0", { since: -1 }, "since must be"],
    ["no author", { author: "" }, "author must be 1 to 128"],
    ["a long author", { author: "x".repeat(129) }, "author must be 1 to 128"],
    ["version 0", { machineVersion: 0 }, "machineVersion must be"],
    ["no name", { name: "" }, "name must be 1 to 64"],
    ["a name that is a number", { name: 1 }, "name must be 1 to 64"],
  ];
  test.each(broken)("is neither written nor read with %s", (_name, part, message) => {
    const wrong = { ...command, ...part } as Command;
    expect(() => encodeCommand(wrong)).toThrow(LogboomError);
    expect(() => encodeCommand(wrong)).toThrow(message);
    const bytes = wrong.client === "00" ? new Uint8Array(1) : new Uint8Array(16);
    const { sequence, low, since, author, machineVersion, name } = wrong;
    const forged = encodeValue([bytes, sequence, low, since, author, machineVersion, name]);
    expect(() => decodeCommand(forged)).toThrow(DecodeError);
    expect(() => decodeCommand(forged)).toThrow(message);
  });
  test("is neither written nor read above 1 MiB", () => {
    const input = tame("x".repeat(1024 * 1024), "input");
    expect(() => encodeCommand({ ...command, input })).toThrow("addCard: the command takes 1048");
    expect(() => decodeCommand(new Uint8Array(1024 * 1024 + 1))).toThrow(DecodeError);
  });
  test.each<[string, unknown]>([
    ["no array", {}],
    ["six fields", [1, 2, 3, 4, 5, 6]],
    ["nine fields", [1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ["fields of other kinds", [null, null, null, null, null, null, null]],
  ])("is not read from %s", (_name, value) => {
    expect(() => decodeCommand(encodeValue(value))).toThrow(DecodeError);
  });
});

describe("a stamped command", () => {
  const entry = stamp(encodeCommand(command), { now: 2 ** 52, logTime: 9 });
  test("comes back with its stamp", () => {
    const decoded = decodeStamped(entry);
    expect(decoded.stamp).toEqual({ now: 2 ** 52, logTime: 9 });
    expect(spell(decoded.command)).toBe(spell(command));
  });
  test.each([0.5, -1, Number.NaN, 2 ** 53])("is not written at %s", (now) => {
    expect(() => stamp(new Uint8Array(), { now, logTime: 0 })).toThrow(
      "now and logTime must be safe integers",
    );
  });
  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ["nothing", () => new Uint8Array()],
    ["half a header", (bytes) => bytes.subarray(0, 16)],
    ["another kind", (bytes) => put(bytes, 0, 2)],
    ["a time beyond 2^53", (bytes) => put(bytes, 1, 255)],
    ["a cut command", (bytes) => bytes.subarray(0, bytes.length - 1)],
    ["trailing bytes", (bytes) => Uint8Array.of(...bytes, 0)],
  ])("is not read from %s", (_name, damage) => {
    expect(() => decodeStamped(damage(entry))).toThrow(DecodeError);
  });
  test("whatever is done to it, only DecodeError comes of it", () => {
    fc.assert(
      fc.property(fc.nat({ max: entry.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
        try {
          decodeStamped(put(entry, at, byte));
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a client", () => {
  test("numbers its commands from 1, and says which is the lowest unfinished", () => {
    const numbers = createClient(client, 0);
    expect([numbers.begin(), numbers.begin(), numbers.begin(), numbers.low()]).toEqual([
      1, 2, 3, 1,
    ]);
    numbers.finish(2);
    expect(numbers.low()).toBe(1);
    numbers.finish(1);
    expect(numbers.low()).toBe(3);
    numbers.finish(3);
    expect(numbers.low()).toBe(4);
    expect(numbers.begin()).toBe(4);
  });
  test("refuses what the format would: 1024 from the lowest unfinished on", () => {
    const numbers = createClient(client, 0);
    for (let i = 1; i <= 1024; i++) expect(numbers.begin()).toBe(i);
    expect(() => encodeCommand({ ...command, sequence: 1024, low: numbers.low() })).not.toThrow();
    expect(() => numbers.begin()).toThrow("more than 1024 commands are unfinished");
    numbers.finish(500);
    expect(() => numbers.begin()).toThrow("unfinished");
    numbers.finish(1);
    expect(numbers.begin()).toBe(1025);
  });
});

describe("a stamper", () => {
  test("goes on from the log's time by the monotonic clock, and takes now from the wall clock", () => {
    const clock = { monotonic: 500.9, wallTime: 1e12 + 0.5 };
    const stampNow = createStamper(
      {
        now: () => clock.monotonic,
        wall: () => clock.wallTime,
        after: () => () => {},
        every: () => () => {},
      },
      7000,
    );
    expect(stampNow()).toEqual({ now: 1e12, logTime: 7000 });
    clock.monotonic += 250.4;
    clock.wallTime = 5;
    expect(stampNow()).toEqual({ now: 5, logTime: 7250 });
    clock.wallTime = -5;
    expect(stampNow().now).toBe(0);
  });
});
