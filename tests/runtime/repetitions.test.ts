/** Requests met twice. */
import { describe, expect, it } from "vitest";
import { firstRequestId, Repetitions, requestWindow } from "../../lib/runtime/repetitions.js";

describe("a request", () => {
  it("is new once, in whatever order requests come, and for each peer apart", () => {
    const repetitions = new Repetitions();
    for (const id of [5, 3, 4]) expect(repetitions.isNew(1, id)).toBe(true);
    for (const id of [5, 3, 4]) expect(repetitions.isNew(1, id)).toBe(false);
    expect(repetitions.isNew(2, 5)).toBe(true);
  });

  it("too far behind is never new, also when its number has been forgotten", () => {
    const repetitions = new Repetitions();
    for (let id = 1; id <= 4 * requestWindow; id++) expect(repetitions.isNew(1, id)).toBe(true);
    for (let id = 1; id <= 4 * requestWindow; id++) expect(repetitions.isNew(1, id)).toBe(false);
  });

  it("of a later life is above all of an earlier one", () => {
    const repetitions = new Repetitions();
    for (let id = 1; id < 100; id++) repetitions.isNew(1, firstRequestId(7) + id);
    expect(repetitions.isNew(1, firstRequestId(8) + 1)).toBe(true);
    expect(repetitions.isNew(1, firstRequestId(7) + 1)).toBe(false);
    expect(Number.isSafeInteger(firstRequestId(2 ** 17 - 1) + 2 ** 36 - 1)).toBe(true);
  });

  it("of who is no member any more is forgotten", () => {
    const repetitions = new Repetitions();
    repetitions.isNew(1, 5);
    repetitions.keep(new Set([2]));
    expect(repetitions.isNew(1, 5)).toBe(true);
  });
});
