/**
 * Did a store go back? The check made when a store that failed is opened again by whoever knows what it acknowledged.
 *
 * A store that answers "failed" may still have carried the write out, so what it holds must be the acknowledged state or
 * the one after some prefix of the unanswered writes: nothing less, and, unless another owner was there in between, nothing
 * else. It is made before the boot counter is raised, or together with that: so an opening that is cut short, or refuses, leaves the
 * store as it was, and the next one under the same demand is as strict. `docs` of `Acknowledged` say what is compared. Pure.
 */
import { equalBytes } from "../base/bytes.js";
import { LogboomError } from "../base/errors.js";
import type { Acknowledged, StoredState } from "./storage.js";

/**
 * @param opened  with the boot that this opening would have
 * @throws LogboomError `STORE_WENT_BACK` naming what is missing
 */
export function checkNotBelow(
  opened: { readonly storeId: Uint8Array; readonly boot: number; readonly state: StoredState },
  known: Acknowledged,
): void {
  if (!equalBytes(opened.storeId, known.storeId)) {
    wentBack("it was wiped: it has another storeId");
  }
  if (opened.boot <= known.boot) {
    wentBack(`it was opened ${known.boot} times before, and says ${opened.boot - 1}`);
  }
  const floor = known.states[0];
  if (floor === undefined) return;
  const { state } = opened;
  if (state.term < floor.term) wentBack(`it acknowledged term ${floor.term} and has ${state.term}`);
  if (state.term === floor.term && floor.vote !== 0 && state.vote !== floor.vote) {
    wentBack(`it acknowledged a vote for ${floor.vote} and has one for ${state.vote}`);
  }
  // Somebody else may have written in between, and may have cut the log.
  if (opened.boot > known.boot + 1) return;
  if (!known.states.some((one) => same(one, state))) {
    wentBack(`it acknowledged ${shown(floor)}, and has ${shown(state)}`);
  }
}

function shown({ term, vote, lastIndex, lastTerm }: StoredState): string {
  return `entry ${lastIndex} of term ${lastTerm} as its last, in term ${term} with ${vote === 0 ? "no vote" : `a vote for ${vote}`}`;
}

function same(a: StoredState, b: StoredState): boolean {
  return (
    a.term === b.term &&
    a.vote === b.vote &&
    a.lastIndex === b.lastIndex &&
    a.lastTerm === b.lastTerm
  );
}

function wentBack(what: string): never {
  throw new LogboomError("STORE_WENT_BACK", `this store lost what it had acknowledged: ${what}`);
}
