/**
 * The three columns and the form above them, drawn from the committed state.
 */
import { type Card, type Column, columns, titleCharsMax } from "./board.js";
import { type CardView, createCardView, type NameOf } from "./card-view.js";
import { follow, outcomeInWords } from "./commands.js";
import { arrange, byId, keepingFocus, setText, within } from "./dom.js";
import { enableDragging } from "./drag.js";
import type { BoardRoom } from "./opening.js";

interface ColumnView {
  readonly name: Column;
  readonly heading: HTMLElement;
  readonly count: HTMLElement;
  readonly list: HTMLElement;
  readonly empty: HTMLElement;
}

export function createBoardView(room: BoardRoom, nameOf: NameOf): () => void {
  const views = new Map<string, CardView>();
  const columnViews = columns.map(columnView);
  const outcome = byId("outcome", HTMLElement);
  const announce = (text: string): void => setText(outcome, text);

  wireForm(room, announce);
  enableDragging(byId("board", HTMLElement), (id, column) => views.get(id)?.moveTo(column));

  function viewOf(id: string): CardView {
    const known = views.get(id);
    if (known !== undefined) return known;
    const view = createCardView(room, id, nameOf, announce);
    views.set(id, view);
    return view;
  }

  function drawColumn(column: ColumnView, cards: readonly Readonly<Card>[]): void {
    const elements = cards.map((card) => {
      const view = viewOf(card.id);
      view.draw(card);
      return view.element;
    });
    arrange(column.list, elements);
    setText(column.count, String(cards.length));
    column.empty.hidden = cards.length > 0;
  }

  return function draw(): void {
    const cards = room.committed.cards;
    const refuge = refugeOfFocus(columnViews, (id) => Object.hasOwn(cards, id));
    const all = Object.values(cards);
    keepingFocus(() => {
      for (const column of columnViews)
        drawColumn(
          column,
          all.filter((card) => card.column === column.name),
        );
    });
    for (const id of views.keys()) if (!Object.hasOwn(cards, id)) views.delete(id);
    refuge?.focus({ preventScroll: true });
  };
}

function columnView(name: Column): ColumnView {
  const section = byId(`column-${name}`, HTMLElement);
  return {
    name,
    heading: within(section, "h2", HTMLElement),
    count: within(section, ".count", HTMLElement),
    list: within(section, ".cards", HTMLElement),
    empty: within(section, ".empty", HTMLElement),
  };
}

/** Where the focus goes when the card that has it is removed: the next card that stays, else the column's heading. */
function refugeOfFocus(
  columnViews: readonly ColumnView[],
  stays: (id: string) => boolean,
): HTMLElement | undefined {
  const card = document.activeElement?.closest<HTMLElement>(".card");
  if (card == null || stays(card.dataset["id"] ?? "")) return undefined;
  const column = columnViews.find(({ list }) => list.contains(card));
  for (let next = card.nextElementSibling; next !== null; next = next.nextElementSibling)
    if (next instanceof HTMLElement && stays(next.dataset["id"] ?? ""))
      return next.querySelector("button") ?? undefined;
  return column?.heading;
}

function wireForm(room: BoardRoom, announce: (text: string) => void): void {
  const form = byId("add", HTMLFormElement);
  const input = byId("new-title", HTMLInputElement);
  const select = byId("new-column", HTMLSelectElement);
  input.maxLength = titleCharsMax;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const title = input.value.trim();
    const column = columns.find((name) => name === select.value) ?? columns[0];
    if (title === "") {
      announce("A card needs a title");
      input.focus();
      return;
    }
    input.value = "";
    const wording = {
      done: `Added “${title}” to ${column}`,
      waiting: `“${title}” waits for a majority`,
    };
    void follow(room.do.addCard({ title, column }), (result) => {
      announce(outcomeInWords(result, title, wording));
      // What was typed is not lost because it was refused.
      if (result.kind === "failed" && input.value === "") input.value = title;
    });
  });
}
