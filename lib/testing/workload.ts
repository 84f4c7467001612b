/**
 * The workload of a simulated cluster: which machine, and what its clients call.
 *
 * The default is a map of registers with put, compare-and-set, append and add: enough for every kind of lost or doubled update to show,
 * and simple enough to be checked by an independent model (linearizability.ts).
 */
import type { Random } from "../base/random.js";
import { type AnyMachine, defineMachine } from "../machines/machine.js";
import type { Value } from "../machines/values.js";

export interface Workload {
  readonly machine: AnyMachine;
  /** One call of a command, drawn from `random`; `number` is different for each. */
  call(random: Random, number: number): { readonly name: string; readonly input?: Value };
}

interface Registers {
  values: Record<string, string>;
}

const registers: AnyMachine = defineMachine({
  name: "registers",
  version: 1,
  rejects: ["differs"],
  initial: (): Registers => ({ values: {} }),
  commands: {
    put(state, { key, value }: { key: string; value: string }) {
      state.values[key] = value;
    },
    take(state, { key }: { key: string }) {
      return state.values[key] ?? "";
    },
    swap(state, { key, from, value }: { key: string; from: string; value: string }, ctx) {
      if ((state.values[key] ?? "") !== from) ctx.reject("differs");
      state.values[key] = value;
    },
    append(state, { key, value }: { key: string; value: string }) {
      const after = `${state.values[key] ?? ""}${value}`.slice(-24);
      state.values[key] = after;
      return after;
    },
    // Commands that throw are outcomes too, the same everywhere.
    fail(_state, { key }: { key: string }) {
      throw new Error(`${key} fails on purpose`);
    },
  },
});

const keys = ["a", "b", "c", "d"];

export const registerWorkload: Workload = {
  machine: registers,
  call(random, number) {
    const key = keys[random.below(keys.length)] as string;
    const value = `${number},`;
    switch (random.below(8)) {
      case 0:
      case 1:
        return { name: "put", input: { key, value } };
      case 2:
        return { name: "take", input: { key } };
      case 3:
        return { name: "swap", input: { key, from: "", value } };
      case 4:
        return { name: "fail", input: { key } };
      default:
        return { name: "append", input: { key, value } };
    }
  },
};
