/** The referee of the fight: what rounds say, one by one. */
import { expect, test } from "vitest";
import { addRound, noRounds, type Tally, type Told, tallyInWords } from "../../demo/src/verdict.js";

const own = "this profile";
const other = "another profile";

test.each<[string, string | null, Record<number, Told>, Partial<Tally>]>([
  [
    "one wins, the others are told",
    own,
    { 1: "won", 2: "taken", 3: "taken" },
    { winners: 1, wins: { 1: 1, 2: 0, 3: 0 } },
  ],
  [
    "two of one browser are told that they won",
    own,
    { 1: "won", 2: "won" },
    { winners: 1, double: 1, wins: { 1: 1, 2: 1 } },
  ],
  [
    "another browser wins",
    other,
    { 1: "taken", 2: "taken" },
    { winners: 1, elsewhere: 1, wins: { 1: 0, 2: 0 } },
  ],
  [
    "a tab here is told that it won what another browser owns",
    other,
    { 1: "won", 2: "taken" },
    { winners: 1, double: 1, elsewhere: 1, wins: { 1: 1, 2: 0 } },
  ],
  [
    "a tab is told that it won a card that nobody owns",
    null,
    { 1: "won" },
    { double: 1, wins: { 1: 1 } },
  ],
  [
    "the winner was closed before it said so",
    own,
    { 2: "taken" },
    { winners: 1, unheard: 1, wins: { 2: 0 } },
  ],
  ["nobody won", null, { 1: "failed", 2: "gone" }, { wins: { 1: 0, 2: 0 } }],
])("%s", (_name, owner, answers, expected) => {
  const told = new Map(Object.entries(answers).map(([peer, answer]) => [Number(peer), answer]));
  const tally = addRound(noRounds, { owner, ownAuthor: own, told });
  expect(tally).toEqual({ ...noRounds, rounds: 1, ...expected });
});

test("rounds add up", () => {
  const round = (peer: number) => ({
    owner: own,
    ownAuthor: own,
    told: new Map<number, Told>([[peer, "won"]]),
  });
  const tally = [1, 2, 1].map(round).reduce(addRound, noRounds);
  expect(tally).toEqual({ ...noRounds, rounds: 3, winners: 3, wins: { 1: 2, 2: 1 } });
});

test.each<[Partial<Tally>, string]>([
  [{ rounds: 100, winners: 100 }, "100 rounds, 100 winners, 0 double"],
  [{ rounds: 1, winners: 1, double: 1 }, "1 round, 1 winner, 1 double"],
])("%j reads “%s”", (tally, words) => {
  expect(tallyInWords({ ...noRounds, ...tally })).toBe(words);
});
