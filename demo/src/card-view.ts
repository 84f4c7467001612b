/**
 * One card on the page: its title, who claimed it, its buttons, and what came of the last press.
 *
 * Every action is a button, so that it can be reached by keyboard and on a narrow screen; dragging (drag.ts) only repeats them.
 */
import { type Card, type Column, columns } from "./board.js";
import { follow, type Outcome, outcomeInWords, type Wording } from "./commands.js";
import { fromTemplate, setAttribute, setText, within } from "./dom.js";
import type { BoardRoom } from "./opening.js";

export interface CardView {
  readonly element: HTMLElement;
  draw(card: Readonly<Card>): void;
  moveTo(column: Column): void;
}

/** How an author is called here: "this browser", or the name of the device. */
export type NameOf = (author: string) => string;

export function createCardView(
  room: BoardRoom,
  id: string,
  nameOf: NameOf,
  announce: (text: string) => void,
): CardView {
  const element = fromTemplate("card-template");
  element.dataset["id"] = id;
  const title = within(element, ".card-title", HTMLElement);
  const owner = within(element, ".card-owner", HTMLElement);
  const outcome = within(element, ".card-outcome", HTMLElement);
  const buttons = [...element.querySelectorAll("button")];
  let shown: Readonly<Card> | undefined;

  function show(result: Outcome, wording: Wording): void {
    const text = outcomeInWords(result, shown?.title ?? "this card", wording);
    announce(text);
    setText(outcome, result.kind === "refused" ? shortRefusal(result.reason) : text);
    outcome.dataset["kind"] = result.kind;
    // A command that worked shows in the card itself.
    outcome.hidden = result.kind === "done";
  }

  function send(command: Promise<unknown>, done: string): void {
    outcome.hidden = true;
    const waiting = "waiting for a majority";
    void follow(command, (result) => show(result, { done, waiting }));
  }

  const actions: Readonly<Record<string, () => void>> = {
    claim: () => send(room.do.claimCard({ id }), `Claimed “${shown?.title}”`),
    remove: () => send(room.do.removeCard({ id }), `Removed “${shown?.title}”`),
  };

  function moveTo(column: Column): void {
    if (column !== shown?.column)
      send(room.do.moveCard({ id, column }), `Moved “${shown?.title}” to ${column}`);
  }

  element.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button === null) return;
    const target = columns.find((column) => column === button.dataset["to"]);
    if (target !== undefined) moveTo(target);
    else actions[button.dataset["action"] ?? ""]?.();
  });

  function draw(card: Readonly<Card>): void {
    if (card === shown) return;
    shown = card;
    setText(title, card.title);
    owner.hidden = card.owner === null;
    element.classList.toggle("claimed", card.owner !== null);
    labelMoves(buttons, card.column);
    for (const button of buttons) setAttribute(button, "aria-label", labelOf(button, card.title));
  }

  return {
    element,
    moveTo,
    draw(card) {
      draw(card);
      // Outside the comparison: a device's name can become known after the card did.
      if (card.owner !== null) setText(within(owner, "bdi", HTMLElement), nameOf(card.owner));
    },
  };
}

function shortRefusal(reason: "taken" | "no-such-card"): string {
  return reason === "taken" ? "taken: somebody was faster" : "no longer on the board";
}

// A card's two move buttons name the two columns it is not in.
function labelMoves(buttons: readonly HTMLButtonElement[], from: string): void {
  const targets = columns.filter((column) => column !== from);
  buttons
    .filter((button) => button.dataset["action"] === "move")
    .forEach((button, at) => {
      const to = targets[at] ?? columns[0];
      button.dataset["to"] = to;
      setText(button, to);
    });
}

function labelOf(button: HTMLButtonElement, title: string): string {
  const { action, to } = button.dataset;
  return action === "move" ? `${to}: move “${title}” there` : `${action} “${title}”`;
}
