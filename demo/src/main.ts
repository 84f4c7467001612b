/**
 * The demo page: one board, shared by all tabs that have it open, and by whoever has the invite link.
 *
 * Read board.ts first: it is all that the shared state is. This file opens the room and ties the views to it.
 */
import { createArenaView } from "./arena-view.js";
import { createBoardView } from "./board-view.js";
import { storedName, wireName } from "./device-name.js";
import { byId, onceAFrame, setText } from "./dom.js";
import { wireInvite, wireTabLinks } from "./invite-view.js";
import { type BoardRoom, openBoard, openingProblem } from "./opening.js";
import { createPeersView } from "./peers-view.js";

declare global {
  /** For the console, and for the browser tests. */
  var room: BoardRoom | undefined;
}

/** After this long the page says why opening a room may take a while. */
const openingPatienceMs = 5000;

async function main(): Promise<void> {
  const invited = location.hash.length > 1;
  sayOpening(invited);
  const patience = setTimeout(() => sayPatience(invited), openingPatienceMs);
  try {
    const room = await openBoard(storedName());
    globalThis.room = room;
    show(room);
  } catch (error) {
    sayProblem(openingProblem(error), invited);
  } finally {
    clearTimeout(patience);
  }
}

function show(room: BoardRoom): void {
  const draws: (() => void)[] = [];
  const redraw = onceAFrame(() => {
    for (const draw of draws) draw();
  });
  const nameOf = (author: string): string => {
    if (author === room.me.author) return "this browser";
    return room.peers.find((peer) => peer.author === author)?.name ?? "a device that is away";
  };
  draws.push(createPeersView(room), createBoardView(room, nameOf), createArenaView(room, redraw));
  wireInvite(room);
  wireTabLinks();
  wireName(room.me.name);
  // Until it was let in, a tab has no board: an empty one would be a lie.
  draws.push(() => {
    const { role, applied } = room.status;
    const state = role === "joining" && applied === 0 ? "joining" : "open";
    document.documentElement.dataset["state"] = state;
  });
  room.subscribe(redraw);
  room.on("status", redraw);
  room.on("peer", redraw);
  redraw();
}

function sayOpening(invited: boolean): void {
  const sentence = invited
    ? "joining: asking the others to let this tab in"
    : "opening this browser's board, or founding a new one";
  setText(byId("sentence", HTMLElement), sentence);
}

function sayPatience(invited: boolean): void {
  const sentence = invited
    ? "still joining: somebody who is in must have the board open, and the relay must answer"
    : "still opening: this browser's storage, or its other tabs, take long to answer";
  setText(byId("sentence", HTMLElement), sentence);
}

function sayProblem(sentence: string, invited: boolean): void {
  document.documentElement.dataset["state"] = "failed";
  document.documentElement.dataset["tone"] = "stopped";
  setText(byId("sentence", HTMLElement), "This tab could not open the board.");
  setText(byId("problem-sentence", HTMLElement), sentence);
  const again = byId("own-board", HTMLAnchorElement);
  again.href = `${location.pathname}${location.search}`;
  setText(again, invited ? "Open this browser's own board instead" : "Try again");
  byId("problem", HTMLElement).hidden = false;
}

// An invite that is pasted over the address of an open board: only a new opening can follow it.
addEventListener("hashchange", () => {
  if (location.hash.length > 1) location.reload();
});

void main();
