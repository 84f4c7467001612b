/**
 * What the tabs of this browser said they were told, card by card, until a referee asks for it.
 */
import type { Told } from "./verdict.js";

/** A tab that was there and says nothing for this long is no longer waited for. */
const answerTimeoutMs = 5000;
/** Every tab hears every answer, and a tab that is no referee needs none of them: only this many cards are remembered. */
const cardsMax = 200;

export interface Answers {
  note(card: string, peer: number, told: Told): void;
  /** Looks again whether somebody is still waited for: a tab was closed. */
  recheck(): void;
  /** Resolves when all of `expected()` have said what they were told about `card`, or are silent for too long. */
  about(card: string, expected: () => readonly number[]): Promise<ReadonlyMap<number, Told>>;
}

export function collectAnswers(): Answers {
  const answers = new Map<string, Map<number, Told>>();
  let recheck = (): void => {};

  return {
    note(card, peer, told) {
      const known = answers.get(card) ?? new Map<number, Told>();
      answers.set(card, known.set(peer, told));
      const oldest = answers.keys().next().value;
      if (answers.size > cardsMax && oldest !== undefined) answers.delete(oldest);
      recheck();
    },
    recheck: () => recheck(),
    about: (card, expected) =>
      new Promise((resolve) => {
        const settle = (): void => {
          clearTimeout(timeout);
          recheck = (): void => {};
          resolve(answers.get(card) ?? new Map());
          answers.delete(card);
        };
        const timeout = setTimeout(settle, answerTimeoutMs);
        recheck = (): void => {
          const said = answers.get(card);
          if (expected().every((peer) => said?.has(peer))) settle();
        };
        recheck();
      }),
  };
}
