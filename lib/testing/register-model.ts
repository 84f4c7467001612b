/** What the default workload does to one key, said independently of the machine, and its histories key by key. */
import type { History } from "./history.js";
import type { Operation, SequentialModel } from "./linearizability.js";

export interface RegisterCall {
  readonly name: string;
  readonly from: string;
  readonly value: string;
}

/** A result, or the reason of a rejection with "!" in front. */
export type RegisterAnswer = string;

export const registerModel: SequentialModel<string, RegisterCall, RegisterAnswer> = {
  initial: () => "",
  step(state, { name, from, value }) {
    switch (name) {
      case "put":
        return { state: value, output: "" };
      case "take":
      case "read":
        return { state, output: state };
      case "swap":
        return from === state ? { state: value, output: "" } : { state, output: "!differs" };
      case "append": {
        const after = (state + value).slice(-24);
        return { state: after, output: after };
      }
      default:
        return { state, output: "!threw" };
    }
  },
  equal: (a, b) => a === b,
  key: (state) => state,
};

/** The history of each key of the default workload; reads look at every key. */
export function registerHistories(
  history: History,
): Map<string, Operation<RegisterCall, RegisterAnswer>[]> {
  const byKey = new Map<string, Operation<RegisterCall, RegisterAnswer>[]>();
  const put = (key: string, operation: Operation<RegisterCall, RegisterAnswer>): void => {
    const there = byKey.get(key);
    if (there === undefined) byKey.set(key, [operation]);
    else there.push(operation);
  };
  for (const { name, input, answer, calledAt, answeredAt } of history.calls) {
    const { key, value = "", from = "" } = input as unknown as Record<string, string>;
    const output =
      answer === undefined
        ? undefined
        : answer.kind === "done"
          ? String(answer.result ?? "")
          : `!${answer.reason}`;
    put(key ?? "", {
      input: { name, from, value },
      output,
      calledAt,
      answeredAt: answeredAt ?? Number.POSITIVE_INFINITY,
    });
  }
  for (const { calledAt, answeredAt, state } of history.reads) {
    if (answeredAt === undefined) continue;
    const { values } = state as { readonly values: Readonly<Record<string, string>> };
    for (const key of byKey.keys()) {
      const output = values[key] ?? "";
      put(key, { input: { name: "read", from: "", value: "" }, output, calledAt, answeredAt });
    }
  }
  return byKey;
}
