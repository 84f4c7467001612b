/**
 * Bringing others in: two links that open more tabs of this browser, and the invite link for other browsers and devices.
 */
import { byId, setText } from "./dom.js";
import type { BoardRoom } from "./opening.js";

export function wireInvite(room: BoardRoom): void {
  const link = byId("invite", HTMLInputElement);
  const copy = byId("copy-invite", HTMLButtonElement);
  const said = byId("copy-outcome", HTMLElement);
  link.value = room.invite();
  link.addEventListener("focus", () => link.select());
  copy.addEventListener("click", () => void copyLink());

  async function copyLink(): Promise<void> {
    try {
      await navigator.clipboard.writeText(link.value);
      setText(said, "Copied. Whoever opens this link is in.");
    } catch {
      // No permission, or no clipboard at all: the link is selected, and the keyboard can copy it.
      link.focus();
      link.select();
      setText(said, "Selected: press Ctrl+C (⌘C on a Mac) to copy it.");
    }
  }
}

/** Same page, same room: without a fragment, since this browser knows the room by now. */
export function wireTabLinks(): void {
  for (const id of ["second-tab", "third-tab"])
    byId(id, HTMLAnchorElement).href = `${location.pathname}${location.search}`;
}
