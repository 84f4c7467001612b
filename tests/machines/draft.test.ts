/** Drafts: what a command may do to a state, and what it may not. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openDraft } from "../../lib/machines/draft.js";
import { tame, type Value } from "../../lib/machines/values.js";
import { spell } from "./arbitrary-value.js";

// biome-ignore lint/suspicious/noExplicitAny: drafts of any shape.
type Any = any;

/** What `change` makes of `base`, and what it gave back. */
function produce(base: Value, change: (draft: Any) => unknown): { next: Any; result: unknown } {
  const drafting = openDraft(base as object);
  const result = change(drafting.draft);
  const next = tame(drafting.draft, "state", { drafts: drafting });
  drafting.close();
  return { next, result };
}

const start = (): Value =>
  tame(
    {
      cards: { a: { title: "A", tags: ["x"] }, b: { title: "B", tags: [] } },
      list: [3, 1, 2],
      bytes: new Uint8Array([1, 2]),
    },
    "start",
  );

describe("structural sharing", () => {
  test.each<[string, (draft: Any) => unknown]>([
    ["nothing", () => {}],
    ["reading everything", (s) => JSON.stringify(s)],
    [
      "writing what is there",
      (s) => {
        s.cards.a.title = "A";
      },
    ],
    [
      "putting a child back",
      (s) => {
        const { a } = s.cards;
        s.cards.a = a;
      },
    ],
    [
      "deleting what is absent",
      (s) => {
        delete s.cards.z;
      },
    ],
    [
      "writing bytes back",
      (s) => {
        s.bytes[0] = 5;
        s.bytes[0] = 1;
      },
    ],
  ])("%s keeps the identity of the whole", (_name, change) => {
    const base = start();
    expect(produce(base, change).next).toBe(base);
  });
  test("a change keeps the identity of everything beside its path", () => {
    const base = start() as Any;
    const { next } = produce(base, (s) => {
      s.cards.a.title = "C";
    });
    expect(next).not.toBe(base);
    expect(next.cards.a.title).toBe("C");
    expect(next.cards.a.tags).toBe(base.cards.a.tags);
    expect(next.cards.b).toBe(base.cards.b);
    expect(next.list).toBe(base.list);
    expect(next.bytes).toBe(base.bytes);
    expect(base.cards.a.title).toBe("A");
  });
});

describe("a draft behaves as the object it stands for", () => {
  test.each<[string, (draft: Any) => unknown, unknown]>([
    ["keys in order", (s) => Object.keys(s), ["cards", "list", "bytes"]],
    [
      "a deleted and re-added key goes last",
      (s) => {
        const a = s.cards.a;
        delete s.cards.a;
        s.cards.a = a;
        return Object.keys(s.cards);
      },
      ["b", "a"],
    ],
    ["in", (s) => ["a" in s.cards, "z" in s.cards, "toString" in s.cards], [true, false, false]],
    ["Object.hasOwn", (s) => Object.hasOwn(s.cards, "a"), true],
    ["spread", (s) => ({ ...s.cards.b, title: "C" }), { title: "C", tags: [] }],
    ["Array.isArray", (s) => Array.isArray(s.list), true],
    ["the prototype of an array", (s) => Object.getPrototypeOf(s.list) === Array.prototype, true],
    [
      "for … of",
      (s) => {
        let sum = 0;
        for (const n of s.list) sum += n;
        return sum;
      },
      6,
    ],
    ["spread of an array", (s) => [...s.list, 4], [3, 1, 2, 4]],
    [
      "destructuring",
      (s) => {
        const [a, ...rest] = s.list;
        return [a, rest];
      },
      [3, [1, 2]],
    ],
    [
      "sort, in place",
      (s) => {
        s.list.sort();
        return s.list;
      },
      [1, 2, 3],
    ],
    ["push and length", (s) => [s.list.push(9), s.list.length], [4, 4]],
    ["splice", (s) => [s.list.splice(0, 2), s.list], [[3, 1], [2]]],
    [
      "shift, unshift, reverse",
      (s) => {
        s.list.shift();
        s.list.unshift(7, 8);
        s.list.reverse();
        return s.list;
      },
      [2, 1, 8, 7],
    ],
    [
      "map, filter, reduce",
      (s) =>
        s.list
          .filter((n: number) => n > 1)
          .map((n: number) => n * 2)
          .reduce((a: number, b: number) => a + b),
      10,
    ],
    [
      "concat, flat, slice",
      (s) => [s.list.concat([1]), [s.list].flat(), s.list.slice(1)],
      [
        [3, 1, 2, 1],
        [3, 1, 2],
        [1, 2],
      ],
    ],
    ["join and String", (s) => [s.list.join("-"), String(s.list)], ["3-1-2", "3,1,2"]],
    [
      "length set to 0",
      (s) => {
        s.list.length = 0;
        return s.list;
      },
      [],
    ],
    ["JSON.stringify", (s) => JSON.stringify(s.cards.a), '{"title":"A","tags":["x"]}'],
    [
      "push by apply",
      (s) => {
        s.list.push.apply(s.list, [4, 5]);
        return s.list.length;
      },
      5,
    ],
    [
      "find, then write",
      (s) => {
        const all = Object.values(s.cards) as Any[];
        all.find((c) => c.title === "B").title = "Z";
        return s.cards.b.title;
      },
      "Z",
    ],
    ["a child is one draft", (s) => Object.is(s.cards.a, s.cards.a), true],
    [
      "indexOf finds a stored object by itself and by its draft",
      (s) => {
        const row = { n: 1 };
        s.list.push(row);
        return [s.list.indexOf(row), s.list.indexOf(s.list[3]), s.list.includes({ n: 1 })];
      },
      [3, 3, false],
    ],
    [
      "a new object is seen through its own variable until it is written through the state",
      (s) => {
        const row: Any = {};
        s.cards.c = row;
        row.title = "C";
        return s.cards.c.title;
      },
      "C",
    ],
  ])("%s", (_name, run, expected) => {
    const base = start();
    const before = spell(base);
    const drafting = openDraft(base as object);
    const result = tame(run(drafting.draft), "result", { drafts: drafting });
    expect(spell(result)).toBe(spell(expected));
    expect(spell(base)).toBe(before);
  });
});

describe("what a command does to a draft, it would have done to a plain object", () => {
  type Step = (root: Any, key: string, n: number) => void;
  const isRecord = (value: unknown): boolean =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const pick = (root: Any, key: string): Any => (isRecord(root[key]) ? root[key] : root);
  const steps: Record<string, Step> = {
    set: (root, key, n) => {
      pick(root, key)[key] = n;
    },
    nest: (root, key, n) => {
      pick(root, key)[key] = { [key]: n, list: [n] };
    },
    read: (root, key) => {
      JSON.stringify(pick(root, key));
    },
    remove: (root, key) => {
      delete pick(root, key)[key];
    },
    push: (root, _key, n) => {
      root.list.push({ n });
    },
    pop: (root) => {
      root.list.pop();
    },
    splice: (root, _key, n) => {
      root.list.splice(n % 3, 1, n, { n });
    },
    write: (root, _key, n) => {
      const item = root.list[n % 4];
      if (typeof item === "object") item.n = -n;
    },
    reverse: (root) => {
      root.list.reverse();
    },
    sort: (root) => {
      root.list.sort((a: Any, b: Any) => (a.n ?? a) - (b.n ?? b));
    },
    move: (root, key, n) => {
      const item = root.list.shift();
      if (item !== undefined) root[`${key}${n}`] = item;
    },
    bytes: (root, _key, n) => {
      root.bytes[n % 2] = n;
    },
  };
  const step = fc.tuple(
    fc.constantFrom(...Object.keys(steps)),
    fc.constantFrom("a", "b", "5", "c"),
    fc.nat({ max: 9 }),
  );
  const fresh = (): Any => ({
    a: { b: { c: 1 } },
    b: { x: 1 },
    list: [1, { n: 2 }, 3],
    bytes: new Uint8Array(2),
  });

  test("whatever the steps, in one run or in several", () => {
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 4 }), (runs) => {
        const plain = fresh();
        let state: Value = tame(fresh(), "state");
        for (const run of runs) {
          const before = spell(state);
          const { next } = produce(state, (draft) => {
            for (const [name, key, n] of run) steps[name]?.(draft, key, n);
          });
          for (const [name, key, n] of run) steps[name]?.(plain, key, n);
          expect(spell(next)).toBe(spell(plain));
          expect(spell(state)).toBe(before);
          state = next;
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe("only own properties exist", () => {
  const keys = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
  const places: [string, (s: Any) => Any][] = [
    ["an object of the state", (s) => s.cards],
    [
      "an object just stored",
      (s) => {
        s.cards = {};
        return s.cards;
      },
    ],
    [
      "an object within one just stored",
      (s) => {
        s.deep = { in: { side: {} } };
        return s.deep.in.side;
      },
    ],
    [
      "a spread copy just stored",
      (s) => {
        s.copy = { ...s.cards.a };
        return s.copy;
      },
    ],
    [
      "an object just pushed",
      (s) => {
        s.list.push({});
        return s.list.at(-1);
      },
    ],
  ];
  test.each(places)("%s", (_name, place) => {
    produce(start(), (s) => {
      for (const key of keys) expect(place(s)[key]).toBeUndefined();
    });
  });
  test.each(["__proto__", "constructor", "hasOwnProperty"])("an array, by %s", (key) => {
    produce(start(), (s) => expect(s.list[key]).toBeUndefined());
  });
  test("an array's methods cannot be written to", () => {
    produce(start(), (s) => {
      expect(() => {
        s.list["map"].owner = "me";
      }).toThrow(TypeError);
      expect(Object.keys(Array.prototype.map)).toEqual([]);
    });
  });
});

describe("a draft refuses", () => {
  const proto: string = "__proto__";
  test.each<[string, (draft: Any) => unknown, string]>([
    [
      "__proto__ as a key",
      (s) => {
        s.cards[proto] = {};
      },
      '"__proto__"',
    ],
    [
      "__proto__ in an object just stored",
      (s) => {
        s.cards = {};
        s.cards[proto] = {};
      },
      '"__proto__"',
    ],
    [
      "a symbol as key",
      (s) => {
        s[Symbol("s")] = 1;
      },
      "symbol",
    ],
    [
      "Object.defineProperty",
      (s) => Object.defineProperty(s, "x", { value: 1 }),
      "Object.defineProperty",
    ],
    ["Object.freeze", (s) => Object.freeze(s), "Object.freeze"],
    ["Object.setPrototypeOf", (s) => Object.setPrototypeOf(s, {}), "Object.setPrototypeOf"],
    [
      "a date",
      (s) => {
        s.due = new Date(0);
      },
      "state.due is an instance of Date",
    ],
    [
      "an instance that was written through",
      (s) => {
        s.m = new Map();
        s.m.x = 1;
      },
      "state.m is an instance of Map",
    ],
    [
      "a hole",
      (s) => {
        s.list[9] = 1;
      },
      "state.list is an array with holes",
    ],
    [
      "a deleted item",
      (s) => {
        delete s.list[0];
      },
      "state.list is an array with holes",
    ],
    [
      "a property of an array",
      (s) => {
        s.list.x = 1;
      },
      "state.list is an array with further properties",
    ],
    [
      "itself",
      (s) => {
        s.cards.a.root = s;
      },
      "state.cards.a.root is a cycle",
    ],
    [
      "a cycle of new objects",
      (s) => {
        const o: Any = {};
        o.o = o;
        s.o = o;
      },
      "state.o.o is a cycle",
    ],
    [
      "a draft of an earlier command",
      (s) => {
        s.x = produce(start(), (t) => t.cards).result;
      },
      "an earlier command",
    ],
  ])("%s", (_name, change, message) => {
    const base = start();
    const before = spell(base);
    expect(() => produce(base, change)).toThrow(message);
    expect(spell(base)).toBe(before);
  });
  test("use after its command", () => {
    let kept: Any;
    produce(start(), (s) => {
      kept = s.cards;
    });
    expect(() => kept.a).toThrow("after its command ended");
    expect(() => {
      kept.a = 1;
    }).toThrow("after its command ended");
  });
});

describe("what a command stored stays its own", () => {
  test("a constant of the module is not written to by later commands", () => {
    const template = { tags: [] as string[] };
    const one = produce(start(), (s) => {
      s.cards.c = template;
      s.cards.c.tags.push("one");
    });
    expect(template).toEqual({ tags: [] });
    const two = produce(one.next, (s) => {
      s.cards.d = template;
      s.cards.c.tags.push("two");
    });
    expect(spell(two.next.cards.d)).toBe(spell({ tags: [] }));
    expect(spell(two.next.cards.c)).toBe(spell({ tags: ["one", "two"] }));
  });
  test("bytes of the state are not written to by a command that fails", () => {
    const base = start() as Any;
    const drafting = openDraft(base);
    (drafting.draft as Any).bytes[0] = 99;
    drafting.close();
    expect([...base.bytes]).toEqual([1, 2]);
  });
  test("bytes are one copy in one command, whatever else is written meanwhile", () => {
    const { next } = produce(start(), (s) => {
      const { bytes } = s;
      s.other = 1;
      bytes[0] = 8;
      s.bytes[1] = 9;
      expect(Object.is(s.bytes, bytes)).toBe(true);
    });
    expect([...next.bytes]).toEqual([8, 9]);
  });
  test("bytes that a command wrote are in the next state", () => {
    const { next } = produce(start(), (s) => {
      s.bytes[1] = 7;
      s.more = s.bytes.subarray(1);
    });
    expect(spell([next.bytes, next.more])).toBe(
      spell([new Uint8Array([1, 7]), new Uint8Array([7])]),
    );
  });
});
