/**
 * Dragging cards between columns, with the mouse anywhere on the card, with a finger or pen by its grip (elsewhere a finger
 * scrolls the page).
 *
 * Pointer events instead of HTML's drag and drop, which touch screens do not have. Dragging is a shortcut: the buttons do the same.
 */
import { type Column, columns } from "./board.js";
import { within } from "./dom.js";

/** A press becomes a drag after this many pixels; below, it is a click. */
const slackPx = 6;
/** Near the upper and lower edge of the window the page scrolls along. */
const edgePx = 60;
const scrollPx = 12;

interface Drag {
  readonly card: HTMLElement;
  readonly pointer: number;
  readonly startX: number;
  readonly startY: number;
  x: number;
  y: number;
  ghost: HTMLElement | undefined;
}

export function enableDragging(
  board: HTMLElement,
  drop: (id: string, column: Column) => void,
): void {
  let drag: Drag | undefined;

  function end(): void {
    if (drag === undefined) return;
    drag.ghost?.remove();
    drag.card.classList.remove("lifted");
    highlight(board, undefined);
    document.documentElement.classList.remove("dragging");
    drag = undefined;
  }

  // Runs once a frame while a card is in the air.
  function follow(): void {
    if (drag?.ghost === undefined) return;
    if (!drag.card.isConnected) {
      end(); // somebody else removed it
      return;
    }
    drag.ghost.style.translate = `${drag.x - drag.startX}px ${drag.y - drag.startY}px`;
    highlight(board, columnAt(board, drag));
    if (drag.y < edgePx) scrollBy(0, -scrollPx);
    else if (drag.y > innerHeight - edgePx) scrollBy(0, scrollPx);
    requestAnimationFrame(follow);
  }

  board.addEventListener("pointerdown", (event) => {
    const card = pressedCard(event);
    if (card === undefined || drag !== undefined) return;
    const { clientX: x, clientY: y, pointerId } = event;
    drag = { card, pointer: pointerId, startX: x, startY: y, x, y, ghost: undefined };
  });

  addEventListener("pointermove", (event) => {
    if (drag?.pointer !== event.pointerId) return;
    drag.x = event.clientX;
    drag.y = event.clientY;
    if (drag.ghost !== undefined) return;
    if (Math.hypot(drag.x - drag.startX, drag.y - drag.startY) < slackPx) return;
    drag.ghost = lift(drag.card);
    requestAnimationFrame(follow);
  });

  addEventListener("pointerup", (event) => {
    if (drag?.pointer !== event.pointerId) return;
    const column = drag.ghost === undefined ? undefined : columnAt(board, drag);
    const id = drag.card.dataset["id"];
    end();
    if (column !== undefined && id !== undefined) drop(id, column);
  });

  addEventListener("pointercancel", end);
  addEventListener("blur", end);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") end();
  });
}

function pressedCard(event: PointerEvent): HTMLElement | undefined {
  if (!(event.target instanceof Element) || event.button !== 0) return undefined;
  if (event.target.closest("button") !== null) return undefined;
  const byGrip = event.target.closest(".grip") !== null;
  if (event.pointerType !== "mouse" && !byGrip) return undefined;
  return event.target.closest<HTMLElement>(".card") ?? undefined;
}

/** Leaves the card where it is and puts a copy under the pointer. */
function lift(card: HTMLElement): HTMLElement {
  const place = card.getBoundingClientRect();
  const ghost = card.cloneNode(true);
  if (!(ghost instanceof HTMLElement)) throw new Error("a card is an HTML element");
  ghost.classList.add("ghost");
  ghost.setAttribute("aria-hidden", "true");
  ghost.inert = true;
  ghost.removeAttribute("data-id");
  ghost.style.left = `${place.left}px`;
  ghost.style.top = `${place.top}px`;
  ghost.style.width = `${place.width}px`;
  card.classList.add("lifted");
  document.documentElement.classList.add("dragging");
  getSelection()?.removeAllRanges();
  document.body.append(ghost);
  return ghost;
}

function columnAt(board: HTMLElement, { x, y }: Drag): Column | undefined {
  return columns.find((name) => {
    const place = within(board, `#column-${name}`, HTMLElement).getBoundingClientRect();
    return x >= place.left && x <= place.right && y >= place.top && y <= place.bottom;
  });
}

function highlight(board: HTMLElement, target: Column | undefined): void {
  for (const name of columns)
    within(board, `#column-${name}`, HTMLElement).classList.toggle("target", name === target);
}
