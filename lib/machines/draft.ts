/**
 * Drafts: a command writes to its state as if it were its own; the state it started from is untouched.
 *
 * The only file that knows immer. Its automatic freezing is off: `tame` freezes, and takes prototypes away, which is what
 * keeps `cards[id]` with the id `__proto__` from reaching `Object.prototype` through a draft.
 */
import { Immer } from "immer";

const immer = new Immer({ autoFreeze: false });

/** Calls `write` with a draft of `base`; gives the changed copy (or `base` itself) and what `take` made of `write`'s result. */
export function withDraft<T>(
  base: object,
  write: (draft: object) => unknown,
  take: (result: unknown) => T,
): { readonly next: unknown; readonly result: T } {
  const draft = immer.createDraft(base);
  // The result may hold drafts, so it is read before they end. After an error the draft is dropped, and nothing with it.
  const result = take(write(draft));
  return { next: immer.finishDraft(draft), result };
}
