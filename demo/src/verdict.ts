/**
 * The referee's arithmetic: what one round of a fight says, and the sum of all rounds. Pure.
 *
 * Two witnesses that know nothing of each other: what each tab was told by its own command, and the owner that the replicated
 * card has. All tabs of one browser share an author, so the card alone cannot tell two winners of one browser apart, and the tabs
 * alone cannot see a winner elsewhere. Together they can.
 */

/** What one tab was told when it claimed the card. */
export type Told = "won" | "taken" | "gone" | "failed";

export interface Round {
  /** The card's owner in the replicated state, when all have answered; null if nobody owns it. */
  readonly owner: string | null;
  /** The author that this browser's tabs share. */
  readonly ownAuthor: string;
  /** Answers of this browser's tabs, by peer. */
  readonly told: ReadonlyMap<number, Told>;
}

export interface Tally {
  readonly rounds: number;
  /** Rounds whose card has an owner. */
  readonly winners: number;
  /** Rounds in which two were told that they won. It must stay 0. */
  readonly double: number;
  /** Rounds that a tab of this browser won by the card, while no tab says so: the winner was closed before it could. */
  readonly unheard: number;
  /** Rounds won by each tab of this browser that fought, by peer. */
  readonly wins: Readonly<Record<string, number>>;
  /** Rounds won in other browsers. */
  readonly elsewhere: number;
}

export const noRounds: Tally = {
  rounds: 0,
  winners: 0,
  double: 0,
  unheard: 0,
  wins: {},
  elsewhere: 0,
};

export function addRound(tally: Tally, round: Round): Tally {
  const winners = [...round.told].filter(([, told]) => told === "won").map(([peer]) => peer);
  const ours = round.owner === round.ownAuthor;
  const won = round.owner !== null;
  const wins = { ...tally.wins };
  for (const [peer, told] of round.told) wins[peer] = (wins[peer] ?? 0) + (told === "won" ? 1 : 0);
  return {
    rounds: tally.rounds + 1,
    winners: tally.winners + (won ? 1 : 0),
    double: tally.double + (isDouble(winners.length, ours) ? 1 : 0),
    unheard: tally.unheard + (ours && winners.length === 0 ? 1 : 0),
    wins,
    elsewhere: tally.elsewhere + (won && !ours ? 1 : 0),
  };
}

// One winner here is one too many when the card belongs to somebody else (or, just as wrong, to nobody).
function isDouble(winnersHere: number, ours: boolean): boolean {
  return winnersHere > 1 || (winnersHere === 1 && !ours);
}

/** "100 rounds, 100 winners, 0 double" */
export function tallyInWords({ rounds, winners, double }: Tally): string {
  const s = (count: number): string => (count === 1 ? "" : "s");
  return `${rounds} round${s(rounds)}, ${winners} winner${s(winners)}, ${double} double`;
}
