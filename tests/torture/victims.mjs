/** Processes that are to be killed in any case: also when whoever wanted to is told to stop. A browser of its own process group would write on for ever. */

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

/**
 * @template {import("node:child_process").ChildProcess} Child
 * @param {Child} child  leads a process group, if it was spawned as `detached`
 * @returns {Child}
 */
export function victim(child) {
  running.add(child);
  child.once("close", () => running.delete(child));
  return child;
}

/** Kills it and, where it leads one, its process group. @param {import("node:child_process").ChildProcess} child */
export function kill(child) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

/** From now on a signal that ends this process ends them first. */
export function killWithUs() {
  process.once("exit", () => running.forEach(kill));
  // As shells report them: 128 and the signal's number.
  for (const [signal, code] of /** @type {const} */ ([
    ["SIGHUP", 129],
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])) {
    process.once(signal, () => process.exit(code));
  }
}
