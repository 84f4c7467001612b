/**
 * A decoder of hostile bytes keeps at most 256 B per number or field read, and the input once.
 *
 * Each row is the shortest field that makes the decoder build the most, 50 000 times over. Measured is the heap after a forced
 * collection, while the result is held.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { decodeMessage, decodeMessages } from "../../lib/codec/raftpb.js";
import { decodeConfState, decodeEntry } from "../../lib/codec/raftpb-log.js";
import { bytesOf } from "./records.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function held(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const bytesPerField = 256;
const times = 50_000;
/** What the runtime may keep for itself between two measurements: less than a hundredth of the smallest bound below. */
const noise = 100_000;

const rows: [string, (bytes: Uint8Array) => unknown, string, number, string][] = [
  ["empty entries", decodeMessage, "3a00", 1, "0803"],
  ["entries of a byte", decodeMessage, "3a03 220161", 2, "0803"],
  ["entries with an unknown field", decodeMessage, "3a02 2807", 2, "0803"],
  [
    "entries with unknown fields around a known one",
    decodeMessage,
    "3a06 2807 1001 2807",
    4,
    "0803",
  ],
  ["shortest messages", decodeMessages, "02 0808", 1, ""],
  ["messages with an empty snapshot", decodeMessages, "04 0808 4a00", 2, ""],
  ["messages with a snapshot", decodeMessages, "08 0808 4a04 1202 1001", 4, ""],
  ["messages with a context", decodeMessages, "05 0808 620161", 2, ""],
  ["unknown fields", decodeEntry, "2807 1001", 2, ""],
  ["fields without end that say nothing", decodeConfState, "2800", 1, ""],
];
test.each(rows)("%s", (_, decode, repeated, fields, first) => {
  const once = bytesOf(repeated);
  const head = bytesOf(first);
  const input = new Uint8Array(head.length + once.length * times);
  input.set(head);
  for (let i = 0; i < times; i++) input.set(once, head.length + i * once.length);
  decode(input.subarray(0, head.length + once.length * 10));

  const before = held();
  const result = decode(input);
  const kept = held() - before;
  expect(result).toBeDefined();
  expect(kept).toBeLessThan(fields * times * bytesPerField + input.length + noise);
});

test("a length that promises more than there is builds nothing", () => {
  const before = held();
  expect(() => decodeMessage(bytesOf("0803 3a ffffffff07 22 ffffffff07"))).toThrow();
  expect(held() - before).toBeLessThan(noise);
});
