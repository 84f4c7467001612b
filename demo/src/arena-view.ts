/**
 * The button "fight for it", its counters, and who won how often.
 */
import { type Arena, type ArenaView, enterArena } from "./arena.js";
import { byId, setText } from "./dom.js";
import type { BoardRoom } from "./opening.js";
import { roundsPerFight } from "./referee.js";
import { tallyInWords } from "./verdict.js";
import { listInWords, plural, shortId } from "./words.js";

export function createArenaView(room: BoardRoom, redraw: () => void): () => void {
  const button = byId("fight", HTMLButtonElement);
  const counters = byId("fight-tally", HTMLElement);
  const details = byId("fight-details", HTMLElement);
  const verdict = byId("fight-verdict", HTMLElement);
  const progress = byId("fight-progress", HTMLProgressElement);
  const arena: Arena = enterArena(room, redraw);
  progress.max = roundsPerFight;
  button.addEventListener("click", () => arena.press());

  return function draw(): void {
    const { view } = arena;
    setText(button, view.state === "running" ? "stop the fight" : "fight for it");
    progress.hidden = view.state === "idle";
    progress.value = view.tally.rounds;
    setText(counters, view.state === "idle" ? "" : tallyInWords(view.tally));
    counters.classList.toggle("wrong", view.tally.double > 0);
    setText(details, view.state === "idle" ? fightersInWords(view) : winsInWords(view, room.me.id));
    // A live region: only the end is worth saying aloud.
    setText(verdict, view.state === "over" ? verdictInWords(view) : "");
  };
}

function fightersInWords({ fighters }: ArenaView): string {
  const rivals =
    fighters === 1
      ? "Only this tab is open in this browser: a rival would help."
      : `Open in this browser: ${plural(fighters, "tab")}.`;
  return `${roundsPerFight} times all of them claim the same card, the instant they see it. ${rivals}`;
}

function winsInWords({ tally }: ArenaView, self: number): string {
  const wins = Object.entries(tally.wins).map(
    ([peer, won]) =>
      `${shortId(Number(peer))}${Number(peer) === self ? " (this tab)" : ""} won ${won}`,
  );
  if (tally.elsewhere > 0) wins.push(`other browsers won ${tally.elsewhere}`);
  if (tally.unheard > 0) wins.push(`${plural(tally.unheard, "winner")} closed before saying so`);
  return listInWords(wins);
}

function verdictInWords({ tally, problem }: ArenaView): string {
  if (problem !== undefined) return `The fight could not go on: ${problem}`;
  if (tally.double > 0)
    return "Two were told that they won the same card. That is a bug of Logboom.";
  if (tally.rounds < roundsPerFight) return "Stopped.";
  return "Every card has one owner, and nobody else was told to be it.";
}
