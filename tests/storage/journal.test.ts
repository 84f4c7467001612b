import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Entry } from "../../lib/core/types.js";
import { Journal, JournalReader, spanOf } from "../../lib/storage/journal.js";
import type { LogRecord } from "../../lib/storage/log-record.js";
import { emptyShape, type LogShape } from "../../lib/storage/log-shape.js";

function entries(from: number, to: number, term: number): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, n) => ({
    term,
    index: from + n,
    type: "EntryNormal",
    data: new Uint8Array(0),
    unknown: undefined,
  }));
}

/** A log beside the records it leaves in a store that deletes what it may. */
function life() {
  const journal = new Journal(1);
  const records = new Map<number, LogRecord>();
  let shape: LogShape = emptyShape;
  let log: Entry[] = [];
  const put = (takesOver: boolean, added: Entry[]): void => {
    const number = journal.next;
    if (takesOver) journal.takeOver();
    else journal.add(spanOf(added));
    records.set(number, { takesOver, boot: 1, from: journal.from, shape, entries: added });
  };
  const release = (): void => {
    for (const { from, to } of journal.release(shape.compacted.index)) {
      for (let number = from; number <= to; number++) {
        expect(records.get(number)?.takesOver).toBe(false);
        records.delete(number);
      }
    }
  };
  const to = (compacted: LogShape["compacted"]): void => {
    const { index, term } = log.at(-1) ?? compacted;
    shape = { ...shape, compacted, last: { index, term } };
  };
  return {
    journal,
    records,
    get log() {
      return log;
    },
    get shape() {
      return shape;
    },
    takeOver: () => put(true, []),
    append(first: number, count: number, term: number) {
      const added = entries(first, first + count - 1, term);
      log = [...log.filter(({ index }) => index < first), ...added];
      to(shape.compacted);
      put(false, added);
    },
    compact(index: number) {
      const at = log.find((entry) => entry.index === index);
      if (at === undefined) return;
      log = log.filter((entry) => entry.index > index);
      to({ index, term: at.term });
      release();
      put(false, []);
    },
    install(index: number, term: number, after: number) {
      log = after === 0 ? [] : entries(index + 1, index + after, term);
      to({ index, term });
      journal.cut(0);
      release();
      put(false, log);
    },
  };
}

function read(records: ReadonlyMap<number, LogRecord>) {
  const numbers = [...records.keys()].sort((a, b) => a - b);
  const last = records.get(numbers.at(-1) ?? 0);
  if (last === undefined) throw new Error("no records");
  const reader = new JournalReader(last.from);
  for (const number of numbers) {
    const record = records.get(number);
    if (record !== undefined && number >= last.from) reader.feed(number, record);
  }
  return reader.finish(last.shape);
}

describe("a journal", () => {
  test("whatever is appended, cut, compacted, installed and taken over, its records say what the log says", () => {
    const step = fc.tuple(
      fc.constantFrom("append", "append", "cut", "compact", "install", "takeOver"),
      fc.nat({ max: 30 }),
      fc.nat({ max: 4 }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const one = life();
        one.takeOver();
        let term = 1;
        for (const [kind, a, b] of steps) {
          const { compacted, last } = one.shape;
          const within = compacted.index + 1 + (a % Math.max(1, last.index - compacted.index));
          if (kind === "append") one.append(last.index + 1, b + 1, term);
          else if (kind === "cut") one.append(within, b + 1, ++term);
          else if (kind === "compact") one.compact(within);
          else if (kind === "install") one.install(compacted.index + 1 + a, ++term, b);
          else one.takeOver();
          const { journal, entries: found, runs } = read(one.records);
          expect(found).toEqual(one.log);
          expect(journal.next).toBe(one.journal.next);
          expect(runs.last).toBe(one.shape.last.index);
          // What was read can be continued: it releases nothing that is needed.
          expect(journal.from).toBe(one.journal.from);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("keeps every record by which somebody took over, and no other below what is needed", () => {
    const one = life();
    for (let boot = 1; boot <= 4; boot++) {
      one.takeOver();
      one.append(one.shape.last.index + 1, 3, 1);
    }
    one.compact(12);
    expect([...one.records].map(([number, { takesOver }]) => [number, takesOver])).toEqual([
      [1, true],
      [3, true],
      [5, true],
      [7, true],
      [9, false],
    ]);
  });

  const damages: [name: string, change: (records: Map<number, LogRecord>) => void, told: RegExp][] =
    [
      ["a record missing", (r) => r.delete(3), /record 3 is missing/],
      [
        "entries that leave a gap",
        (r) => r.set(4, { ...(r.get(4) as LogRecord), entries: entries(9, 9, 2) }),
        /entry 7 is missing/,
      ],
      [
        "fewer entries than the last record says",
        (r) => r.set(4, { ...(r.get(4) as LogRecord), entries: [] }),
        /entries 1 to 6 are there, the last record says 1 to 9/,
      ],
      [
        "a term that falls",
        (r) => r.set(3, { ...(r.get(3) as LogRecord), entries: entries(4, 6, 5) }),
        /term 2 after an entry of term 5/,
      ],
      [
        "a last term that is another",
        (r) => r.set(4, { ...(r.get(4) as LogRecord), entries: entries(7, 9, 3) }),
        /last entry has term 3/,
      ],
    ];
  test.each(damages)("%s is refused", (_name, change, told) => {
    const one = life();
    one.takeOver();
    one.append(1, 3, 1);
    one.append(4, 3, 2);
    one.append(7, 3, 2);
    one.takeOver();
    expect(read(one.records).entries).toHaveLength(9);
    const records = new Map(one.records);
    change(records);
    expect(() => read(records)).toThrow(told);
  });
});
