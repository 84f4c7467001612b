/** A replicated machine: entries applied once, sessions, equal replicas, snapshots. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatBytes, hex } from "../../lib/base/bytes.js";
import { DecodeError } from "../../lib/base/errors.js";
import { type Command, encodeCommand, type Stamp, stamp } from "../../lib/machines/command.js";
import { defineMachine } from "../../lib/machines/machine.js";
import { encodeValue } from "../../lib/machines/msgpack.js";
import { type Applied, createReplica, type Replica } from "../../lib/machines/replica.js";
import { clientId } from "../../lib/machines/seed.js";
import { sessionIdleMaxMs, sessionsMax } from "../../lib/machines/sessions.js";
import { tame, type Value } from "../../lib/machines/values.js";
import { spell } from "./arbitrary-value.js";
import { type Board, board } from "./board.js";

const days = 24 * 60 * 60 * 1000;
const clients = [1, 2, 3].map((byte) => clientId(new Uint8Array(16).fill(byte)));
const [ann = "", bob = ""] = clients;

function numbered(n: number): string {
  return n.toString(16).padStart(32, "0");
}

function entry(part: Partial<Command>, time: Partial<Stamp> = {}): Uint8Array {
  const command: Command = {
    client: ann,
    sequence: 1,
    low: 1,
    since: 0,
    author: "ann",
    machineVersion: 1,
    name: "addCard",
    input: tame({ title: "A" }, "input"),
    ...part,
  };
  return stamp(encodeCommand(command), { now: 1000, logTime: 0, ...time });
}

function apply<S>(replica: Replica<S>, ...entries: readonly Uint8Array[]): Applied[] {
  return entries.map((data, i) => replica.apply({ index: i + 1, term: 1, data }));
}

function bodyOf<S>(replica: Replica<S>): Uint8Array {
  return concatBytes(...replica.snapshot());
}

const counter = defineMachine({
  name: "counter",
  version: 1,
  rejects: ["odd"],
  initial: () => ({ applied: [] as string[], last: 0 }),
  commands: {
    note(state, text: string, ctx) {
      if (text === "odd") return ctx.reject("odd", { text });
      state.applied.push(text);
      state.last = ctx.now;
      return state.applied.length;
    },
    throwing(state) {
      state.applied.push("half");
      throw new Error("an engine's words");
    },
    nothing() {},
  },
});
const note = (
  client: string,
  sequence: number,
  text: string,
  more: Partial<Command> = {},
  time: Partial<Stamp> = {},
): Uint8Array => entry({ client, sequence, name: "note", input: text, ...more }, time);

describe("an entry", () => {
  test("is applied, and its outcome told", () => {
    const replica = createReplica(board);
    const [applied] = apply(replica, entry({}));
    expect(applied).toMatchObject({ kind: "done", client: ann, sequence: 1, repeated: false });
    const id = applied?.kind === "done" ? String(applied.result) : "";
    expect((replica.state as Board).cards[id]).toMatchObject({ title: "A", by: "ann", at: 1000 });
    expect(replica.outcomeOf(ann, 1)).toEqual({ kind: "done", result: id });
    expect(replica.outcomeOf(ann, 2)).toBeUndefined();
    expect(replica.outcomeOf(bob, 1)).toBeUndefined();
  });
  test("of which two claim the same card has one winner", () => {
    const replica = createReplica(board);
    const [added] = apply(replica, entry({}));
    const id = added?.kind === "done" ? added.result : null;
    const input = tame({ id }, "input");
    const outcomes = apply(
      replica,
      entry({ client: bob, author: "bob", name: "claimCard", input }),
      entry({ sequence: 2, name: "claimCard", input }),
    );
    expect(outcomes).toMatchObject([
      { kind: "done" },
      { kind: "rejected", reason: "taken", detail: { by: "bob" } },
    ]);
  });
  test.each<[string, Partial<Command>, object]>([
    ["an unknown command", { name: "lost" }, { kind: "rejected", reason: "unknown-command" }],
    [
      "a command that throws",
      { name: "throwing", input: undefined },
      { kind: "rejected", reason: "threw", detail: undefined },
    ],
    [
      "a command without result",
      { name: "nothing", input: undefined },
      { kind: "done", result: undefined },
    ],
  ])("with %s", (_name, part, outcome) => {
    const replica = createReplica(counter);
    const before = replica.state;
    expect(apply(replica, entry(part), entry(part))).toMatchObject([
      { ...outcome, repeated: false },
      { ...outcome, repeated: true },
    ]);
    expect(replica.state).toBe(before);
  });
  test("that does not decode changes nothing and is counted", () => {
    const replica = createReplica(counter);
    apply(replica, note(ann, 1, "a"));
    const before = replica.state;
    const garbage = [
      new Uint8Array(),
      new Uint8Array(40),
      entry({}).subarray(0, 30),
      concatBytes(Uint8Array.of(9), entry({}).subarray(1)),
    ];
    for (const applied of apply(replica, ...garbage)) {
      expect(applied).toMatchObject({ kind: "malformed" });
      expect(applied.kind === "malformed" && applied.error).toBeInstanceOf(DecodeError);
    }
    expect(replica.state).toBe(before);
    expect(replica.malformed).toBe(4);
  });
  test("cannot set the clock back", () => {
    const replica = createReplica(counter);
    apply(
      replica,
      note(ann, 1, "a", {}, { now: 50, logTime: 9 }),
      note(ann, 2, "b", {}, { now: 20, logTime: 3 }),
    );
    expect([replica.now, replica.logTime, replica.state.last]).toEqual([50, 9, 50]);
  });
});

describe("a command met again", () => {
  test("is not applied again, in whatever order the first ones came", () => {
    const replica = createReplica(counter);
    const applied = apply(
      replica,
      note(ann, 2, "b"),
      note(ann, 1, "a"),
      note(ann, 2, "b"),
      note(bob, 1, "c"),
      note(ann, 1, "a"),
    );
    expect(replica.state.applied).toEqual(["b", "a", "c"]);
    expect(applied.map((one) => one.kind === "done" && [one.result, one.repeated])).toEqual([
      [1, false],
      [2, false],
      [1, true],
      [3, false],
      [2, true],
    ]);
  });
  test("is rejected again as it was, though it would now be accepted", () => {
    const replica = createReplica(counter);
    const applied = apply(replica, note(ann, 1, "odd"), note(ann, 1, "even"));
    expect(applied).toMatchObject([
      { kind: "rejected", reason: "odd", detail: { text: "odd" }, repeated: false },
      { kind: "rejected", reason: "odd", detail: { text: "odd" }, repeated: true },
    ]);
  });
  test("below its client's low is expired, and its result forgotten", () => {
    const replica = createReplica(counter);
    apply(replica, note(ann, 1, "a"), note(ann, 2, "b"), note(ann, 3, "c", { low: 3 }));
    expect([1, 2, 3].map((n) => replica.outcomeOf(ann, n)?.kind)).toEqual([
      undefined,
      undefined,
      "done",
    ]);
    expect(apply(replica, note(ann, 1, "a"), note(ann, 2, "b"))).toMatchObject([
      { kind: "expired" },
      { kind: "expired" },
    ]);
    expect(replica.state.applied).toEqual(["a", "b", "c"]);
  });
  test("an older low does not bring the low back", () => {
    const replica = createReplica(counter);
    apply(replica, note(ann, 5, "e", { low: 5 }), note(ann, 6, "f", { low: 2 }));
    expect(apply(replica, note(ann, 3, "c", { low: 2 }))).toMatchObject([{ kind: "expired" }]);
  });
});

describe("a session", () => {
  const idle = sessionIdleMaxMs;
  test.each<[string, number, Partial<Command>, string]>([
    ["lives for 90 days of log time", idle, {}, "done"],
    ["ends after them: its client's next command is expired", idle + 1, {}, "expired"],
    ["ends after them: its first one, met again, is expired", idle + 1, { sequence: 1 }, "expired"],
    [
      "is opened for a client drawn after the ended one's last use",
      idle + 1,
      { client: bob, since: 1 },
      "done",
    ],
    ["is not opened for one drawn before", idle + 1, { client: bob, since: 0 }, "expired"],
  ])("%s", (_name, logTime, part, kind) => {
    const replica = createReplica(counter);
    apply(replica, note(ann, 1, "a"));
    const [applied] = apply(replica, note(ann, 2, "b", { low: 1, ...part }, { logTime }));
    expect(applied?.kind).toBe(kind);
    expect(replica.state.applied.length).toBe(kind === "done" ? 2 : 1);
  });
  test("is kept alive by use, and wall clocks do not matter", () => {
    const replica = createReplica(counter);
    for (let i = 1; i <= 5; i++) {
      const [applied] = apply(
        replica,
        note(ann, i, "a", { low: i }, { logTime: i * 60 * days, now: 10 ** i }),
      );
      expect(applied?.kind).toBe("done");
    }
  });
  test("opened without its client's first command takes them as they come", () => {
    const replica = createReplica(counter);
    const applied = apply(replica, note(ann, 3, "c", { low: 2 }), note(ann, 2, "b", { low: 2 }));
    expect(applied.map((one) => one.kind)).toEqual(["done", "done"]);
  });
  test("of a client longest unused ends when there are too many", () => {
    const replica = createReplica(counter);
    for (let i = 1; i <= sessionsMax; i++) {
      apply(
        replica,
        entry({ client: numbered(i), name: "nothing", input: undefined }, { logTime: i }),
      );
    }
    apply(
      replica,
      entry(
        { client: numbered(1), sequence: 2, name: "nothing", input: undefined },
        { logTime: sessionsMax },
      ),
    );
    const late = { name: "nothing", input: undefined, since: sessionsMax };
    expect(apply(replica, entry({ ...late, client: ann }))).toMatchObject([{ kind: "done" }]);
    const kinds = [1, 2, 3].map(
      (i) =>
        apply(replica, entry({ ...late, since: 0, client: numbered(i), sequence: 3 }))[0]?.kind,
    );
    expect(kinds).toEqual(["done", "expired", "done"]);
  });
});

/** A log as it may be: repetitions, any order, garbage, clocks that jump, lows that rise. */
const step = fc.record({
  client: fc.constantFrom(...clients),
  sequence: fc.integer({ min: 1, max: 8 }),
  low: fc.integer({ min: 1, max: 8 }),
  since: fc.nat({ max: 200 }),
  text: fc.constantFrom("a", "b", "odd", "throw", "garbage", "nothing"),
  now: fc.nat({ max: 100 }),
  logTime: fc.oneof(
    fc.nat({ max: 100 }),
    fc.nat({ max: 300 }).map((n) => n * days),
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function entryOf({ client, sequence, low, since, text, now, logTime }: Step): Uint8Array {
  if (text === "garbage") return new Uint8Array([1, sequence, now]);
  const name = text === "throw" ? "throwing" : text === "nothing" ? "nothing" : "note";
  // The texts name client and sequence, so one that is there twice was applied twice.
  const noted = text === "odd" ? text : `${client.slice(-1)}${sequence}${text}`;
  const input = name === "note" ? noted : undefined;
  const part = { client, sequence, low: Math.min(low, sequence), since, name, input };
  return entry(part, { now, logTime });
}

const log = fc.array(step.map(entryOf), { maxLength: 30 });

/** Entries of clients that keep the rule on `since`: the log time that was applied when they were drawn, the same in all commands. */
const honestLog = fc.array(step, { maxLength: 30 }).map((steps) => {
  const drawn = new Map<string, number>();
  let logTime = 0;
  return steps.map((one) => {
    if (!drawn.has(one.client)) drawn.set(one.client, logTime);
    if (one.text !== "garbage") logTime = Math.max(logTime, one.logTime);
    return entryOf({ ...one, since: drawn.get(one.client) ?? 0 });
  });
});

describe("whatever the log", () => {
  test("replicas that applied it are equal, byte for byte", () => {
    fc.assert(
      fc.property(log, (entries) => {
        const [one, two] = [createReplica(counter), createReplica(counter)];
        expect(spell(apply(one, ...entries).map(replicated))).toBe(
          spell(apply(two, ...entries).map(replicated)),
        );
        expect(hex(bodyOf(one))).toBe(hex(bodyOf(two)));
      }),
    );
  });
  test("a replica restored on the way goes on as one that lived", () => {
    fc.assert(
      fc.property(log, log, (before, after) => {
        const live = createReplica(counter);
        apply(live, ...before);
        const restored = createReplica(counter);
        apply(restored, note(ann, 1, "a state to be replaced"));
        restored.restore(bodyOf(live));
        expect(spell(restored.state)).toBe(spell(live.state));
        expect(spell(apply(restored, ...after).map(replicated))).toBe(
          spell(apply(live, ...after).map(replicated)),
        );
        expect(hex(bodyOf(restored))).toBe(hex(bodyOf(live)));
      }),
    );
  });
  test("a command takes effect at most once", () => {
    fc.assert(
      fc.property(honestLog, (entries) => {
        const replica = createReplica(counter);
        apply(replica, ...entries, ...entries);
        const effects = replica.state.applied.map((text) => text.slice(0, 2));
        expect(new Set(effects).size).toBe(effects.length);
      }),
      { numRuns: 300 },
    );
  });
  test("its state keeps its identity when an entry does not change it", () => {
    fc.assert(
      fc.property(log, (entries) => {
        const replica = createReplica(counter);
        for (const data of entries) {
          const before = replica.state;
          const [applied] = apply(replica, data);
          const changed =
            applied?.kind === "done" && !applied.repeated && applied.result !== undefined;
          expect(replica.state === before).toBe(!changed);
        }
      }),
    );
  });
});

/** What every replica tells alike: a thrown error's words are the engine's own. */
function replicated(applied: Applied): Value {
  const told =
    applied.kind === "malformed" ? { kind: applied.kind } : { ...applied, cause: undefined };
  return tame(told, "applied");
}

describe("a snapshot", () => {
  test("shows the state at the call, though it is read later", () => {
    const replica = createReplica(counter);
    apply(replica, note(ann, 1, "a"));
    const chunks = replica.snapshot();
    const expected = hex(bodyOf(replica));
    apply(replica, note(ann, 2, "b"));
    expect(hex(concatBytes(...chunks))).toBe(expected);
  });
  test("comes in chunks of 64 KiB at most", () => {
    const replica = createReplica(counter);
    for (let i = 1; i <= 5; i++) apply(replica, note(ann, i, "x".repeat(50_000)));
    const sizes = [...replica.snapshot()].map((chunk) => chunk.length);
    expect(sizes.length).toBe(4);
    expect(Math.max(...sizes)).toBe(64 * 1024);
  });
  test("keeps the order of keys", () => {
    const live = createReplica(board);
    const ids = apply(live, ...[1, 2, 3, 4].map((sequence) => entry({ sequence }))).map(
      (one) => one.kind === "done" && one.result,
    );
    const restored = createReplica(board);
    restored.restore(bodyOf(live));
    expect(Object.keys((restored.state as Board).cards)).toEqual(ids);
  });
  test("of a state as deep as may be", () => {
    const deep = defineMachine({
      name: "deep",
      version: 1,
      initial: () => ({ v: null as unknown }),
      commands: {
        wrap: (state) => {
          state.v = [state.v];
        },
      },
    });
    const replica = createReplica(deep);
    const wrap = (sequence: number): Uint8Array =>
      entry({ sequence, name: "wrap", input: undefined });
    const kinds = apply(replica, ...Array.from({ length: 65 }, (_, i) => wrap(i + 1))).map(
      (one) => one.kind,
    );
    expect(kinds.lastIndexOf("done")).toBe(62);
    expect(kinds.indexOf("rejected")).toBe(63);
    const restored = createReplica(deep);
    restored.restore(bodyOf(replica));
    expect(spell(restored.state)).toBe(spell(replica.state));
  });

  const replica = createReplica(counter);
  apply(replica, note(ann, 1, "a"));
  const body = bodyOf(replica);
  const shaped = (change: (fields: Value[]) => void): Uint8Array => {
    const fields: Value[] = [1, "counter", 1, 0, 0, 0, [0, []], { applied: [], last: 0 }];
    change(fields);
    return encodeValue(fields);
  };
  test.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array()],
    ["half of it", body.subarray(0, body.length / 2)],
    [
      "another format",
      shaped((fields) => {
        fields[0] = 2;
      }),
    ],
    [
      "another machine",
      shaped((fields) => {
        fields[1] = "board";
      }),
    ],
    [
      "a clock below 0",
      shaped((fields) => {
        fields[3] = -1;
      }),
    ],
    [
      "no sessions",
      shaped((fields) => {
        fields[6] = null;
      }),
    ],
    [
      "a session of no client",
      shaped((fields) => {
        fields[6] = [0, [["x", 1, 0, []]]];
      }),
    ],
    [
      "a session twice",
      shaped((fields) => {
        fields[6] = [
          0,
          [
            [ann, 1, 0, []],
            [ann, 1, 0, []],
          ],
        ];
      }),
    ],
    [
      "an outcome that is none",
      shaped((fields) => {
        fields[6] = [0, [[ann, 1, 0, [7]]]];
      }),
    ],
    [
      "no state",
      shaped((fields) => {
        fields[7] = 5;
      }),
    ],
    [
      "a field too few",
      shaped((fields) => {
        fields.pop();
      }),
    ],
  ])("is not restored from %s, and the old state stays", (_name, bytes) => {
    const target = createReplica(counter);
    apply(target, note(bob, 1, "kept"));
    const before = hex(bodyOf(target));
    expect(() => target.restore(bytes)).toThrow(DecodeError);
    expect(hex(bodyOf(target))).toBe(before);
  });
  test("a well-formed one is", () => {
    expect(() => createReplica(counter).restore(shaped(() => {}))).not.toThrow();
  });
});
