/** The atlas rule: what a store may lose, and what of a loss shows when it is opened again. */
import { expect, it } from "vitest";
import { type Entry, emptyConfState } from "../../lib/core/types.js";
import { lacking, mayFallBack } from "../../lib/testing/atlas.js";
import { Image } from "../../lib/testing/record-disk.js";

const entry = (index: number, term = 1): Entry => ({
  term,
  index,
  type: "EntryNormal",
  data: new Uint8Array(1),
  unknown: undefined,
});

/** Entries of these terms from index 1 on. */
function image(terms: readonly number[], term = 2, vote = 1): Image {
  const made = new Image();
  made.write({
    hardState: { term, vote, commit: 0 },
    snapshot: undefined,
    entries: terms.map((one, i) => entry(i + 1, one)),
    sync: true,
  });
  return made;
}

const conf = { ...emptyConfState, voters: [1, 2, 3, 4, 5] };
const view = (...others: readonly (readonly number[])[]) => ({
  confs: [conf],
  others: others.map((terms, i) => ({ id: i + 2, image: image(terms) })),
  termAt: () => undefined,
});

it("entries may go where a quorum of others has each of them", () => {
  const before = image([1, 1, 2]);
  const after = image([1]);
  expect(mayFallBack(before, after, view([1, 1, 2], [1, 1, 2], [1, 1, 2], [1]))).toBe(true);
  expect(mayFallBack(before, after, view([1, 1, 2], [1, 1, 2], [1, 1], [1, 1]))).toBe(false);
  expect(mayFallBack(before, after, view([1, 1, 2], [1, 1, 2], [1, 1, 1], [1]))).toBe(false);
  const joint = {
    ...view([1, 1, 2], [1, 1, 2], [1, 1, 2]),
    confs: [conf, { ...conf, voters: [1, 5] }],
  };
  expect(mayFallBack(before, after, joint)).toBe(false);
});

it("a term or a vote never may", () => {
  const all = view([1], [1], [1], [1]);
  expect(mayFallBack(image([1], 2), image([1], 1), all)).toBe(false);
  expect(mayFallBack(image([1], 2, 1), image([1], 2, 0), all)).toBe(false);
  expect(mayFallBack(image([1], 2, 1), image([1], 2, 1), view())).toBe(true);
});

it("what an opening lacks shows, but for what a write under way may have replaced", () => {
  const before = image([1, 1, 2]);
  expect(lacking(before, image([1, 1, 2]), Number.POSITIVE_INFINITY)).toBe(undefined);
  expect(lacking(before, image([1, 1, 2, 2]), Number.POSITIVE_INFINITY)).toBe(undefined);
  expect(lacking(before, image([1, 1]), Number.POSITIVE_INFINITY)).toBe("entry 3 of term 2");
  expect(lacking(before, image([1, 1, 1]), Number.POSITIVE_INFINITY)).toBe("entry 3 of term 2");
  expect(lacking(before, image([1, 1]), 3)).toBe(undefined);
  expect(lacking(before, image([1]), 3)).toBe("entry 2 of term 1");
  expect(lacking(before, image([1, 1, 2], 1), 1)).toBe("term 2, it is in 1");
  expect(lacking(before, image([1, 1, 2], 2, 3), 1)).toMatch(/its vote for 1 in term 2/);
});

it("what was compacted is there in the last entry of it, or in a snapshot", () => {
  const metadata = { index: 2, term: 1, confState: conf };
  const before = image([1, 1]);
  before.compact({ metadata, data: new Uint8Array(0) }, 2);
  expect(lacking(before, image([1, 1]), Number.POSITIVE_INFINITY)).toBe(undefined);
  expect(lacking(before, image([1]), Number.POSITIVE_INFINITY)).toBe("entry 2 of term 1");
});

it("a snapshot named after a newer one does not take its place", () => {
  const accounted = image([1, 1, 1, 1]);
  const body = (index: number) => ({
    metadata: { index, term: 1, confState: emptyConfState },
    data: new Uint8Array(),
  });
  accounted.compact(body(3), 3);
  accounted.compact(body(2), 2);
  expect(accounted.snapshot?.metadata.index).toBe(3);
  accounted.compact(body(4), 4);
  expect(accounted.snapshot?.metadata.index).toBe(4);
});
