import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../lib/base/errors.js";
import type { Entry, Index, Write } from "../../lib/core/types.js";
import { emptyConfState } from "../../lib/core/types.js";
import { joinWrites } from "../../lib/storage/join-writes.js";
import { createMemoryMedium, openMemoryStore } from "../../lib/storage/memory.js";

function entriesOf(first: Index, terms: readonly number[]): Entry[] {
  return terms.map((term, n) => ({
    term,
    index: first + n,
    type: "EntryNormal",
    data: Uint8Array.of(term, n),
    unknown: undefined,
  }));
}

function snapshotAt(index: Index, term: number): Write["snapshot"] {
  const metadata = { index, term, confState: emptyConfState };
  return { metadata, data: Uint8Array.of(index), unknown: undefined };
}

function write(id: number, parts: Partial<Write>): Write {
  return { id, hardState: undefined, snapshot: undefined, entries: [], sync: true, ...parts };
}

/** What a step of a node's life wants, before it is fitted to the log at hand. */
const wish = fc.record({
  back: fc.nat(6),
  count: fc.nat(5),
  install: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 4, nil: undefined }),
  hardState: fc.boolean(),
  commit: fc.nat(3),
  sync: fc.boolean(),
});

type Wish = typeof wish extends fc.Arbitrary<infer T> ? T : never;

/** Writes as a core would hand them out: contiguous, terms rising, nothing committed replaced. */
function lifeOf(wishes: readonly Wish[]): Write[] {
  let last = 0;
  let commit = 0;
  return wishes.map(({ back, count, install, hardState, commit: more, sync }, n) => {
    const id = n + 1;
    let snapshot: Write["snapshot"];
    if (install !== undefined) {
      last += install;
      commit = last;
      snapshot = snapshotAt(last, id);
    }
    const first = last + 1 - (snapshot === undefined ? Math.min(back, last - commit) : 0);
    const entries = entriesOf(
      first,
      Array.from({ length: count }, () => id),
    );
    if (count > 0) last = first + count - 1;
    if (hardState) commit = Math.min(last, commit + more);
    const state = hardState ? { term: id, vote: id % 3, commit } : undefined;
    return write(id, { hardState: state, snapshot, entries, sync });
  });
}

async function stored(writes: readonly Write[]): Promise<unknown> {
  const { storage } = await openMemoryStore({ medium: createMemoryMedium() });
  for (const one of writes) await storage.append(one);
  return await storage.load();
}

describe("joinWrites", () => {
  test("storing the joined write leaves the state that storing all of them leaves", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(wish, { minLength: 2, maxLength: 8 }),
        fc.nat(7),
        async (wishes, cut) => {
          const writes = lifeOf(wishes);
          const from = cut % (writes.length - 1);
          const [first, ...rest] = writes.slice(from) as [Write, ...Write[]];
          const joined = rest.reduce(joinWrites, first);
          expect(await stored([...writes.slice(0, from), joined])).toEqual(await stored(writes));
        },
      ),
    );
  });

  test("joining is associative", () => {
    fc.assert(
      fc.property(fc.array(wish, { minLength: 3, maxLength: 3 }), (wishes) => {
        const [a, b, c] = lifeOf(wishes) as [Write, Write, Write];
        expect(joinWrites(joinWrites(a, b), c)).toEqual(joinWrites(a, joinWrites(b, c)));
      }),
    );
  });

  const a = write(1, {
    hardState: { term: 1, vote: 2, commit: 0 },
    entries: entriesOf(5, [1, 1, 1]),
    sync: false,
  });

  const rows: [name: string, b: Partial<Write>, expected: Partial<Write>][] = [
    ["the id is the later one's", {}, { id: 2 }],
    ["sync if either is", { sync: true }, { sync: true }],
    ["no sync if neither is", { sync: false }, { sync: false }],
    [
      "the later HardState wins",
      { hardState: { term: 3, vote: 0, commit: 1 } },
      { hardState: { term: 3, vote: 0, commit: 1 } },
    ],
    ["the only HardState stays", {}, { hardState: { term: 1, vote: 2, commit: 0 } }],
    [
      "entries follow",
      { entries: entriesOf(8, [2]) },
      { entries: [...a.entries, ...entriesOf(8, [2])] },
    ],
    [
      "entries cut the earlier ones",
      { entries: entriesOf(6, [2]) },
      { entries: [...entriesOf(5, [1]), ...entriesOf(6, [2])] },
    ],
    ["entries may replace all", { entries: entriesOf(3, [2]) }, { entries: entriesOf(3, [2]) }],
    [
      "a snapshot drops the earlier entries",
      { snapshot: snapshotAt(9, 2) },
      { snapshot: snapshotAt(9, 2), entries: [] },
    ],
    [
      "a snapshot comes with its own entries",
      { snapshot: snapshotAt(9, 2), entries: entriesOf(10, [2]) },
      { entries: entriesOf(10, [2]) },
    ],
  ];
  test.each(rows)("%s", (_name, b, expected) => {
    expect(joinWrites(a, write(2, { sync: false, ...b }))).toMatchObject(expected);
  });

  test.each<[string, Write, Write]>([
    ["a gap between entries", a, write(2, { entries: entriesOf(9, [2]) })],
    [
      "a gap after a snapshot",
      write(1, { snapshot: snapshotAt(4, 1) }),
      write(2, { entries: entriesOf(6, [1]) }),
    ],
    [
      "entries inside a snapshot",
      write(1, { snapshot: snapshotAt(4, 1) }),
      write(2, { entries: entriesOf(4, [1]) }),
    ],
    ["writes out of order", write(2, {}), write(1, {})],
  ])("%s is a broken invariant", (_name, first, second) => {
    expect(() => joinWrites(first, second)).toThrow(InvariantError);
  });
});
