/** The catalogue of planted bugs, as a table: complete, and each still to be planted. Planting them all is `npm run mutants`. */
import { describe, expect, it } from "vitest";
import { mutated } from "../../.ci/mutants.mjs";
import { type Mutant, mutants, withoutCounterpart } from "./mutants.mjs";

const numberOf = (id: string): number => Number.parseInt(id, 10);

describe("the catalogue", () => {
  it("has every number from 1 to 64, planted or with the reason why not", () => {
    const named = [...mutants.map(({ id }) => id), ...Object.keys(withoutCounterpart)];
    const numbers = new Set(named.map(numberOf));
    const all = Array.from({ length: 64 }, (_, i) => i + 1);
    expect(all.filter((number) => !numbers.has(number))).toEqual([]);
    expect([...numbers].filter((number) => !all.includes(number))).toEqual([]);
  });

  it("has no two of one name", () => {
    const ids = mutants.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)]);
  });

  it("changes the library, not what tests it", () => {
    const files = mutants.flatMap(({ file, also = [] }) => [file, ...also.map((one) => one.file)]);
    expect(files.filter((file) => !/^lib\/(?!testing\/)/.test(file))).toEqual([]);
  });
});

describe("a bug", () => {
  it.each(mutants.map((mutant) => ({ mutant, id: mutant.id, what: mutant.what })))(
    "$id can be planted: $what",
    ({ mutant }) => {
      const texts = mutated(mutant);
      expect(texts.size).toBeGreaterThan(0);
      for (const text of texts.values()) {
        expect([mutant, ...(mutant.also ?? [])].some(({ replace }) => text.includes(replace))).toBe(
          true,
        );
      }
    },
  );

  const [any] = mutants as [Mutant, ...Mutant[]];

  it("whose text is gone is an error that names it, not a mutant that nobody kills", () => {
    expect(() => mutated({ ...any, find: "what nobody has written" })).toThrow(
      `mutant ${any.id} no longer applies: its text is in ${any.file} 0 times: what nobody has written`,
    );
    expect(() => mutated({ ...any, find: "" })).toThrow("no longer applies");
  });

  it("whose text is there twice is an error too: nobody knows which is meant", () => {
    expect(() => mutated({ ...any, find: "raft" })).toThrow(/no longer applies.* \d\d+ times/);
  });

  it("of two changes needs both", () => {
    const also = [{ file: any.file, find: "what nobody has written", replace: "" }];
    expect(() => mutated({ ...any, also })).toThrow("no longer applies");
  });
});
