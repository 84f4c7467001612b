/** A user's side: docs/SIMULATOR.md's example, as it is written there. */
import { defineMachine } from "logboom";
import { simulateMachine } from "logboom/testing";
import { expect, it } from "vitest";

let served = 0;
const queue = (number: () => number) =>
  defineMachine({
    name: "queue",
    version: 1,
    initial: (): { tickets: Record<string, number> } => ({ tickets: {} }),
    commands: {
      draw(state, { who }: { who: string }) {
        state.tickets[who] = number();
        return state.tickets[who];
      },
    },
  });

const call = (random: { below(bound: number): number }) => ({
  name: "draw",
  input: { who: `guest ${random.below(9)}` },
});

it("finds a number that is not the state's own", () => {
  const failure = simulateMachine({ machine: queue(() => ++served), call });
  expect(failure?.violation?.invariant).toBe("I20");
});

it("leaves alone what is alike everywhere", { timeout: 60_000 }, () => {
  expect(simulateMachine({ machine: queue(() => 7), call, seeds: 5 })).toBeUndefined();
});
