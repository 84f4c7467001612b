/**
 * The strip above the board: the sentence in words, the peers with the leader's crown, the term, and one log in the boom for
 * every commit.
 */
import type { Peer } from "logboom";
import { arrange, byId, fromTemplate, setAttribute, setText, within } from "./dom.js";
import type { BoardRoom } from "./opening.js";
import { noteSentence, peerFacts, roomSentence, shortId } from "./words.js";

/** Logs in the boom: the last commits; one bar length is this many. */
const boomLength = 24;

export function createPeersView(room: BoardRoom): () => void {
  const list = byId("peers", HTMLElement);
  const sentence = byId("sentence", HTMLElement);
  const noteLine = byId("note", HTMLElement);
  const views = new Map<number, HTMLElement>();
  const drawLog = createLogView();

  function drawPeer(peer: Peer): HTMLElement {
    const element = views.get(peer.id) ?? fromTemplate("peer-template");
    views.set(peer.id, element);
    element.dataset["role"] = peer.role;
    element.classList.toggle("away", !peer.self && !peer.connected);
    element.classList.toggle("adopted", peer.adopted);
    element.classList.toggle("self", peer.self);
    element.style.setProperty("--hue", String(peer.id % 360));
    const name = within(element, ".peer-name", HTMLElement);
    setText(name, peer.name);
    setAttribute(name, "title", peer.name); // long ones are cut off
    setText(within(element, ".peer-id", HTMLElement), shortId(peer.id));
    setText(within(element, ".peer-facts", HTMLElement), peerFacts(peer));
    within(element, ".crown", SVGElement).toggleAttribute("hidden", peer.role !== "leader");
    return element;
  }

  return function draw(): void {
    const { status, peers } = room;
    const { tone, text } = roomSentence(status, peers);
    setText(sentence, text);
    document.documentElement.dataset["tone"] = tone;
    const note = noteSentence(status);
    noteLine.hidden = note === undefined;
    setText(noteLine, note ?? "");
    arrange(list, peers.map(drawPeer));
    const known = new Set(peers.map(({ id }) => id));
    for (const id of views.keys()) if (!known.has(id)) views.delete(id);
    drawLog(status);
    document.title = `${status.role === "leader" ? "♛ " : ""}Logboom: one board`;
  };
}

function createLogView(): (status: BoardRoom["status"]) => void {
  const boom = byId("boom", HTMLElement);
  const logs = Array.from({ length: boomLength }, () => document.createElement("span"));
  boom.append(...logs);
  return ({ term, commit, applied, durability }) => {
    setText(byId("term", HTMLElement), String(term));
    setText(byId("commit", HTMLElement), String(commit));
    setText(byId("applied", HTMLElement), String(applied));
    setText(
      byId("durability", HTMLElement),
      durability === 1 ? "one browser" : `${durability} browsers`,
    );
    setAttribute(boom, "aria-label", `${commit} committed, ${applied} applied`);
    // The bar fills from the left, one log for each commit, and starts anew when it is full.
    const filled = commit === 0 ? 0 : ((commit - 1) % boomLength) + 1;
    logs.forEach((log, at) => {
      const index = commit - filled + at + 1;
      log.classList.toggle("committed", at < filled);
      log.classList.toggle("applied", at < filled && index <= applied);
      log.classList.toggle("newest", at === filled - 1);
    });
  };
}
