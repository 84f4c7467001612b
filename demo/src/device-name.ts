/**
 * The name under which others see this device. It is given when the room is opened, so a change counts from the next opening.
 */
import { byId, setText } from "./dom.js";

const key = "logboom-demo/name";
const nameCharsMax = 64;

/** The name kept in this browser, if there is one. A browser without localStorage has none, which is no reason to stop. */
export function storedName(): string | undefined {
  try {
    const name = localStorage.getItem(key)?.trim().slice(0, nameCharsMax);
    // Cutting may have halved a character that takes two units.
    return name?.replace(/[\uD800-\uDBFF]$/, "") || undefined;
  } catch {
    return undefined;
  }
}

export function wireName(current: string): void {
  const form = byId("name-form", HTMLFormElement);
  const input = byId("name", HTMLInputElement);
  const said = byId("name-outcome", HTMLElement);
  input.maxLength = nameCharsMax;
  input.value = storedName() ?? current;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    setText(said, keep(input.value.trim()));
  });
}

function keep(name: string): string {
  try {
    if (name === "") localStorage.removeItem(key);
    else localStorage.setItem(key, name);
    return "Kept: used when a tab is next opened or reloaded.";
  } catch {
    return "This browser does not let the page keep anything, so the name cannot be kept.";
  }
}
