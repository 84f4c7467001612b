/**
 * Linearizability of a history, by search: Wing and Gong's algorithm with Lowe's memory of what was tried.
 *
 * Knows nothing of logs: only calls, answers and a model of what one key does. An operation of unknown outcome may take effect at any time
 * after its call, or never. Histories of different keys are searched apart (P-compositionality). Compare Porcupine.
 *
 * Bounds: `stepsMax` (default 200,000) states, beyond which the answer is "unknown", never "yes".
 */

/** One operation on one key. */
export interface Operation<I, O> {
  readonly input: I;
  /** Undefined: nobody was told, it may have happened or not. */
  readonly output: O | undefined;
  readonly calledAt: number;
  /** Infinity for an unknown outcome. */
  readonly answeredAt: number;
}

/** What a key does: a pure function. */
export interface SequentialModel<S, I, O> {
  initial(): S;
  /** The state after `input`, and what it answers. */
  step(state: S, input: I): { readonly state: S; readonly output: O };
  equal(a: O, b: O): boolean;
  /** Distinguishes states; equal keys, equal states. */
  key(state: S): string;
}

export type Linearizable = "yes" | "no" | "unknown";

/**
 * A history of many keys: linearizable if each key's is, since operations on different keys do not touch each other (Herlihy and Wing's
 * locality; Lowe's P-compositionality). "no" if one key's is not, else "unknown" if one was given up.
 *
 * @param keyOf  the key an operation is about
 * @param stepsMax  of each key
 */
export function isLinearizableByKey<S, I, O>(
  model: SequentialModel<S, I, O>,
  history: readonly Operation<I, O>[],
  keyOf: (input: I) => string,
  stepsMax?: number,
): Linearizable {
  const byKey = new Map<string, Operation<I, O>[]>();
  for (const operation of history) {
    const key = keyOf(operation.input);
    const there = byKey.get(key);
    if (there === undefined) byKey.set(key, [operation]);
    else there.push(operation);
  }
  let found: Linearizable = "yes";
  for (const operations of byKey.values()) {
    const answer = isLinearizable(model, operations, stepsMax);
    if (answer === "no") return "no";
    if (answer === "unknown") found = "unknown";
  }
  return found;
}

interface Node {
  /** Of which operation. */
  readonly operation: number;
  readonly isCall: boolean;
  previous: Node | undefined;
  next: Node | undefined;
  /** Of a call: its return. */
  match: Node | undefined;
}

export function isLinearizable<S, I, O>(
  model: SequentialModel<S, I, O>,
  history: readonly Operation<I, O>[],
  stepsMax: number = 200_000,
): Linearizable {
  const head = listOf(history);
  const done = new Uint8Array(history.length);
  let left = history.filter(({ answeredAt }) => answeredAt !== Number.POSITIVE_INFINITY).length;
  const tried = new Set<string>();
  const stack: { readonly node: Node; readonly state: S }[] = [];
  let state = model.initial();
  let at = head.next;
  for (let steps = 0; left > 0; steps++) {
    if (steps > stepsMax) return "unknown";
    if (at?.isCall === true) {
      const operation = history[at.operation] as Operation<I, O>;
      const after = model.step(state, operation.input);
      const fits = operation.output === undefined || model.equal(after.output, operation.output);
      done[at.operation] = 1;
      const key = fits ? `${done.join("")}|${model.key(after.state)}` : "";
      if (fits && !tried.has(key)) {
        tried.add(key);
        stack.push({ node: at, state });
        state = after.state;
        if (isAnswered(operation)) left--;
        lift(at);
        at = head.next;
        continue;
      }
      done[at.operation] = 0;
      at = at.next;
      continue;
    }
    // The end, or a return before which its call found no place: take the last choice back.
    const last = stack.pop();
    if (last === undefined) return "no";
    state = last.state;
    done[last.node.operation] = 0;
    if (isAnswered(history[last.node.operation] as Operation<I, O>)) left++;
    unlift(last.node);
    at = last.node.next;
  }
  return "yes";
}

function isAnswered({ answeredAt }: { readonly answeredAt: number }): boolean {
  return answeredAt !== Number.POSITIVE_INFINITY;
}

/** Calls and returns in the order of time, calls first where they meet; unknown outcomes never return. */
function listOf(
  history: readonly { readonly calledAt: number; readonly answeredAt: number }[],
): Node {
  const events = history.flatMap(({ calledAt, answeredAt }, operation) => [
    { at: calledAt, isCall: true, operation },
    ...(answeredAt === Number.POSITIVE_INFINITY
      ? []
      : [{ at: answeredAt, isCall: false, operation }]),
  ]);
  events.sort(
    (a, b) => a.at - b.at || Number(b.isCall) - Number(a.isCall) || a.operation - b.operation,
  );
  const head = nodeOf(-1, false);
  const calls = new Map<number, Node>();
  let last = head;
  for (const { isCall, operation } of events) {
    const node = nodeOf(operation, isCall);
    node.previous = last;
    last.next = node;
    last = node;
    if (isCall) calls.set(operation, node);
    else (calls.get(operation) as Node).match = node;
  }
  return head;
}

function nodeOf(operation: number, isCall: boolean): Node {
  return { operation, isCall, previous: undefined, next: undefined, match: undefined };
}

function unlink(node: Node): void {
  if (node.previous !== undefined) node.previous.next = node.next;
  if (node.next !== undefined) node.next.previous = node.previous;
}

function link(node: Node): void {
  if (node.previous !== undefined) node.previous.next = node;
  if (node.next !== undefined) node.next.previous = node;
}

function lift(call: Node): void {
  unlink(call);
  if (call.match !== undefined) unlink(call.match);
}

function unlift(call: Node): void {
  if (call.match !== undefined) link(call.match);
  link(call);
}
