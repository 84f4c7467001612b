/**
 * The few things this page does with the DOM. Text goes in as text everywhere: nothing here parses HTML.
 */

/** The element with this id. @throws when index.html and the scripts no longer agree */
export function byId<E extends Element = HTMLElement>(id: string, of: new () => E): E {
  const found = document.getElementById(id);
  if (found instanceof of) return found;
  throw new Error(`index.html has no ${of.name} with the id "${id}"`);
}

export function within<E extends Element>(root: ParentNode, selector: string, of: new () => E): E {
  const found = root.querySelector(selector);
  if (found instanceof of) return found;
  throw new Error(`there is no ${of.name} at "${selector}"`);
}

/** A copy of the first element in `<template id>`. */
export function fromTemplate(id: string): HTMLElement {
  const first = byId(id, HTMLTemplateElement).content.firstElementChild?.cloneNode(true);
  if (first instanceof HTMLElement) return first;
  throw new Error(`the template "${id}" is empty`);
}

/** Writes only what changed, so that screen readers are not told the same thing twice. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node: Element, name: string, value: string): void {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Makes `nodes` the children of `parent`, touching only those that are new or out of place. */
export function arrange(parent: Element, nodes: readonly Element[]): void {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, at) => {
    if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
  });
}

/** Runs `change`; an element that only changed its place, and lost the focus by that, gets it back. */
export function keepingFocus(change: () => void): void {
  const focused = document.activeElement;
  change();
  if (focused instanceof HTMLElement && focused.isConnected && focused !== document.activeElement)
    focused.focus({ preventScroll: true });
}

/** Longer than a frame, shorter than what an eye calls late. */
const lateMs = 100;

/**
 * Calls `draw` once before the next frame, however often it was asked for. A tab that is covered or hidden has a frame a second or
 * none at all, so a timer sees to it that it is up to date when somebody looks.
 */
export function onceAFrame(draw: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    const run = (): void => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      asked = false;
      draw();
    };
    const frame = requestAnimationFrame(run);
    const timer = setTimeout(run, lateMs);
  };
}
