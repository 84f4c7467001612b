/**
 * Opening the room, and saying in one sentence why it could not be opened.
 */
import { isLogboomError, openRoom } from "logboom";
import { board } from "./board.js";

/** The room as this page holds it: typed by the machine, with no annotation. */
export type BoardRoom = Awaited<ReturnType<typeof openBoard>>;

export function openBoard(name: string | undefined) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return openRoom(board, {
    relay: `${scheme}://${location.host}/relay`,
    peerPer: "tab",
    invite: location.hash,
    ...(name === undefined ? {} : { name }),
  });
}

const sentences: Readonly<Record<string, string>> = {
  NO_WEBRTC:
    "This browser has no WebRTC (or it is switched off), so its tabs cannot talk to others. A current Chrome, Edge, Firefox or Safari has it.",
  NO_STORAGE:
    "This browser gives the page no IndexedDB, so the board could not be kept here. Private windows and blocked cookies do that.",
  INSECURE_CONTEXT:
    "This page must come over https or from localhost: over plain http the browser takes away what the board needs (Web Locks, cryptography).",
  BAD_INVITE:
    "This invite link is incomplete or was changed on its way. Please copy it again, or open this browser's own board.",
  STORAGE_LOCKED: "Another page holds this board's storage. Please close it and reload.",
  STORAGE_FAILED: "The browser could not read or write the board's storage.",
  STORE_WENT_BACK:
    "The board's storage in this browser is older than it was before. This tab stays out, so that nothing is lost elsewhere.",
  WRONG_MACHINE: "The room behind this link is not a board.",
};

export function openingProblem(error: unknown): string {
  const detail = error instanceof Error ? error.message : String(error);
  if (!isLogboomError(error)) return `The board could not be opened: ${detail}`;
  return sentences[error.code] ?? `The board could not be opened: ${detail} (${error.code})`;
}
