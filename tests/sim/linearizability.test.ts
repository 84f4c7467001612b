/** The checker, checked: fixed histories, and mutated ones against brute force. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import {
  isLinearizable,
  isLinearizableByKey,
  type Operation,
} from "../../lib/testing/linearizability.js";
import { type RegisterCall, registerModel } from "../../lib/testing/register-model.js";

type Op = Operation<RegisterCall, string>;

const never = Number.POSITIVE_INFINITY;
const op = (
  name: string,
  value: string,
  output: string | undefined,
  from: number,
  to: number,
  expected = "",
): Op => ({
  input: { name, value, from: expected },
  output,
  calledAt: from,
  answeredAt: to,
});
const put = (value: string, from: number, to: number): Op =>
  op("put", value, to === never ? undefined : "", from, to);
const take = (output: string, from: number, to: number): Op => op("take", "", output, from, to);
const append = (value: string, output: string | undefined, from: number, to: number): Op =>
  op("append", value, output, from, to);
const swap = (
  expected: string,
  value: string,
  output: string | undefined,
  from: number,
  to: number,
): Op => op("swap", value, output, from, to, expected);

describe("histories", () => {
  it.each<{ name: string; history: Op[]; answer: "yes" | "no" }>([
    { name: "nothing", history: [], answer: "yes" },
    { name: "a read of nothing", history: [take("", 0, 1)], answer: "yes" },
    { name: "a read of something out of nothing", history: [take("x", 0, 1)], answer: "no" },
    { name: "read your write", history: [put("x", 0, 1), take("x", 2, 3)], answer: "yes" },
    { name: "a stale read", history: [put("x", 0, 1), take("", 2, 3)], answer: "no" },
    {
      name: "a read beside a write sees the old",
      history: [put("x", 0, 9), take("", 2, 3)],
      answer: "yes",
    },
    {
      name: "a read beside a write sees the new",
      history: [put("x", 0, 9), take("x", 2, 3)],
      answer: "yes",
    },
    {
      name: "new, then old, beside a write",
      history: [put("x", 0, 9), take("x", 2, 3), take("", 4, 5)],
      answer: "no",
    },
    {
      name: "old, then new, beside a write",
      history: [put("x", 0, 9), take("", 2, 3), take("x", 4, 5)],
      answer: "yes",
    },
    {
      name: "a lost update",
      history: [append("a", "a", 0, 1), append("b", "b", 2, 3)],
      answer: "no",
    },
    {
      name: "two appends beside each other",
      history: [append("a", "ba", 0, 9), append("b", "b", 1, 8)],
      answer: "yes",
    },
    {
      name: "two appends that both came second",
      history: [append("a", "ba", 0, 9), append("b", "ab", 1, 8)],
      answer: "no",
    },
    {
      name: "an append applied twice",
      history: [append("a", "a", 0, 1), take("aa", 2, 3)],
      answer: "no",
    },
    {
      name: "an unknown write that happened",
      history: [put("x", 0, never), take("x", 5, 6)],
      answer: "yes",
    },
    {
      name: "an unknown write that did not",
      history: [put("x", 0, never), take("", 5, 6)],
      answer: "yes",
    },
    {
      name: "an unknown write that happened late",
      history: [put("x", 0, never), take("", 5, 6), take("x", 7, 8)],
      answer: "yes",
    },
    {
      name: "an unknown write that came and went",
      history: [put("x", 0, never), take("x", 5, 6), take("", 7, 8)],
      answer: "no",
    },
    {
      name: "an unknown write before it was called",
      history: [take("x", 0, 1), put("x", 2, never)],
      answer: "no",
    },
    {
      name: "an unknown append happens once",
      history: [append("a", undefined, 0, never), take("aa", 5, 6)],
      answer: "no",
    },
    {
      name: "a swap that fits",
      history: [put("x", 0, 1), swap("x", "y", "", 2, 3), take("y", 4, 5)],
      answer: "yes",
    },
    {
      name: "a swap that does not fit is refused",
      history: [put("x", 0, 1), swap("z", "y", "!differs", 2, 3), take("x", 4, 5)],
      answer: "yes",
    },
    {
      name: "a swap refused although it fits",
      history: [put("x", 0, 1), swap("x", "y", "!differs", 2, 3)],
      answer: "no",
    },
    {
      name: "a swap done although it does not fit",
      history: [put("x", 0, 1), swap("z", "y", "", 2, 3)],
      answer: "no",
    },
    {
      name: "a refused swap that happened",
      history: [swap("z", "y", "!differs", 0, 1), take("y", 2, 3)],
      answer: "no",
    },
    {
      name: "an unknown swap that happened",
      history: [swap("", "y", undefined, 0, never), take("y", 2, 3)],
      answer: "yes",
    },
    {
      name: "of two swaps from nothing one wins",
      history: [swap("", "a", "", 0, 9), swap("", "b", "!differs", 0, 9)],
      answer: "yes",
    },
    {
      name: "two swaps from nothing both win",
      history: [swap("", "a", "", 0, 9), swap("", "b", "", 0, 9)],
      answer: "no",
    },
    {
      name: "two readers disagree on the order",
      history: [put("a", 0, 9), put("b", 0, 9), take("a", 10, 11), take("b", 12, 13)],
      answer: "no",
    },
    {
      name: "calls that touch may be in either order",
      history: [put("x", 0, 5), take("", 5, 6)],
      answer: "yes",
    },
    {
      name: "a write seen by all in the end",
      history: [
        put("a", 0, 20),
        put("b", 1, 19),
        take("a", 2, 3),
        take("b", 4, 5),
        take("b", 21, 22),
      ],
      answer: "yes",
    },
  ])("$name: $answer", ({ history, answer }) => {
    expect(isLinearizable(registerModel, history)).toBe(answer);
  });

  it("too long to search: unknown, never yes", () => {
    expect(isLinearizable(registerModel, [put("x", 0, 1), take("x", 2, 3)], 0)).toBe("unknown");
  });
});

describe("keys", () => {
  type Keyed = RegisterCall & { readonly key: string };
  const keyed = (key: string, history: readonly Op[]): Operation<Keyed, string>[] =>
    history.map((one) => ({ ...one, input: { ...one.input, key } }));
  const keyOf = ({ key }: Keyed): string => key;
  const good = [put("x", 0, 1), take("x", 2, 3)];
  const bad = [put("x", 0, 1), take("", 2, 3)];

  it("are searched apart: what one of them holds is no business of another's", () => {
    const history = [...keyed("a", good), ...keyed("b", [take("", 2, 3)])];
    expect(isLinearizable(registerModel, history)).toBe("no");
    expect(isLinearizableByKey(registerModel, history, keyOf)).toBe("yes");
  });

  it("one that is not linearizable decides; one that was given up is not passed over", () => {
    const history = [...keyed("a", good), ...keyed("b", bad), ...keyed("c", good)];
    expect(isLinearizableByKey(registerModel, history, keyOf)).toBe("no");
    expect(isLinearizableByKey(registerModel, keyed("a", good), keyOf, 0)).toBe("unknown");
    expect(isLinearizableByKey(registerModel, [], keyOf)).toBe("yes");
  });
});

describe("mutations", () => {
  it("a changed answer is refused exactly when no order explains it", () => {
    const random = seededRandom(1);
    let refused = 0;
    for (let round = 0; round < 5_000; round++) {
      const history = legal(random.below);
      expect(isLinearizable(registerModel, history)).toBe("yes");
      const at = random.below(history.length);
      const changed = history.map((one, i) =>
        i === at ? { ...one, output: `${one.output}?` } : one,
      );
      const shifted = history.map((one, i) =>
        i === at ? { ...one, output: history[random.below(history.length)]?.output } : one,
      );
      for (const mutant of [changed, shifted]) {
        const found = isLinearizable(registerModel, mutant);
        expect(found).toBe(bruteForce(mutant) ? "yes" : "no");
        if (found === "no") refused++;
      }
    }
    expect(refused).toBeGreaterThan(4_000);
  });
});

/** Six operations that took effect at a moment within each. */
function legal(below: (bound: number) => number): Op[] {
  let state = "";
  return Array.from({ length: 6 }, (_, i) => {
    const name = ["put", "take", "append", "swap"][below(4)] as string;
    const input = { name, value: "abc"[below(3)] as string, from: below(2) === 0 ? state : "" };
    const after = registerModel.step(state, input);
    state = after.state;
    const at = 10 * i;
    return { input, output: after.output, calledAt: at - below(25), answeredAt: at + below(25) };
  });
}

function bruteForce(history: readonly Op[], state = ""): boolean {
  if (history.every(({ answeredAt }) => answeredAt === never)) return true;
  const firstReturn = Math.min(...history.map(({ answeredAt }) => answeredAt));
  return history.some((one, i) => {
    if (one.calledAt > firstReturn) return false;
    const after = registerModel.step(state, one.input);
    if (one.output !== undefined && after.output !== one.output) return false;
    return bruteForce(
      history.filter((_, other) => other !== i),
      after.state,
    );
  });
}
