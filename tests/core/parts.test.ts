/** The small parts on their own: windows, quorums, term runs, reading positions, configuration bytes, traces. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { restoreMembership, simpleChange } from "../../lib/core/confchange.js";
import { decodeConfChange, encodeConfChange } from "../../lib/core/confchange-codec.js";
import { quote } from "../../lib/core/describe.js";
import { encodedBytes, makeEntry } from "../../lib/core/entries.js";
import { Inflights } from "../../lib/core/inflights.js";
import { committedIndex } from "../../lib/core/quorum.js";
import { decodePosition, encodePosition } from "../../lib/core/reads.js";
import { TermRuns } from "../../lib/core/term-runs.js";
import type { TraceEvent } from "../../lib/core/trace.js";
import { naiveCommittedIndex } from "../../lib/testing/script-quorum.js";
import { bytes, confStateOf } from "./cluster.js";
import { change, Solo } from "./solo.js";

describe("Inflights", () => {
  it("behaves as a queue would, through growth and wrapping", () => {
    const random = seededRandom(3);
    const window = new Inflights(40, 500);
    let queue: { index: number; size: number }[] = [];
    let next = 1;
    for (let step = 0; step < 5000; step++) {
      if (!window.full() && random.below(3) > 0) {
        const size = random.below(40);
        window.add(next, size);
        queue.push({ index: next, size });
        next += 1 + random.below(3);
      } else {
        const to = (queue[0]?.index ?? next) + random.below(12) - 1;
        window.freeTo(to);
        queue = queue.filter(({ index }) => index > to);
      }
      const total = queue.reduce((sum, { size }) => sum + size, 0);
      expect([window.count, window.bytes]).toEqual([queue.length, total]);
      expect(window.full()).toBe(queue.length >= 40 || total >= 500);
    }
  });

  it("refuses what does not fit: the caller must ask first", () => {
    const window = new Inflights(1, 10);
    window.add(1, 1);
    expect(() => window.add(2, 1)).toThrow(/full window/);
  });
});

describe("committedIndex", () => {
  it("is the naive one, for any majority, in any order", () => {
    const random = seededRandom(5);
    for (let run = 0; run < 2000; run++) {
      const acked = Array.from({ length: random.below(12) }, () => random.below(6));
      const ids = acked.map((_, at) => at);
      const of = (id: number): number => acked[id] ?? 0;
      expect(committedIndex(ids, of)).toBe(naiveCommittedIndex(ids, of));
    }
  });
});

describe("TermRuns", () => {
  it("finds what a walk down the log finds, through appends, truncations and compactions", () => {
    const random = seededRandom(9);
    let base = 0;
    let terms: number[] = [0];
    const runs = new TermRuns({ index: 0, term: 0 });
    for (let step = 0; step < 3000; step++) {
      const last = base + terms.length - 1;
      const choice = random.below(10);
      if (choice < 7) {
        const term = (terms.at(-1) as number) + (random.below(4) === 0 ? 1 : 0);
        terms.push(term);
        runs.append(last + 1, term);
      } else if (choice < 9) {
        const from = base + 1 + random.below(terms.length);
        runs.truncate(from);
        terms = terms.slice(0, from - base);
      } else {
        const to = base + random.below(terms.length);
        runs.compact(to);
        terms = terms.slice(to - base);
        base = to;
      }
      const at = base + random.below(terms.length);
      const term = random.below((terms.at(-1) as number) + 2);
      let walk = at;
      while (walk >= base && (terms[walk - base] as number) > term) walk--;
      const expected = walk < base ? undefined : { index: walk, term: terms[walk - base] };
      expect(runs.lastAtMost(at, term), `step ${step}`).toEqual(expected);
    }
  });
});

describe("a read's position", () => {
  it.each([0, 1, 255, 2 ** 32, 2 ** 53 - 1])(
    "%d is 8 bytes, little-endian, and back",
    (position) => {
      const context = encodePosition(position);
      expect(new DataView(context.buffer).getBigUint64(0, true)).toBe(BigInt(position));
      expect(decodePosition(context)).toBe(position);
    },
  );
});

describe("a simple change", () => {
  it("of two voters at once is refused: their majorities might not overlap", () => {
    const newcomers = { lastIndex: 1, makeInflights: () => new Inflights(1, 1) };
    const restored = restoreMembership(confStateOf([1, 2, 3]), newcomers);
    if (!restored.ok) throw new Error(restored.reason);
    const outcome = (steps: string) =>
      simpleChange(restored.membership, change(steps).changes, newcomers);
    expect(outcome("v4 v5")).toEqual({
      ok: false,
      reason: "more than one voter changed without entering joint config",
    });
    expect(outcome("v4 r3").ok).toBe(false);
    expect(outcome("v4 l5 l6").ok).toBe(true);
  });
});

describe("the bytes of a configuration change", () => {
  it.each([
    { name: "one step", conf: change("v4") },
    {
      name: "joint, with a context",
      conf: { ...change("v4 r3 l5 u1", "jointExplicit"), context: bytes("why") },
    },
    { name: "leaving", conf: change("") },
    { name: "a large id", conf: change(`v${2 ** 53 - 1}`) },
  ])("are read back: $name", ({ conf }) => {
    const entry = encodeConfChange(conf);
    expect(entry.type).toBe("EntryConfChangeV2");
    expect(decodeConfChange(entry)).toEqual(conf);
  });

  it.each([
    { name: "a number that never ends", data: Array(11).fill(255) },
    { name: "bytes past the end", data: [0x12, 9, 1] },
    { name: "an unknown kind", data: [0x12, 2, 0x08, 9] },
    { name: "an unknown transition", data: [0x08, 7] },
    { name: "an id above 2^53", data: [0x12, 9, 0x10, 255, 255, 255, 255, 255, 255, 255, 127] },
    { name: "field 0", data: [0x00, 0x00] },
  ])("that are none are a DecodeError: $name", ({ data }) => {
    const decode = () =>
      decodeConfChange({ type: "EntryConfChangeV2", data: Uint8Array.from(data) });
    expect(decode).toThrow(expect.objectContaining({ code: "DECODE" }));
  });
});

describe("an entry's encoded size", () => {
  it.each([
    { term: 1, index: 1, data: 0, expected: 4 },
    { term: 1, index: 1, data: 5, expected: 11 },
    { term: 128, index: 16384, data: 200, expected: 7 + 203 },
    { term: 1, index: 2 ** 53 - 1, data: 0, expected: 11 },
  ])(
    "of term $term, index $index and $data bytes is $expected",
    ({ term, index, data, expected }) => {
      expect(encodedBytes(makeEntry(term, index, "EntryNormal", new Uint8Array(data)))).toBe(
        expected,
      );
    },
  );
});

describe("quoted bytes", () => {
  it.each([
    { data: bytes('say "hi"\\\n\t\x07\x01'), expected: '"say \\"hi\\"\\\\\\n\\t\\a\\x01"' },
    { data: bytes("käse 日本 😀"), expected: '"käse 日本 😀"' },
    { data: Uint8Array.from([0xff, 0x61, 0xe6, 0x97]), expected: '"\\xffa\\xe6\\x97"' },
    { data: bytes("\u200b\u{e0001}\u00a0"), expected: '"\\u200b\\U000e0001\\u00a0"' },
    {
      data: Uint8Array.from([0xed, 0xa0, 0x80, 0xc0, 0x80]),
      expected: '"\\xed\\xa0\\x80\\xc0\\x80"',
    },
  ])("read as Go writes them: $expected", ({ data, expected }) => {
    expect(quote(data)).toBe(expected);
  });
});

describe("the trace", () => {
  it("tells of an election, a command and a change in etcd's words", () => {
    const events: TraceEvent[] = [];
    const solo = new Solo({ trace: (event) => events.push(event) }).lead();
    solo.ack(2);
    solo.propose("a");
    solo.node.proposeConfChange(change("l4"));
    solo.drain();
    solo.ack(2);
    const names = events.map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(["InitState", "ApplyConfChange", "BecomeFollower"]);
    for (const name of [
      "BecomeCandidate",
      "SendRequestVoteRequest",
      "ReceiveRequestVoteResponse",
      "BecomeLeader",
      "Replicate",
      "Ready",
      "SendAppendEntriesRequest",
      "SendAppendEntriesResponse",
      "ReceiveAppendEntriesResponse",
      "Commit",
      "ChangeConf",
    ] as const) {
      expect(names).toContain(name);
    }
    expect(events.find(({ name }) => name === "SendRequestVoteRequest")).toEqual({
      name: "SendRequestVoteRequest",
      nid: "1",
      state: { term: 1, vote: "1", commit: 0 },
      role: "StateCandidate",
      log: 0,
      conf: [["1", "2", "3"], []],
      msg: {
        type: "MsgVote",
        term: 1,
        from: "1",
        to: "2",
        entries: 0,
        logTerm: 0,
        index: 0,
        commit: 0,
        vote: "0",
        reject: false,
        rejectHint: 0,
      },
    });
    expect(events.find(({ name }) => name === "ChangeConf")?.prop).toEqual({
      cc: { changes: [{ nid: "4", action: "AddLearner" }] },
    });
    expect(events.findLast(({ name }) => name === "ApplyConfChange")?.prop).toEqual({
      cc: { newconf: ["1", "2", "3"] },
    });
  });
});
